"""`vlmbench export`: the results of runs as a text for other programs."""

from __future__ import annotations

import argparse
import sys

from vlmbench.errors import UsageError
from vlmbench.runs.directory import find_runs
from vlmbench.scoring.export import export, left_out
from vlmbench.text.visible import visible


def export_command(options: argparse.Namespace) -> int:
    """Print the results, or write them to a file; 3 if incomplete runs were left out."""
    records = [run.read_record() for run in find_runs(options.runs)]
    text = export(records, options.format)
    if options.output is None:
        print(text, end="")
    else:
        try:
            options.output.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{options.output} cannot be written ({error.strerror}).") from error
    missing = left_out(records, options.format)
    for record in missing:
        print(
            f"vlmbench: {visible(record.model)} on {record.task} is left out, as "
            f"{record.coverage.total - record.coverage.answered} of {record.coverage.total} "
            "samples have no answer; run the same 'vlmbench run' again.",
            file=sys.stderr,
        )
    return 3 if missing else 0
