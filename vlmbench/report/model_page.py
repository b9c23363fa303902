"""What a model's page shows: each task against the field, its parent, its series, its costs."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from vlmbench.records import Estimate, RunRecord
from vlmbench.report.axes import Axis, axis_of
from vlmbench.report.columns import MetricColumn
from vlmbench.report.entries import Entry, TaskRuns
from vlmbench.report.field import Differences, SliceKey
from vlmbench.report.naming import japanese_names
from vlmbench.report.ranking import ranks_of
from vlmbench.report.rendering import Words
from vlmbench.report.tables import Leaderboard
from vlmbench.report.task_unit import TaskUnit
from vlmbench.scoring.aggregate import DIAGNOSTICS

ENOUGH = 30
"""Samples that a slice needs to count as a strength or a weakness."""

MOST = 6
"""Strengths, and weaknesses, that are shown."""


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One headline metric of one task."""

    column: MetricColumn
    estimate: Estimate
    rank: int | None
    """None where it is not ranked."""
    models: int
    """Models that are ranked in the column."""
    median: float | None
    """Of these models."""
    gains: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class SliceRow:
    """A slice on which a model stands out."""

    task: TaskRuns
    part: SliceKey
    names: Mapping[str, str]
    """Japanese names of the slice field and its value."""
    n: int
    value: float
    median: float
    """Of the other models."""
    ahead: float
    """How much better than the median, whichever direction is better."""


@dataclass(frozen=True, slots=True)
class PairRow:
    """The model against its parent in one column."""

    task: TaskRuns
    metric: str
    lower_is_better: bool
    value: float
    other: float
    low: float | None
    high: float | None
    won: int
    lost: int

    @property
    def difference(self) -> float:
        """Its value minus the parent's."""
        return self.value - self.other


@dataclass(frozen=True, slots=True)
class ModelView:
    """All that the page shows beside the facts."""

    tasks: tuple[TaskRow, ...]
    strengths: tuple[SliceRow, ...]
    weaknesses: tuple[SliceRow, ...]
    parent: tuple[PairRow, ...]
    parent_axis: Axis
    series: tuple[Entry, ...]
    """Checkpoints of its training by their steps, if there are several."""
    answers: Mapping[str, Mapping[str, Estimate]]
    """Characteristics of its answers by metric, then by task."""
    records: Mapping[str, RunRecord]
    """By task."""


class Standings:
    """What all models' pages compare with, computed once for each column and slice."""

    def __init__(self, board: Leaderboard, units: Mapping[str, TaskUnit]) -> None:
        self.units = units
        self.models = {one.name for one in board.models}
        self.columns = {
            (column.task.name, column.metric): self._column(column, board)
            for column in board.columns
        }
        self._parts: dict[tuple[str, int], list[float]] = {}

    def _column(
        self, column: MetricColumn, board: Leaderboard
    ) -> tuple[dict[str, int], float | None]:
        """Ranks, and the median of the models."""
        values = [one for e in board.models if (one := column.rankable(e)) is not None]
        return ranks_of(column, self.units, self.models), median(values) if values else None

    def others_median(self, task: str, number: int, name: str) -> float | None:
        """The median of the other models in one of a task's parts; None if there are none."""
        field = self.units[task].field
        values = field.parts[number].values
        if (task, number) not in self._parts:
            known = zip(field.models, values, strict=True)
            self._parts[task, number] = sorted(
                value for one, value in known if one in self.models and value is not None
            )
        others = self._parts[task, number]
        own = values[field.models.index(name)]
        if own is not None and name in self.models:
            at = bisect_left(others, own)
            others = others[:at] + others[at + 1 :]
        return median(others) if others else None


def model_view(
    entry: Entry, board: Leaderboard, units: Mapping[str, TaskUnit], standings: Standings
) -> ModelView:
    """Arrange what is known of a model."""
    slices = sorted(_slices(entry, board, units, standings), key=lambda one: -one.ahead)
    parent = tuple(_pairs(entry, board, units))
    series = [
        one for one in board.models if one.facts.series and one.facts.series == entry.facts.series
    ]
    records = {
        task.name: entry.runs[task.name].record for task in board.tasks if task.name in entry.runs
    }
    return ModelView(
        tasks=tuple(_tasks(entry, board, units, standings)),
        strengths=tuple(one for one in slices[:MOST] if one.ahead > 0),
        weaknesses=tuple(one for one in slices[::-1][:MOST] if one.ahead < 0),
        parent=parent,
        parent_axis=axis_of([*map(_Drawn, parent), _Drawn(None)]),
        series=tuple(sorted(series, key=lambda one: one.facts.step or 0))
        if len(series) > 1
        else (),
        answers=_answers([*records.values()]),
        records=records,
    )


