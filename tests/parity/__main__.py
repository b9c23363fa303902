"""PYTHONPATH=tests python -m parity --gold FOLDER: prints the parity table as Markdown.

Exit code 0 if every form named after a harness agrees on every item and aggregate, 1 if one does
not, 2 for a folder without gold files or whose files have no texts, so that nothing is counted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from parity.checks import ParityRow
from parity.report import markdown, parity_rows
from vlmbench.errors import DataError, VlmbenchError


def main() -> int:
    """Prints the table and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m parity", description=__doc__)
    parser.add_argument("--gold", type=Path, required=True, help="folder with the gold files")
    try:
        rows = parity_rows(parser.parse_args().gold)
    except VlmbenchError as problem:
        print(problem, file=sys.stderr)
        return problem.exit_code
    if not any(row.items or row.aggregates for row in rows):
        return _nothing_counted(rows)
    print(markdown(rows), end="")
    return int(any(row.exceptions for row in rows if row.metric.startswith("compat_")))


def _nothing_counted(rows: Sequence[ParityRow]) -> int:
    reasons = (row.missing for row in rows if row.metric and row.missing)
    problem = next(reasons, "the gold files have none of the runs that are looked for.")
    print(f"No value could be compared: {problem}", file=sys.stderr)
    return DataError(problem).exit_code


if __name__ == "__main__":
    sys.exit(main())
