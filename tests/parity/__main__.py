"""PYTHONPATH=tests python -m parity --gold FOLDER: prints the parity table as Markdown.

Exit code 0 if every form named after a harness agrees on every item and aggregate, 1 if one does
not, 2 for a folder without gold files.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from parity.report import markdown, parity_rows
from vlmbench.errors import VlmbenchError


def main() -> int:
    """Prints the table and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m parity", description=__doc__)
    parser.add_argument("--gold", type=Path, required=True, help="folder with the gold files")
    try:
        rows = parity_rows(parser.parse_args().gold)
    except VlmbenchError as problem:
        print(problem, file=sys.stderr)
        return problem.exit_code
    print(markdown(rows), end="")
    return int(any(row.exceptions for row in rows if row.metric.startswith("compat_")))


if __name__ == "__main__":
    sys.exit(main())
