"""The command line: parse, call one function, return an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from vlmbench.cli.language import error_text, use_catalogs
from vlmbench.cli.options import make_parser
from vlmbench.environment import set_thread_env
from vlmbench.errors import VlmbenchError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    set_thread_env()
    use_catalogs()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a captured stream may not have it
            stream.reconfigure(errors="backslashreplace")
    try:
        options = make_parser().parse_args(arguments)
        module, _, function = options.function.partition(".")
        return int(getattr(import_module(f"vlmbench.cli.{module}"), function)(options))
    except VlmbenchError as error:
        print(f"vlmbench: {error_text(str(error))}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # The reader of our output is gone, as in `vlmbench tasks list | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        stopped = error_text("Stopped; the same command continues from here.")
        print(f"vlmbench: {stopped}", file=sys.stderr)
        return 130
