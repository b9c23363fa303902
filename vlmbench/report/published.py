"""Published scores beside ours, for a task's page and for the leaderboard."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pandas as pd

from vlmbench.compare.published import ComparisonRow, ComparisonTable, compare_published
from vlmbench.report.entries import Entry, TaskRuns
from vlmbench.report.tables import Leaderboard


def published_scores(
    task: TaskRuns, entries: Sequence[Entry]
) -> tuple[list[ComparisonTable], pd.DataFrame]:
    """What others published of a task: beside ours where it compares, and what does not.

    Returns:
        The comparisons, in which entries' names stand for their runs; a run that differs from the
        majority is left out, as in rankings. And what does not compare, the subsets of a source
        in one row: `harness`, `name` (of the metric), `kind` (what differs, see `Mismatch`),
        `detail` (which judge or subsets), `models` (how many), `source` and its `link`.
    """
    records = [
        dataclasses.replace(entry.runs[task.name].record, model=entry.name)
        for entry in entries
        if task.mismatch(entry.runs[task.name]) is None
    ]
    comparisons, mismatches = compare_published(records)
    columns = ["harness", "name", "kind", "source", "link"]
    frame = pd.DataFrame(mismatches, columns=[*columns, "detail", "models"])
    subsets = frame.groupby(columns, sort=False, as_index=False)
    return comparisons, subsets.agg({"detail": _joined, "models": "max"})


def cited_scores(board: Leaderboard) -> dict[str, dict[tuple[str, str], ComparisonRow]]:
    """Published scores that compare with a column of the leaderboard.

    Returns:
        By the model as its source calls it, then by task and metric; the first source counts.
    """
    found: dict[str, dict[tuple[str, str], ComparisonRow]] = {}
    columns = {(column.task.name, column.metric) for column in board.columns}
    records = [task.reference.record for task in board.tasks]
    for comparison in compare_published(records)[0]:
        place = (comparison.task, comparison.metric)
        for row in comparison.rows if place in columns else ():
            if not row.ours:
                found.setdefault(row.model, {}).setdefault(place, row)
    return dict(sorted(found.items()))


def _joined(details: pd.Series) -> str:
    return ", ".join(one for one in details.unique() if one)