class _Drawn:
    """A difference as an axis sees it; 0 lies on every axis."""

    def __init__(self, row: PairRow | None) -> None:
        self.value: float | None = row.difference if row else 0.0
        self.low: float | None = row.low if row else None
        self.high: float | None = row.high if row else None


def _tasks(
    entry: Entry, board: Leaderboard, units: Mapping[str, TaskUnit], standings: Standings
) -> Iterator[TaskRow]:
    for column in board.columns:
        estimate = column.estimate(entry)
        if estimate is None:
            continue
        ranks, middle = standings.columns[column.task.name, column.metric]
        yield TaskRow(
            column=column,
            estimate=estimate,
            rank=ranks.get(entry.name),
            models=len(ranks),
            median=middle,
            gains=[
                one
                for one in units[column.task.name].gains.get(entry.name, ())
                if one["metric"] == column.metric and one["gain"] is not None
            ],
        )


def _slices(
    entry: Entry, board: Leaderboard, units: Mapping[str, TaskUnit], standings: Standings
) -> Iterator[SliceRow]:
    for column in board.columns:
        field = units[column.task.name].field
        if entry.name not in field.models:
            continue
        place = field.models.index(entry.name)
        names = japanese_names(column.task.reference.record)
        for number, one in enumerate(field.parts):
            value, n = one.values[place], one.n[place]
            if one.metric != column.metric or value is None or n < ENOUGH:
                continue
            middle = standings.others_median(column.task.name, number, entry.name)
            if middle is None:
                continue
            assert one.part is not None
            ahead = (middle - value) if column.lower_is_better else (value - middle)
            scale = abs(column.ends[1] - column.ends[0]) if column.ends else 1.0
            yield SliceRow(column.task, one.part, names, n, value, middle, ahead / scale)


def _pairs(entry: Entry, board: Leaderboard, units: Mapping[str, TaskUnit]) -> Iterator[PairRow]:
    parent = entry.facts.parent
    for column in board.columns:
        unit = units[column.task.name]
        names = unit.field.models
        if parent not in names or entry.name not in names or parent == entry.name:
            continue
        one = next((w for w in unit.field.whole if w.metric == column.metric), None)
        mine, theirs = names.index(entry.name), names.index(parent)
        if one is None or one.values[mine] is None or one.values[theirs] is None:
            continue
        low, high = interval_of(one, mine, theirs)
        won, lost = unit.won[pair_place(min(mine, theirs), max(mine, theirs), len(names))]
        if mine > theirs:
            won, lost = lost, won
        value, other = one.values[mine], one.values[theirs]
        assert value is not None and other is not None
        yield PairRow(
            column.task, column.metric, column.lower_is_better, value, other, low, high, won, lost
        )


def pair_place(first: int, second: int, count: int) -> int:
    """Where a pair stands in a list (0, 1), (0, 2) ... (1, 2) ...; `first` is the smaller."""
    return first * (2 * count - first - 1) // 2 + second - first - 1


def interval_of(one: Differences, mine: int, theirs: int) -> tuple[float | None, float | None]:
    """The interval of the first model's value minus the second's."""
    place = pair_place(min(mine, theirs), max(mine, theirs), len(one.values))
    low, high = one.low[place], one.high[place]
    if mine < theirs or low is None or high is None:
        return low, high
    return -high, -low


def _answers(records: Sequence[RunRecord]) -> dict[str, dict[str, Estimate]]:
    found: dict[str, dict[str, Estimate]] = {}
    for name in DIAGNOSTICS:
        for record in records:
            for one in record.estimates:
                if one.metric == name and one.slice is None and one.value is not None:
                    found.setdefault(name, {})[record.task] = one
    return found


def slice_words(names: Mapping[str, str], value: object) -> Words:
    """A slice field or value in both languages."""
    return Words(str(value), str(names.get(str(value), value)))
