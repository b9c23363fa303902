"""`vlmbench run` and `vlmbench score`: models answer tasks, the answers are scored and printed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from vlmbench.cli.console import progress_bar
from vlmbench.cli.judge_model import (
    add_judge_options,
    judge_check,
    judge_exit_code,
    judge_runs,
    say_unjudged,
    with_judged,
)
from vlmbench.cli.model_options import add_model_options, executor_for, resolve_models
from vlmbench.cli.parser import Parser
from vlmbench.cli.results import print_results
from vlmbench.derive import load_metrics, score
from vlmbench.errors import UsageError
from vlmbench.evaluate import run
from vlmbench.executors.checked import CheckedExecutor
from vlmbench.judges.judging import judgeable
from vlmbench.models.hf_options import contradiction
from vlmbench.models.spec import ModelSpec
from vlmbench.records import RunRecord
from vlmbench.runs.directory import RunDir, find_runs
from vlmbench.runs.journal import read_journal
from vlmbench.scoring.extra import extra_metrics
from vlmbench.tasks.groups import expand_names
from vlmbench.tasks.registry import load_task
from vlmbench.tasks.spec import TaskSpec
from vlmbench.tasks.variants.choose import Wanted, choose_variants
from vlmbench.tasks.variants.variant import Variant


def configure_run(parser: Parser) -> None:
    """Add the options of `run`."""
    parser.runs(
        run_command,
        "vlmbench run --model tiny-ja --tasks ja-vqa",
        "vlmbench run --model hf:org/name@revision --tasks ja-vqa,ja-chart --limit 50",
        "vlmbench run --model ./checkpoints/mine --tasks my-task.yaml",
        "vlmbench run --model openai:NAME --base-url http://gpu7:8000/v1 --tasks ja-core",
    )
    parser.option(
        "--model NAMES",
        "alias ('vlmbench models list'), hf:org/name, checkpoint directory, baseline:KIND, "
        "openai:NAME or served:SERVER:MODEL; several with commas",
        required=True,
    )
    parser.option(
        "--tasks NAMES",
        "tasks, groups of tasks ('vlmbench tasks list') or task files; several with commas",
        required=True,
    )
    parser.option("--out DIR", "directory of runs; default: runs", default=Path("runs"))
    parser.option("--limit N", "run only N samples of each task")
    parser.option("--max-errors COUNT", "stop when more samples fail")
    parser.option("--fresh", "drop the answers that are in --out already")
    parser.share("data-dir", "seed", "json", "quiet")
    parser.option(
        "--image-order ORDER",
        "marked: images stand where question and options mark them; reference: all before the "
        "text, as in llm-jp-eval-mm; default: what the task says",
        choices=["marked", "reference"],
    )
    _add_execution(parser)
    _add_variants(parser)
    add_model_options(parser)
    add_judge_options(parser)


def _add_execution(parser: Parser) -> None:
    parser.section("execution")
    parser.option("--batch-size N|auto", "samples a batch; default: auto, as many as fit")
    parser.option("--replicas N|auto", "copies of the model; default: auto, one a GPU or CPU core")
    parser.option("--executor NAME", "local or ray; default: local", default="local")
    parser.option("--ray-address ADDRESS", "address of a running Ray cluster")
    parser.option("--no-cache", "generate answers that the cache holds already")


def _add_variants(parser: Parser) -> None:
    parser.section("diagnostics: also run variants of each task (docs/diagnostics.md)")
    parser.option(
        "--image-mode NAMES", "blind (no image), shuffled (another sample's) or noise, or several"
    )
    parser.option("--prompts COUNT", "so many paraphrases of the prompt; default: 0", default=0)
    parser.option(
        "--options rotate",
        "every rotation of the multiple-choice options",
        dest="option_order",
        choices=["rotate"],
    )


def configure_score(parser: Parser) -> None:
    """Add the options of `score`."""
    parser.runs(
        score_command, "vlmbench score runs", "vlmbench score runs --metrics overlap.rouge_l"
    )
    parser.share("runs", "json")
    parser.option(
        "--metrics NAMES", "in addition to the task's own ('vlmbench metrics list'), with commas"
    )
    parser.option("--option KEY=VALUE", "an option of those metrics ('vlmbench metrics show NAME')")


def score_command(options: argparse.Namespace) -> int:
    """Derive scores again from journals."""
    extra = extra_metrics(options.metrics, options.option)
    runs = find_runs(options.runs)
    print_results([score(one, extra=extra) for one in runs], runs, json=options.json)
    return 0


def run_command(options: argparse.Namespace) -> int:
    """Run models on tasks, score and print."""
    models = resolve_models(options.model, options)
    tasks = _tasks(options)
    for task in tasks:
        load_metrics(task)
    _refuse_contradictions(models, tasks, seed=options.seed)
    variants = _with_variants(options, tasks)
    directories = {
        RunDir.of(options.out, model.name, task.name, variant.label if variant else None): task
        for model in models
        for task, variant in variants
    }
    check = judge_check(options, directories)
    records = []
    for model in models:
        with executor_for(model, options) as plain:
            executor = CheckedExecutor(plain, check) if check else plain
            for task, variant in variants:
                label = f"{model.name} · {task.name}" + (f"@{variant.label}" if variant else "")
                with progress_bar(label, quiet=options.quiet) as progress:
                    record = run(
                        model,
                        task,
                        executor=executor,
                        out=options.out,
                        limit=options.limit,
                        seed=options.seed,
                        fresh=options.fresh,
                        max_errors=options.max_errors,
                        variant=variant,
                        progress=progress,
                    )
                records.append(record)
    runs = [RunDir.of(options.out, one.model, one.task, one.variant) for one in records]
    judged = judge_runs(judgeable(runs), options) if options.judge else []
    records = with_judged(records, judged)
    print_results(records, runs, json=options.json)
    if not options.json:
        say_unjudged(records)
        print(f"Results: {options.out}/<model>/<task>/run.json, scores.jsonl and journal.jsonl")
        print(f"Next: vlmbench report {options.out}")
    judge_code = judge_exit_code(judged)
    return _exit_code(records, options.out) or judge_code


def _tasks(options: argparse.Namespace) -> list[TaskSpec]:
    names = expand_names(options.tasks)
    tasks = [load_task(name, data_dir=options.data_dir) for name in names]
    order = options.image_order
    return [task.with_image_order(order) for task in tasks] if order else tasks


def _refuse_contradictions(
    models: Sequence[ModelSpec], tasks: Sequence[TaskSpec], *, seed: int
) -> None:
    for task in tasks:
        for model in models:
            if problem := contradiction(model.options, task.generation_for(seed)):
                raise UsageError(f"In task '{task.name}', {problem}; leave one of them out.")


def _with_variants(
    options: argparse.Namespace, tasks: Sequence[TaskSpec]
) -> list[tuple[TaskSpec, Variant | None]]:
    """Each task as it is, followed by its variants that the options name."""
    wanted = Wanted(
        image_modes=tuple(options.image_mode),
        prompts=options.prompts,
        rotate=options.option_order == "rotate",
        seed=options.seed,
    )
    choices = [(task, choose_variants(task, wanted)) for task in tasks]
    problems = [problem for _, choice in choices for problem in choice.problems]
    if problems and not any(choice.variants for _, choice in choices):
        raise UsageError(problems[0])
    for problem in problems:
        print(f"vlmbench: {problem}", file=sys.stderr)
    return [(task, one) for task, choice in choices for one in (None, *choice.variants)]


def _exit_code(records: Sequence[RunRecord], out: Path) -> int:
    """0 if every sample has an answer; 2 where an image is to blame, which no retry will cure."""
    incomplete = [one for one in records if not one.coverage.complete]
    for record in incomplete:
        print(f"vlmbench: {_incomplete(record, out)}", file=sys.stderr)
    if any("image" in record.coverage.errors for record in records):
        return 2
    return 3 if incomplete else 0


def _incomplete(record: RunRecord, out: Path) -> str:
    coverage = record.coverage
    journal = RunDir.of(out, record.model, record.task, record.variant).journal
    errors = [one.error for one in read_journal(journal).responses.values() if one.error]
    first = errors[0].message.rstrip(".") if errors else "no response"
    return (
        f"{record.model} has no answer to {coverage.total - coverage.answered} of "
        f"{coverage.total} samples of {record.title}, so its scores are incomplete (first reason: "
        f"{first}); correct that and run the same command, which retries only those."
    )
