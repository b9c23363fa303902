"""`vlmbench compare --published`: runs beside scores that others published."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from vlmbench.cli.console import interval, number, print_json, print_table
from vlmbench.compare.published import (
    ComparisonRow,
    ComparisonTable,
    Mismatch,
    compare_published,
)
from vlmbench.errors import UsageError, unknown_name
from vlmbench.runs.directory import find_runs
from vlmbench.tasks.groups import expand_names

NEIGHBORS = 2
"""Published scores that are shown above and below one of ours, beside the best one."""


def compare_with_published(options: argparse.Namespace) -> int:
    """Print, or give as JSON, what compares and what does not."""
    records = [run.read_record() for run in find_runs(options.runs)]
    if options.tasks:
        wanted = set(expand_names(options.tasks))
        there = sorted({one.task for one in records})
        if not wanted & set(there):
            raise UsageError(
                unknown_name(
                    "task of these runs",
                    ", ".join(options.tasks),
                    there,
                    next_step=f"they are of {', '.join(there)}",
                )
            )
        records = [one for one in records if one.task in wanted]
    comparisons, mismatches = compare_published([one for one in records if one.variant is None])
    if options.json:
        values = {
            "comparisons": [asdict(one) for one in comparisons],
            "mismatches": [asdict(one) for one in mismatches],
        }
        print_json(values)
        return 0
    for one in comparisons:
        _print_comparison(one, everything=options.all)
    _print_mismatches(mismatches, everything=options.all)
    if not comparisons and not mismatches:
        print("No published scores of these tasks ship with vlmbench.")
    return 0


def _print_comparison(table: ComparisonTable, *, everything: bool) -> None:
    places = range(len(table.rows)) if everything else _near_ours(table.rows)
    rows = [
        [
            ("> " if table.rows[place].ours else "") + str(place + 1),
            table.rows[place].model,
            number(table.rows[place].value),
            _interval(table.rows[place]),
            table.rows[place].source,
        ]
        for place in places
    ]
    title = f"{table.task}: {table.metric} ({table.harness} {table.name}), {len(table.rows)} scores"
    print_table((">", "model", ">value", ">95 % interval", "?source"), rows, title=title)
    for caveat in table.caveats:
        print(f"Note: {caveat.text}.")


def _interval(row: ComparisonRow) -> str:
    return interval(row.low, row.high) if row.ours else ""


def _near_ours(rows: Sequence[ComparisonRow]) -> list[int]:
    """Places of our scores, of those next to them, and of the best one."""
    ours = [place for place, row in enumerate(rows) if row.ours]
    near = {n for place in ours for n in range(place - NEIGHBORS, place + NEIGHBORS + 1)}
    return sorted({0} | {n for n in near if 0 <= n < len(rows)})


def _print_mismatches(mismatches: Sequence[Mismatch], *, everything: bool) -> None:
    if everything:
        rows = [
            [one.task, one.harness, one.name, str(one.models), one.reason, one.source]
            for one in mismatches
        ]
        headings = ("task", "harness", "metric", ">models", "what differs", "?source")
        print_table(headings, rows, title="Published, but not comparable")
    elif mismatches:
        tasks = Counter(one.task for one in mismatches)
        counts = ", ".join(f"{count} of {task}" for task, count in tasks.items())
        print(f"Published, but not comparable: {counts}; '--all' says what differs.")
