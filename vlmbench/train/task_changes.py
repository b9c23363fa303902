"""How tasks changed under training: one check beside the first, on the same samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vlmbench.compare.paired_runs import (
    Scored,
    headline_metrics,
    metric_difference,
    pair,
    read_scored,
)
from vlmbench.errors import UsageError
from vlmbench.runs.directory import find_runs


@dataclass(frozen=True, slots=True)
class TaskChange:
    """A headline metric less its value before the first update, with the paired 95 % interval."""

    difference: float
    low: float
    high: float
    n: int
    """Samples that both scored."""


def task_changes(first: Path, now: Path) -> Mapping[str, TaskChange]:
    """The change of each task's headline metric between two checks; its first one, of several.

    Args:
        first: The directory of the check before the first update.
        now: That of a later check.
    """
    before, after = _by_task(first), _by_task(now)
    changes = {}
    for task in sorted(before.keys() & after.keys()):
        name, metric = next(iter(headline_metrics(before[task].record).items()))
        paired = pair([before[task], after[task]], name, metric)
        if paired.ids:
            old, new = paired.vectors
            found = metric_difference(metric, new, old, paired.clusters)
            changes[task] = TaskChange(found.difference, found.low, found.high, found.n)
    return changes


def _by_task(folder: Path) -> dict[str, Scored]:
    try:
        directories = find_runs([folder])
    except UsageError:  # a training whose recipe evaluates no task
        return {}
    found = [read_scored(directory) for directory in directories]
    return {one.record.task: one for one in found}
