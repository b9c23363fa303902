"""What the pages need of a run's sample scores: small enough to keep for all models of a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from vlmbench.errors import VlmbenchError
from vlmbench.judges.scores import judged_key
from vlmbench.metrics.base import Metric, load_metric
from vlmbench.records import MetricScore, RunRecord, SampleScores, Scalar
from vlmbench.stats import Floats

_ROUNDING = 1e-9
"""A best value that was computed, such as a CIDEr-D of 10, may fall short of it by so much."""

Outcome: TypeAlias = Literal["right", "partial", "wrong", "unscored", "error"]
"""The metric's best value, something between, its worst value, no value; no answer."""


class TaskMetrics:
    """The metrics of a task by their ids in results, also those that were added later."""

    def __init__(self, record: RunRecord, order: Sequence[str]) -> None:
        self.order = tuple(order)
        self._uses = {use["id"] or use["use"]: use for use in record.task_spec.get("metrics", ())}
        self._loaded: dict[str, Metric | None] = {}

    def get(self, name: str) -> Metric | None:
        """The metric of an id, also where the id names a judge; None if it is not installed."""
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def value(self, name: str, score: MetricScore) -> float | None:
        """The metric's value of one answer."""
        metric = self.get(name)
        if metric is None or score.vector is None:
            return None
        return float(metric.combine(np.array(score.vector, dtype=np.float64), 1))

    def leading(self, row: SampleScores) -> tuple[str | None, MetricScore]:
        """The first headline metric; where none is for this sample, the first one that is."""
        name = next((name for name in self.order if name in row.scores), None)
        return name, row.scores[name] if name else MetricScore()

    def outcome(self, name: str | None, value: float | None) -> Outcome:
        """How good an answer is, as far as the metric has a range."""
        if name is None or value is None:
            return "unscored"
        metric = self.get(name)
        if metric is not None and metric.definition.lower_is_better and value <= _ROUNDING:
            return "right"  # an error rate may have no highest value, but its best one is 0
        if metric is None or metric.bounds is None:
            return "partial"
        worst, best = metric.bounds
        if metric.definition.lower_is_better:
            worst, best, value = -best, -worst, -value
        if value <= worst + _ROUNDING:
            return "wrong"
        return "right" if value >= best - _ROUNDING else "partial"

    def goodness(self, name: str | None, value: float | None) -> float | None:
        """The value with the worst at 0 and the best at 1; None without a range."""
        metric = self.get(name) if name else None
        if metric is None or metric.bounds is None or value is None:
            return None
        low, high = metric.bounds
        share = (value - low) / (high - low)
        return 1 - share if metric.definition.lower_is_better else share

    def _load(self, name: str) -> Metric | None:
        use = self._uses.get(name) or self._uses.get(judged_key(name))
        try:
            if use is not None:
                return load_metric(use["use"], use["options"])
            return load_metric(judged_key(name) or name)
        except VlmbenchError:  # of a plugin that is not installed here
            return None


@dataclass(frozen=True, slots=True)
class RunFacts:
    """One run's scores, a place for each sample."""

    ids: Sequence[str]
    clusters: Sequence[str]
    slices: Mapping[str, Sequence[Scalar]]
    outcomes: Sequence[Outcome]
    values: Sequence[float | None]
    """Of the leading metric."""
    goodness: Sequence[float | None]
    """The same with the worst at 0 and the best at 1."""
    vectors: Mapping[str, Sequence[Sequence[float] | None]]
    """Of the headline metrics; None where a sample has none."""

    def matrix(self, metric: str) -> Floats:
        """A headline metric's vectors, a row a sample, not a number where there is none."""
        rows = self.vectors[metric]
        size = next((len(row) for row in rows if row is not None), 1)
        nothing = [np.nan] * size
        return np.array([row or nothing for row in rows], dtype=np.float64).reshape(-1, size)

    def as_json(self) -> dict[str, Any]:
        """For the cache."""
        return {name: getattr(self, name) for name in self.__slots__}


def run_facts(
    rows: Sequence[SampleScores], metrics: TaskMetrics, headlines: Sequence[str]
) -> RunFacts:
    """What is kept of a run's scores."""
    leading = [metrics.leading(row) for row in rows]
    values = [metrics.value(name or "", score) for name, score in leading]
    fields = dict.fromkeys(field for row in rows for field in row.slices)
    outcomes: list[Outcome] = [
        "error" if row.error else metrics.outcome(name, value)
        for row, (name, _), value in zip(rows, leading, values, strict=True)
    ]
    return RunFacts(
        ids=[row.id for row in rows],
        clusters=[row.cluster or row.id for row in rows],
        slices={field: [row.slices.get(field) for row in rows] for field in fields},
        outcomes=outcomes,
        values=values,
        goodness=[
            metrics.goodness(name, value) for (name, _), value in zip(leading, values, strict=True)
        ],
        vectors={
            name: [score.vector if (score := row.scores.get(name)) else None for row in rows]
            for name in headlines
        },
    )
