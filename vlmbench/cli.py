"""The command line: parse, call one function, return an exit code.

Every import of the work itself stands inside its command, so that `vlmbench --help` is quick.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from vlmbench import __version__
from vlmbench.errors import VlmbenchError

if TYPE_CHECKING:
    from vlmbench.executors.base import Executor
    from vlmbench.models import ModelSpec
    from vlmbench.records import RunRecord
    from vlmbench.runs import RunDir
    from vlmbench.task import TaskSpec

EXIT_CODES = """\
exit codes:
  0  fine
  1  regression (gate)
  2  a mistake in usage, configuration or data, or an image that cannot be read
  3  incomplete (run) or inconclusive (gate)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    # Threads that spin while they wait would take the core from those that prepare batches.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a captured stream may not have it
            stream.reconfigure(errors="backslashreplace")
    try:
        options = _parser().parse_args(arguments)
        return int(options.command(options))
    except VlmbenchError as error:
        print(f"vlmbench: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # The reader of our output is gone, as in `vlmbench tasks list | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print(
            "vlmbench: Stopped; the same command goes on from the answers that are there.",
            file=sys.stderr,
        )
        return 130


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, without the usage in front of it."""

    def error(self, message: str) -> NoReturn:
        print(f"vlmbench: {message.rstrip('.')}; see '{self.prog} --help'.", file=sys.stderr)
        raise SystemExit(2)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="vlmbench",
        description="Evaluate, train and compare vision-language models for Japanese.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"vlmbench {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands)
    _add_after_run(commands)
    _add_compare(commands)
    _add_gate(commands)
    _add_train(commands)
    _add_catalogues(commands)
    return parser


def _add_run(commands: Any) -> None:
    run = commands.add_parser("run", help="ask models the questions of tasks")
    run.add_argument(
        "--model",
        action="append",
        required=True,
        metavar="NAME",
        help="an alias, hf:org/name, baseline:KIND, a checkpoint directory, openai:NAME or "
        "served:SERVER:MODEL; several with commas",
    )
    run.add_argument(
        "--tasks",
        action="append",
        required=True,
        metavar="NAME",
        help="tasks, groups of them, or YAML files",
    )
    _add_data_dir(run)
    run.add_argument("--limit", type=_positive, help="only so many samples of each task")
    run.add_argument("--out", type=Path, default=Path("runs"), help="default: runs")
    run.add_argument(
        "--batch-size", type=_positive_or_auto, metavar="N", help="default: auto, what fits"
    )
    run.add_argument(
        "--replicas",
        type=_positive_or_auto,
        metavar="N",
        help="copies of the model; default: auto, one a GPU or CPU core",
    )
    run.add_argument("--executor", default="local", help="local, or ray for a cluster")
    run.add_argument("--ray-address", metavar="ADDRESS", help="of a running Ray cluster")
    run.add_argument(
        "--no-cache", action="store_true", help="ask anew what a model has answered before"
    )
    run.add_argument(
        "--max-errors", type=_natural, metavar="N", help="stop when more samples than N fail"
    )
    _add_model_options(run)
    run.add_argument("--seed", type=int, default=0)
    run.add_argument("--fresh", action="store_true", help="drop the answers of earlier calls")
    run.add_argument("--json", action="store_true", help="print the run records as JSON")
    run.add_argument("--quiet", action="store_true", help="no progress bar")
    run.set_defaults(command=_run)


def _add_data_dir(parser: Any) -> None:
    parser.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help="where data sets of the Hub lie as <task>.parquet, <task>/*.parquet or <task>.jsonl",
    )


def _add_model_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how models are loaded and asked")
    group.add_argument("--dtype", default="auto", help="auto, float32, bfloat16 or float16")
    group.add_argument("--device", default="auto", help="auto, cuda, mps or cpu")
    group.add_argument("--device-map", metavar="auto", help="auto: spread over all GPUs")
    group.add_argument("--attention", metavar="NAME", help="sdpa, eager, flash_attention_2 ...")
    group.add_argument("--quantization", metavar="BITS", help="4bit or 8bit, by bitsandbytes")
    group.add_argument("--adapter", metavar="DIR", help="a LoRA adapter for the model")
    group.add_argument("--min-pixels", type=_positive, metavar="N", help="enlarge smaller images")
    group.add_argument("--max-pixels", type=_positive, metavar="N", help="shrink larger images")
    group.add_argument("--system", metavar="TEXT", help="a system prompt, before the task's own")
    group.add_argument(
        "--generation",
        action="append",
        metavar="KEY=VALUE",
        help="top_p, repetition_penalty, num_beams ...; what the task does not decide",
    )
    group.add_argument(
        "--trust-remote-code",
        action="store_true",
        default=None,
        help="run the Python code that a model brings, with your rights",
    )
    group.add_argument(
        "--base-url",
        metavar="URL",
        help="where openai:NAME is; default: $OPENAI_BASE_URL, or OpenAI's own address",
    )
    group.add_argument(
        "--api-key-env",
        metavar="VARIABLE",
        help="environment variable with the key of openai:NAME; default: OPENAI_API_KEY",
    )
    group.add_argument(
        "--server-args", metavar="'ARGS'", help="further arguments of served:SERVER:MODEL's command"
    )
    group.add_argument(
        "--model-option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any other option of the model, in YAML (docs/servers.md lists them)",
    )


def _add_after_run(commands: Any) -> None:
    score = commands.add_parser("score", help="derive scores again from journals, without a model")
    score.add_argument("runs", nargs="+", type=Path, metavar="RUNS")
    score.add_argument(
        "--metrics",
        action="append",
        default=[],
        metavar="NAME",
        help="metrics beside the task's own; several with commas ('vlmbench metrics list')",
    )
    score.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an option of those metrics ('vlmbench metrics show NAME')",
    )
    score.add_argument("--json", action="store_true")
    score.set_defaults(command=_score)
    report = commands.add_parser("report", help="build the HTML leaderboard")
    report.add_argument("runs", nargs="+", type=Path, metavar="RUNS")
    report.add_argument("--out", type=Path, default=Path("report"), help="default: report")
    report.add_argument(
        "--samples", type=_positive, metavar="N", help="show only N samples a task, evenly chosen"
    )
    report.set_defaults(command=_report)


def _add_compare(commands: Any) -> None:
    compare = commands.add_parser("compare", help="put runs beside published scores")
    compare.add_argument("runs", nargs="+", type=Path, metavar="RUNS")
    compare.add_argument(
        "--published", action="store_true", required=True, help="scores that others published"
    )
    compare.add_argument("--json", action="store_true")
    compare.set_defaults(command=_compare)


def _add_gate(commands: Any) -> None:
    gate = commands.add_parser(
        "gate",
        help="compare runs with a saved baseline",
        usage="vlmbench gate RUNS... --baseline FILE [--margin M] [--json]\n"
        "       vlmbench gate save RUNS... -o FILE",
    )
    gate.add_argument("runs", nargs="+", metavar="RUNS", help="run directories; 'save' comes first")
    gate.add_argument("--baseline", type=Path, metavar="FILE", help="made by 'vlmbench gate save'")
    gate.add_argument("-o", "--output", type=Path, metavar="FILE", help="where 'save' writes")
    gate.add_argument("--margin", type=float, help="drop that is tolerated; default: 0.02")
    gate.add_argument("--seed", type=int, default=0)
    gate.add_argument("--json", action="store_true")
    gate.set_defaults(command=_gate)


def _add_train(commands: Any) -> None:
    train = commands.add_parser("train", help="train a model by a recipe")
    train.add_argument("recipe", metavar="CONFIG", help="a YAML file, or a recipe that ships")
    train.add_argument("--out", type=Path, help="checkpoint directory")
    train.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    train.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="replace a recipe's value"
    )
    train.add_argument("--quiet", action="store_true", help="no progress bar")
    train.set_defaults(command=_train)
    demo = commands.add_parser("demo", help="the whole loop on the embedded tasks, offline")
    demo.add_argument("--out", type=Path, default=Path("demo"), help="default: demo")
    demo.set_defaults(command=_demo)
    doctor = commands.add_parser("doctor", help="what this machine can run")
    doctor.add_argument("--json", action="store_true")
    doctor.set_defaults(command=_show, show="doctor")


def _add_catalogues(commands: Any) -> None:
    kinds = {
        "tasks": (
            "what can be asked",
            {"list": False, "show": True, "check": True, "prepare": True},
        ),
        "models": ("who can be asked", {"list": False, "show": True}),
        "metrics": ("how answers are scored", {"list": False, "show": True}),
    }
    for noun, (help_text, verbs) in kinds.items():
        parser = commands.add_parser(noun, help=help_text)
        also = ["score"] if noun == "metrics" else []
        actions = parser.add_subparsers(required=True, metavar="|".join([*verbs, *also]))
        for verb, takes_name in verbs.items():
            action = actions.add_parser(verb)
            if takes_name:
                action.add_argument("name", metavar="NAME")
            if noun == "tasks":
                _add_data_dir(action)
            action.add_argument("--json", action="store_true")
            if (noun, verb) == ("models", "show"):
                _add_model_options(action)
            action.set_defaults(command=_show, show=f"{noun}_{verb}")
        if noun == "metrics":
            _add_metrics_score(actions)


def _add_metrics_score(actions: Any) -> None:
    score = actions.add_parser("score", help="score predictions from anywhere")
    score.add_argument("name", metavar="NAME")
    score.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="JSON Lines {id, prediction, references, choices?, images?}; - for standard input",
    )
    score.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an option of the metric ('vlmbench metrics show NAME')",
    )
    score.add_argument(
        "--json", action="store_true", help="one JSON document instead of a line a sample"
    )
    score.set_defaults(command=_show, show="metrics_score")


def _run(options: argparse.Namespace) -> int:
    from vlmbench import console
    from vlmbench.evaluate import load_metrics, run
    from vlmbench.runs import RunDir

    models = _models(options)
    tasks = _tasks(options)
    for task in tasks:
        load_metrics(task)
    _refuse_contradictions(models, tasks, seed=options.seed)
    records = []
    for model in models:
        with _executor(model, options) as executor:
            for task in tasks:
                label = f"{model.name} · {task.name}"
                with console.progress_bar(label, quiet=options.quiet) as progress:
                    record = run(
                        model,
                        task,
                        executor=executor,
                        out=options.out,
                        limit=options.limit,
                        seed=options.seed,
                        fresh=options.fresh,
                        max_errors=options.max_errors,
                        progress=progress,
                    )
                records.append(record)
    runs = [RunDir.of(options.out, record.model, record.task) for record in records]
    _print_records(records, runs, json=options.json)
    if not options.json:
        print(f"Results: {options.out}/<model>/<task>/run.json, scores.jsonl and journal.jsonl")
        print(f"Next: vlmbench report {options.out}")
    return _run_exit_code(records, options.out)


@contextmanager
def _executor(model: ModelSpec, options: argparse.Namespace) -> Iterator[Executor]:
    """What runs the model, behind the cache of answers where that makes sense."""
    from vlmbench.cache import AnswerCache, default_cache
    from vlmbench.errors import UsageError, unknown_name
    from vlmbench.executors.cached import CachedExecutor
    from vlmbench.executors.choose import EXECUTORS, make_executor

    if options.executor not in EXECUTORS:
        known = f"use {' or '.join(EXECUTORS)}"
        raise UsageError(unknown_name("executor", options.executor, EXECUTORS, next_step=known))
    if options.ray_address and options.executor != "ray":
        raise UsageError("'--ray-address' goes with a cluster; add '--executor ray'.")
    inner = make_executor(
        model,
        kind=options.executor,
        replicas=options.replicas,
        batch_size=options.batch_size,
        ray_address=options.ray_address,
    )
    with ExitStack() as open_things:
        open_things.callback(inner.close)
        if options.no_cache or not model.keeps_its_answers:
            yield inner
        else:
            cache = AnswerCache(default_cache())
            open_things.callback(cache.close)
            yield CachedExecutor(inner, cache)


def _score(options: argparse.Namespace) -> int:
    from vlmbench.evaluate import score
    from vlmbench.extra_metrics import extra_metrics
    from vlmbench.runs import find_runs

    extra = extra_metrics(_split(options.metrics), options.option)
    runs = find_runs(options.runs)
    records = [score(run, extra=extra) for run in runs]
    _print_records(records, runs, json=options.json)
    return 0


def _compare(options: argparse.Namespace) -> int:
    from dataclasses import asdict

    from vlmbench import console
    from vlmbench.published import compare
    from vlmbench.runs import find_runs

    comparisons, mismatches = compare([run.read_record() for run in find_runs(options.runs)])
    if options.json:
        console.print_json(
            {
                "comparisons": [asdict(one) for one in comparisons],
                "mismatches": [asdict(one) for one in mismatches],
            }
        )
    else:
        console.print_published(comparisons, mismatches)
    return 0


def _report(options: argparse.Namespace) -> int:
    from vlmbench.report.html import build_report

    page = build_report(options.runs, options.out, samples_per_task=options.samples)
    print(f"The leaderboard: {page}")
    return 0


def _gate(options: argparse.Namespace) -> int:
    from vlmbench import console
    from vlmbench.errors import UsageError
    from vlmbench.gate import DEFAULT_MARGIN, check, save_baseline

    saving = options.runs[0] == "save"
    runs = [Path(run) for run in options.runs[1 if saving else 0 :]]
    if saving:
        if not runs or options.output is None:
            raise UsageError("'gate save' needs runs and a file; write 'gate save RUNS -o FILE'.")
        save_baseline(runs, options.output)
        print(f"Saved; compare with it: vlmbench gate RUNS --baseline {options.output}")
        return 0
    if options.baseline is None:
        raise UsageError("'gate' needs a baseline; write 'gate RUNS --baseline FILE'.")
    margin = DEFAULT_MARGIN if options.margin is None else options.margin
    report = check(runs, options.baseline, margin=margin, seed=options.seed)
    if options.json:
        console.print_json(report.as_json())
    else:
        console.print_gate(report)
    return report.exit_code


def _train(options: argparse.Namespace) -> int:
    from vlmbench.train.run import find_recipe, train

    checkpoint = train(
        find_recipe(options.recipe),
        out=options.out,
        resume=options.resume,
        overrides=options.set,
        quiet=options.quiet,
    )
    print(f"The checkpoint: {checkpoint}")
    print(f"Next: vlmbench run --model {checkpoint} --tasks ja-vqa")
    return 0


def _demo(options: argparse.Namespace) -> int:
    from vlmbench.demo import demo

    demo(out=options.out)
    return 0


def _show(options: argparse.Namespace) -> int:
    from vlmbench import catalogue

    return int(getattr(catalogue, options.show)(options))


def _models(options: argparse.Namespace) -> list[ModelSpec]:
    from vlmbench.model_options import given_options
    from vlmbench.models import resolve_model

    given = given_options(vars(options))
    return [
        resolve_model(
            name,
            dtype=options.dtype,
            device=options.device,
            seed=options.seed,
            options=given,
        )
        for name in _split(options.model)
    ]


def _refuse_contradictions(
    models: Sequence[ModelSpec], tasks: Sequence[TaskSpec], *, seed: int
) -> None:
    from vlmbench.errors import UsageError
    from vlmbench.hf_options import contradiction

    for task in tasks:
        for model in models:
            if problem := contradiction(model.options, task.generation_for(seed)):
                raise UsageError(f"In task '{task.name}', {problem}; leave one of them out.")


def _tasks(options: argparse.Namespace) -> list[TaskSpec]:
    from vlmbench.groups import expand_names
    from vlmbench.task import load_task

    names = expand_names(_split(options.tasks))
    return [load_task(name, data_dir=options.data_dir) for name in names]


def _split(values: Sequence[str]) -> list[str]:
    names = [name.strip() for value in values for name in value.split(",")]
    return list(dict.fromkeys(name for name in names if name))


def _positive(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 1 up")
    return value


def _positive_or_auto(text: str) -> int | None:
    return None if text == "auto" else _positive(text)


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 0 up")
    return int(text)


def _print_records(records: Sequence[RunRecord], runs: Sequence[RunDir], *, json: bool) -> None:
    from dataclasses import asdict

    from vlmbench import console
    from vlmbench.groups import group_scores

    places = {(one.model, one.task): run for one, run in zip(records, runs, strict=True)}
    groups = group_scores(records, lambda one: places[one.model, one.task].read_scores())
    if json:
        values = {"runs": [asdict(one) for one in records], "groups": [asdict(g) for g in groups]}
        console.print_json(values)
    else:
        console.print_records(records)
        console.print_groups(groups)


def _run_exit_code(records: Sequence[RunRecord], out: Path) -> int:
    """0 if every sample has an answer; 2 where an image is to blame, which no retry will cure."""
    errors = [(record, kind) for record in records for kind in record.coverage.errors]
    for record in records:
        if not record.coverage.complete:
            print(f"vlmbench: {_incomplete(record, out)}", file=sys.stderr)
    if any(kind == "image" for _, kind in errors):
        return 2
    return 0 if all(record.coverage.complete for record in records) else 3


def _incomplete(record: RunRecord, out: Path) -> str:
    from vlmbench.journal import read_journal
    from vlmbench.runs import RunDir

    coverage = record.coverage
    journal = RunDir.of(out, record.model, record.task).journal
    failed = [one for one in read_journal(journal).responses.values() if one.error is not None]
    first = failed[0].error.message.rstrip(".") if failed and failed[0].error else "no response"
    return (
        f"{record.model} has no answer to {coverage.total - coverage.answered} of "
        f"{coverage.total} samples of {record.task}, so its scores are incomplete (first reason: "
        f"{first}); correct that and run the same command, which asks only those again."
    )
