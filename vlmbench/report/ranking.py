"""Ranks with ties: models that the data cannot tell apart share one.

A model's rank is one more than the number of models that are told to be better, by the paired
difference on the same samples (see `vlmbench.report.field`). The scripts of the pages apply the
same rule to whichever models are shown.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from vlmbench.report.board_data import signs
from vlmbench.report.columns import MetricColumn
from vlmbench.report.tables import Leaderboard
from vlmbench.report.task_unit import TaskUnit, Z


@dataclass(frozen=True, slots=True)
class OverallEnds:
    """An overall score with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class OverallRanks:
    """Of the entries that have an overall score."""

    intervals: Mapping[str, OverallEnds]
    """By the entry's name; the normal approximation, as samples of tasks are independent."""
    ranks: Mapping[str, int]


def ranks_of(
    column: MetricColumn, units: Mapping[str, TaskUnit], models: Collection[str]
) -> dict[str, int]:
    """The rank of each of the models in a headline column; empty without differences."""
    field = units[column.task.name].field
    one = next((one for one in field.whole if one.metric == column.metric), None)
    if one is None:
        return {}
    ranks = {name: 1 for name in field.models if name in models}
    told = signs(one, lower_is_better=column.lower_is_better)
    for (first, second), sign in zip(pairs(field.models), told, strict=True):
        if first in ranks and second in ranks and sign != "=":
            ranks[second if sign == "+" else first] += 1
    return ranks


def overall_ranks(board: Leaderboard, units: Mapping[str, TaskUnit]) -> OverallRanks:
    """Intervals and ranks by the overall score."""
    scores, tasks = board.overall.scores, board.overall.tasks
    single: dict[str, float] = dict.fromkeys(scores, 0.0)
    double: dict[tuple[str, str], float] = {}
    for task in tasks:
        field = units[task].field
        for name, deviation in zip(field.models, field.deviations, strict=False):
            if name in single:
                single[name] += deviation**2
        for pair, deviation in zip(pairs(field.models), field.pair_deviations, strict=False):
            double[pair] = double.get(pair, 0.0) + deviation**2
    intervals = {
        name: OverallEnds(score, *_around(score, math.sqrt(single[name]) / len(tasks)))
        for name, score in scores.items()
    }
    models = [entry.name for entry in board.models if entry.name in scores]
    ranks = dict.fromkeys(models, 1)
    for name in models:
        for other in models:
            variance = double.get((name, other), double.get((other, name)))
            if variance is not None:
                needed = Z * math.sqrt(variance) / len(tasks)
                ranks[name] += scores[other] - scores[name] > needed
    return OverallRanks(intervals, ranks)


def _around(value: float, deviation: float) -> tuple[float, float]:
    # No score is better than perfect.
    return value - Z * deviation, max(value, min(1.0, value + Z * deviation))


def pairs(names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """(0, 1), (0, 2) ... (1, 2) ..., as differences are listed."""
    for first, name in enumerate(names):
        for other in names[first + 1 :]:
            yield name, other
