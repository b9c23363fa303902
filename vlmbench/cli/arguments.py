"""What can be typed after `vlmbench`: commands, options and their help."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from vlmbench import __version__
from vlmbench.cli.judge_arguments import add_judge, add_judge_options
from vlmbench.errors import near_names

EXIT_CODES = """\
exit codes:
  0  fine
  1  regression (gate)
  2  a mistake in usage, configuration or data, or an image that cannot be read
  3  incomplete (run) or inconclusive (gate)
"""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, without the usage in front of it."""

    mixes = False
    """Whether options may stand between the command's other arguments."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """See argparse, which calls this for each command."""
        if not self.mixes:
            found, others = super().parse_known_args(args, namespace)
            self._refuse_options(others)
            return found, others
        self.mixes = False  # what follows calls this method again
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self.mixes = True

    def _refuse_options(self, others: Sequence[str]) -> None:
        """Here, where the names that were meant are known, and not in front of the command."""
        for wrong in (one for one in others if one.startswith("--")):
            name = wrong.partition("=")[0]
            near = near_names(name, self._option_string_actions)
            meant = f" (did you mean {' or '.join(near)}?)" if near else ""
            self.error(f"there is no option {name}{meant}")

    def error(self, message: str) -> NoReturn:
        print(f"vlmbench: {message.rstrip('.')}; see '{self.prog} --help'.", file=sys.stderr)
        raise SystemExit(2)


def parser() -> argparse.ArgumentParser:
    """The parser; its result names in `command` the module and function to call."""
    top = _Parser(
        prog="vlmbench",
        description="Evaluate, train and compare vision-language models for Japanese.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"vlmbench {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands)
    _add_after_run(commands)
    add_judge(commands, _positive)
    _add_compare(commands)
    _add_gate(commands)
    _add_train(commands)
    _add_catalogs(commands)
    return top


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
    run.add_argument(
        "--image-order",
        choices=["marked", "reference"],
        help="marked: where question and options mark images; reference: all before the text, as "
        "llm-jp-eval-mm asks; default: what the task says",
    )
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
    _add_diagnostics(run)
    _add_model_options(run)
    add_judge_options(run)
    run.add_argument("--seed", type=int, default=0)
    run.add_argument("--fresh", action="store_true", help="drop the answers of earlier calls")
    run.add_argument("--json", action="store_true", help="print the run records as JSON")
    run.add_argument("--quiet", action="store_true", help="no progress bar")
    run.set_defaults(command="commands.run")


def _add_data_dir(parser: Any) -> None:
    parser.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help="where data sets of the Hub lie as <task>.parquet, <task>/*.parquet or <task>.jsonl",
    )


def _add_diagnostics(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "diagnostics: also ask otherwise, and say what that changes (docs/diagnostics.md)"
    )
    group.add_argument(
        "--image-mode",
        action="append",
        default=[],
        metavar="MODE",
        help="blind (no image), shuffled (another sample's) or noise; several with commas",
    )
    group.add_argument(
        "--prompts", type=_natural, default=0, metavar="K", help="K paraphrases of the prompt"
    )
    group.add_argument(
        "--options",
        dest="option_order",
        choices=["rotate"],
        help="rotate: every order of multiple-choice options that rotating gives",
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
    score.set_defaults(command="commands.score")
    report = commands.add_parser("report", help="build the HTML leaderboard")
    report.add_argument("runs", nargs="+", type=Path, metavar="RUNS")
    report.add_argument("--out", type=Path, default=Path("report"), help="default: report")
    report.add_argument(
        "--samples", type=_positive, metavar="N", help="show only N samples a task, evenly chosen"
    )
    report.set_defaults(command="commands.report")


def _add_compare(commands: Any) -> None:
    compare = commands.add_parser("compare", help="put runs beside published scores")
    compare.add_argument("runs", nargs="+", type=Path, metavar="RUNS")
    compare.add_argument(
        "--published", action="store_true", required=True, help="scores that others published"
    )
    compare.add_argument("--json", action="store_true")
    compare.set_defaults(command="commands.compare")


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
    gate.set_defaults(command="commands.gate")


def _add_train(commands: Any) -> None:
    train = commands.add_parser("train", help="train a model by a recipe")
    train.add_argument("recipe", metavar="CONFIG", help="a YAML file, or a recipe that ships")
    train.add_argument("--out", type=Path, help="checkpoint directory")
    train.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    train.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="replace a recipe's value"
    )
    train.add_argument("--quiet", action="store_true", help="no progress bar")
    train.set_defaults(command="commands.train")
    demo = commands.add_parser("demo", help="the whole loop on the embedded tasks, offline")
    demo.add_argument("--out", type=Path, default=Path("demo"), help="default: demo")
    demo.set_defaults(command="commands.demo")
    doctor = commands.add_parser("doctor", help="what this machine can run")
    doctor.add_argument("--json", action="store_true")
    doctor.set_defaults(command="catalog.doctor")


def _add_catalogs(commands: Any) -> None:
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
            if verb == "prepare":
                action.add_argument(
                    "--download", action="store_true", help="keep the rows of the Hub in DIR"
                )
            action.add_argument("--json", action="store_true")
            if (noun, verb) == ("models", "show"):
                _add_model_options(action)
            action.set_defaults(command=f"catalog.{noun}_{verb}")
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
    score.set_defaults(command="catalog.metrics_score")


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
