"""Checkpoints that vlmbench trained beside the models that they came from.

The paired difference is that of `vlmbench compare`, on the samples that both scored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from vlmbench.compare.pairs import compare_runs
from vlmbench.report.tables import Entry, Run


class ParentDifference(NamedTuple):
    """A checkpoint on a task by a headline metric, minus its parent."""

    model: str
    parent: str
    task: str
    title: str
    """Of the task."""
    metric: str
    part: str
    """`all`, or `clean`: the samples that neither was trained on."""
    value: float
    parent_value: float
    difference: float
    low: float
    high: float
    n: int


def parent_differences(entries: Sequence[Entry]) -> list[ParentDifference]:
    """Each model of the leaderboard that was trained from another one of it, on every task."""
    return [
        found
        for entry in entries
        for task, run in entry.runs.items()
        if (parent := _parent(run, entries, task)) is not None
        for found in _differences(run, entry.name, parent[0], parent[1])
    ]


def _parent(run: Run, entries: Sequence[Entry], task: str) -> tuple[Run, str] | None:
    """The run of the model that this one was trained from, and that model's name."""
    overlap = run.record.overlap
    if overlap is None or overlap.parent is None:
        return None
    for entry in entries:
        other = entry.runs.get(task)
        if other is not None and other != run and _is_at(other, overlap.parent):
            return other, entry.name
    return None


def _is_at(run: Run, location: str) -> bool:
    """Whether a run is of the model at this place, without an adapter."""
    spec = run.record.model_spec
    same = Path(str(spec.get("location"))).resolve() == Path(location).resolve()
    return same and not (spec.get("options") or {}).get("adapter")


def _differences(run: Run, name: str, parent: Run, parent_name: str) -> Iterator[ParentDifference]:
    found = compare_runs([parent.directory.path, run.directory.path])
    title = str(run.record.task_spec.get("title", run.record.task))
    for row in found[found["problem"].isna() & (found["n"] > 0)].itertuples():
        yield ParentDifference(
            name,
            parent_name,
            run.record.task,
            title,
            row.metric,
            row.part,
            row.value_b,
            row.value_a,
            row.difference,
            row.low,
            row.high,
            int(row.n),
        )
