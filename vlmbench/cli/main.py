"""The command line: parse, call one function, return an exit code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from vlmbench import __version__
from vlmbench.cli.parser import Parser
from vlmbench.environment import set_thread_env
from vlmbench.errors import VlmbenchError

COMMANDS = {
    "run": ("run", "run models on tasks and score their answers"),
    "score": ("run", "compute the scores of runs again, without a model"),
    "report": ("compare", "build an HTML leaderboard of runs"),
    "compare": ("compare", "compare runs with published scores"),
    "gate": ("compare", "compare runs with a saved baseline, for CI"),
    "judge": ("judge", "let a model grade answers, and see how far it can be trusted"),
    "train": ("train", "train a model by a recipe, list recipes"),
    "tasks": ("catalog", "list, show, check and prepare tasks"),
    "models": ("catalog", "list and show models"),
    "metrics": ("catalog", "list and show metrics, score a file of predictions"),
    "doctor": ("doctor", "show what this machine can run, and what is missing"),
    "demo": ("demo", "run, train, gate and report on the embedded tasks, offline"),
}
"""Name -> module here, imported when the command is typed, and one line of help."""

EPILOG = """\
'vlmbench COMMAND --help' shows a command's options and examples.

exit codes:
  0  fine
  1  regression (gate check)
  2  a mistake in usage, configuration or data, or an image that cannot be read
  3  incomplete: samples have no answer (run, judge, gate)
  4  undecided: too few samples to tell (gate check)
"""


def make_parser() -> Parser:
    """The parser; `command` of what it returns carries out what was typed."""
    parser = Parser(
        prog="vlmbench",
        description="Evaluate, train and compare vision-language models for Japanese.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"vlmbench {__version__}")
    for name, (module, summary) in COMMANDS.items():
        parser.command(name, summary).source = f"vlmbench.cli.{module}.configure_{name}"
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    set_thread_env()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a captured stream may not have it
            stream.reconfigure(errors="backslashreplace")
    try:
        options = make_parser().parse_args(arguments)
        return int(options.command(options))
    except VlmbenchError as error:
        print(f"vlmbench: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # The reader of our output is gone, as in `vlmbench tasks list | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("vlmbench: Stopped; the same command continues from here.", file=sys.stderr)
        return 130
