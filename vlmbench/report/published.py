"""Published scores beside ours, for a task's page."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from vlmbench.compare.published import Comparison, Mismatch, compare
from vlmbench.report.tables import Entry, TaskRuns


@dataclass(frozen=True, slots=True)
class Incomparable:
    """Published numbers that do not compare; the subsets of one source in one row."""

    harness: str
    name: str
    kind: str
    """What differs, see `Mismatch`."""
    details: str
    """Which judge or subsets."""
    models: int
    source: str
    link: str


@dataclass(frozen=True, slots=True)
class PublishedComparison:
    """What others published of a task: beside ours where it compares, and what does not and why."""

    comparisons: tuple[Comparison, ...]
    mismatches: tuple[Incomparable, ...]
    baselines: frozenset[str]
    """Names of our rows that are baselines."""

    def __bool__(self) -> bool:
        return bool(self.comparisons or self.mismatches)


def beside(task: TaskRuns, entries: Sequence[Entry]) -> PublishedComparison:
    """Our comparable runs of a task beside published scores.

    Args:
        task: The runs; one that differs from the majority is left out here as in rankings.
        entries: The rows that ran the task, whose names stand for the runs.
    """
    ran = [one for one in entries if task.name in one.runs]
    records = [
        dataclasses.replace(entry.runs[task.name].record, model=entry.name)
        for entry in ran
        if task.mismatch(entry.runs[task.name]) is None
    ]
    comparisons, mismatches = compare(records)
    baselines = frozenset(entry.name for entry in ran if entry.baseline)
    return PublishedComparison(tuple(comparisons), _joined(mismatches), baselines)


def _joined(mismatches: Sequence[Mismatch]) -> tuple[Incomparable, ...]:
    groups: dict[tuple[str, str, str, str, str], list[Mismatch]] = {}
    for one in mismatches:
        key = (one.harness, one.name, one.kind, one.source, one.link)
        groups.setdefault(key, []).append(one)
    return tuple(
        Incomparable(
            *(harness, name, kind),
            details=", ".join(dict.fromkeys(one.detail for one in members if one.detail)),
            models=max(one.models for one in members),
            source=source,
            link=link,
        )
        for (harness, name, kind, source, link), members in groups.items()
    )
