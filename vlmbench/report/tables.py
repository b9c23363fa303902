"""The leaderboard: models by tasks, in the order of one overall score."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vlmbench.report.columns import MetricColumn, task_columns
from vlmbench.report.entries import Entry, Run, TaskRuns, model_entries, task_runs


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """Models by the headline metrics of their tasks."""

    tasks: tuple[TaskRuns, ...]
    columns: tuple[MetricColumn, ...]
    models: tuple[Entry, ...]
    """Those with an overall score first, best first; then the others by name."""
    baselines: tuple[Entry, ...]
    overall: Overall

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Models first, then baselines."""
        return (*self.models, *self.baselines)

    def of_task(self, task: str) -> list[Entry]:
        """The entries that ran a task."""
        return [entry for entry in self.entries if task in entry.runs]


@dataclass(frozen=True, slots=True)
class Overall:
    """One score over the tasks that most models have completed."""

    tasks: tuple[str, ...]
    """Names; empty if there are none that most share."""
    scores: Mapping[str, float]
    """By the entry's name: plain mean over the tasks of the chance-corrected headline values.
    Entries that lack one of the tasks have none."""


def build_leaderboard(runs: Sequence[Run]) -> Leaderboard:
    """Arrange runs as models by tasks."""
    names = sorted({run.record.task for run in runs})
    tasks = [task_runs(name, [run for run in runs if run.record.task == name]) for name in names]
    columns = [column for task in tasks for column in task_columns(task) if column.headline]
    entries = model_entries(runs)
    models = [entry for entry in entries if not entry.baseline]
    overall = overall_scores(entries, columns)

    def order(entry: Entry) -> tuple[float, list[float], str]:
        """Without an overall score the columns decide, the first one first."""
        values = [column.rankable(entry) for column in columns]
        worse = [
            math.inf if value is None else value if column.lower_is_better else -value
            for column, value in zip(columns, values, strict=True)
        ]
        return -overall.scores.get(entry.name, -math.inf), worse, entry.name

    ordered = sorted(entries, key=order)
    return Leaderboard(
        tuple(tasks),
        tuple(columns),
        tuple(entry for entry in ordered if entry in models),
        tuple(entry for entry in ordered if entry not in models),
        overall,
    )


def overall_scores(entries: Sequence[Entry], columns: Sequence[MetricColumn]) -> Overall:
    """The overall score of the entries that completed what most models completed.

    The tasks are those that more than half of the models that completed any task in a way that
    compares have completed so; while
    fewer than half of the models have all of these, the one that most of them lack is left out.
    So neither an extra task nor a missing one decides who is first.
    """
    done = {entry.name: task_values(entry, columns) for entry in entries}
    models = [entry.name for entry in entries if not entry.baseline and done[entry.name]]
    models = models or [name for name in done if done[name]]
    tasks = list(dict.fromkeys(one.task.name for one in columns))

    def having(task: str) -> int:
        return sum(task in done[name] for name in models)

    shared = [task for task in tasks if 2 * having(task) > len(models)]
    while shared and 2 * sum(done[name].keys() >= {*shared} for name in models) < len(models):
        shared.remove(min(shared, key=having))
    if not shared:
        return Overall((), {})
    scores = {
        name: sum(values[task] for task in shared) / len(shared)
        for name, values in done.items()
        if values.keys() >= {*shared}
    }
    return Overall(tuple(shared), scores)


def task_values(entry: Entry, columns: Sequence[MetricColumn]) -> dict[str, float]:
    """An entry's chance-corrected value of each task that it completed in a way that compares."""
    found: dict[str, list[tuple[float, int] | None]] = {}
    for column in columns:
        value, estimate = column.rankable(entry), column.estimate(entry)
        corrected = None if value is None else column.corrected(value)
        known = None if corrected is None or estimate is None else (corrected, estimate.n)
        found.setdefault(column.task.name, []).append(known)
    values = {}
    for task, parts in found.items():
        scored = [part for part in parts if part is not None]
        if len(scored) == len(parts):
            values[task] = sum(value * n for value, n in scored) / sum(n for _, n in scored)
    return values
