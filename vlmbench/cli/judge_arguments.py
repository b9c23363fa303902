"""What can be typed about judges: `vlmbench judge`, and `--judge` of `vlmbench run`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

USAGE = """vlmbench judge RUNS... --judge MODEL [--metrics NAME] [--samples K]
       vlmbench judge pairwise RUN RUN --judge MODEL
       vlmbench judge agreement FILE FILE [--metric NAME] [--level LEVEL]"""


def add_judge_options(parser: argparse.ArgumentParser, *, images: str = "--judge-images") -> None:
    """`--judge` and how that model is asked.

    Args:
        parser: Of the command.
        images: What the option is called that lets the judge see images.
    """
    group = parser.add_argument_group("who judges, and how it is asked")
    group.add_argument(
        "--judge",
        metavar="MODEL",
        help="any model as --model names it, such as openai:NAME; it grades the answers",
    )
    group.add_argument(
        "--judge-name",
        metavar="NAME",
        help="what it is called in results, to keep one judge with two settings apart",
    )
    group.add_argument("--judge-base-url", metavar="URL", help="where openai:NAME is")
    group.add_argument(
        "--judge-api-key-env", metavar="VARIABLE", help="environment variable with its key"
    )
    group.add_argument(
        "--judge-option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any other option of the judge, in YAML (docs/servers.md lists them)",
    )
    group.add_argument(
        "--judge-text-form",
        action="store_true",
        help="say the form of the reply in the prompt only, for servers that refuse a schema",
    )
    group.add_argument(
        images,
        dest="judge_images",
        action="store_true",
        help="show the judge the question's images too",
    )


def add_judge(commands: Any, positive: Callable[[str], int]) -> None:
    """The command `judge`.

    Args:
        commands: Where to add it.
        positive: Reads a whole number from 1 up.
    """
    judge = commands.add_parser(
        "judge", help="let a model grade the answers of runs, or compare judges", usage=USAGE
    )
    judge.mixes = True  # options may also stand behind 'pairwise'
    judge.add_argument(
        "runs",
        nargs="+",
        metavar="RUNS",
        help="run directories; 'pairwise' and two runs, or 'agreement' and two files",
    )
    add_judge_options(judge, images="--images")
    judge.add_argument(
        "--metrics",
        action="append",
        default=[],
        metavar="NAME",
        help="default: those of the task; judge.rubric, judge.correct, compat_heron.relative ...",
    )
    judge.add_argument(
        "--samples", type=positive, default=1, metavar="K", help="replies to each prompt"
    )
    judge.add_argument(
        "--temperature", type=_temperature, help="default: 0, and 0.7 with several samples"
    )
    judge.add_argument(
        "--judge-tokens", type=positive, default=1024, metavar="N", help="default: 1024"
    )
    judge.add_argument(
        "--verbosity", action="store_true", help="also how far grades go with an answer's length"
    )
    judge.add_argument("--metric", metavar="NAME", help="agreement: which metric of a journal")
    judge.add_argument(
        "--level",
        choices=("nominal", "ordinal", "interval"),
        help="agreement: what labels mean; default: ordinal if all are numbers, else nominal",
    )
    judge.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="pairwise, agreement: where the result is written; default: in the (first) run",
    )
    judge.add_argument("--fresh", action="store_true", help="drop the judge's earlier replies")
    judge.add_argument(
        "--batch-size", type=positive, metavar="N", help="of a judge on this machine"
    )
    judge.add_argument("--no-cache", action="store_true", help="ask anew what was asked before")
    judge.add_argument("--seed", type=int, default=0, help="of the bootstrap")
    judge.add_argument("--json", action="store_true")
    judge.add_argument("--quiet", action="store_true", help="no progress bar")
    judge.set_defaults(
        command="judge_commands.judge",
        executor="local",
        ray_address=None,
        replicas=1,
        out=Path("runs"),
    )


def _temperature(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 2:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 0 to 2")
    return value
