"""The command line: parse, call one function, return an exit code."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

from vlmbench.cli.language import error_text, use_catalogs
from vlmbench.cli.options import make_parser
from vlmbench.environment import set_thread_env
from vlmbench.errors import VlmbenchError
from vlmbench.text.visible import visible

BUG = 70
"""Exit code of a fault of our own (EX_SOFTWARE of sysexits.h); 1 means a regression."""


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
        code = int(getattr(import_module(f"vlmbench.cli.{module}"), function)(options))
        sys.stdout.flush()
        return code
    except VlmbenchError as error:
        print(f"vlmbench: {visible(error_text(str(error)))}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # The reader of our output is gone, as in `vlmbench tasks list | head`.
        _drop_output()
        return 0
    except KeyboardInterrupt:
        stopped = error_text("Stopped; the same command continues from here.")
        print(f"vlmbench: {stopped}", file=sys.stderr)
        return 130
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC and error.filename is None:
            _drop_output()
            print("vlmbench: The output cannot be written (disk full); make room.", file=sys.stderr)
            return VlmbenchError.exit_code
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
            print("vlmbench: A name is too long for a file; give a shorter one.", file=sys.stderr)
            return VlmbenchError.exit_code
        traceback.print_exc()
        print(
            "vlmbench: This is a bug of vlmbench, not yours; please report it with the lines "
            "above. Answers in journals stay.",
            file=sys.stderr,
        )
        return BUG


def _drop_output() -> None:
    """What is still to be written to stdout goes nowhere, so that Python's own end is quiet."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
