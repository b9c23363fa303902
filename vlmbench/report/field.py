"""The models of a task against one another: which of them can be told apart.

All comparable, complete runs of a task answered the same samples. Two models are told apart where
the 95 % interval of their paired difference does not hold 0: that of `vlmbench compare` and of the
gate, over clusters of samples (all questions about one image).

Subsets, of which there are many for each pair, and the errors of the overall score come from
resampling: clusters are drawn anew a thousand times, the same ones for every model, and each
model's value is computed from each draw.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vlmbench.compare.paired_runs import metric_tail
from vlmbench.metrics.base import Metric
from vlmbench.records import Scalar, stable_hash
from vlmbench.report.columns import MetricColumn
from vlmbench.report.facts import RunFacts, TaskMetrics
from vlmbench.stats import FEW, EffectivePairs, Floats, PairedTail, limits_of, resampled_totals

RESAMPLES = 1000

_NO_PAIR = EffectivePairs(wins=0, losses=0, n=1, scale=1, freedom=math.inf)
"""Where no sample is scored for both."""

_NO_ENDS: Floats = np.empty((0, 2))

FEWEST_CLUSTERS = FEW
"""With fewer clusters no two models are told apart."""

LARGEST_DEVIATION = 1.0
"""That of a difference of two scores from 0 to 1, where too few clusters say what it is."""


class SliceKey(NamedTuple):
    """A part of a task's samples."""

    field: str
    value: Scalar


@dataclass(frozen=True, slots=True)
class Differences:
    """One metric on one set of samples."""

    metric: str
    part: SliceKey | None
    """None for all samples."""
    n: tuple[int, ...]
    """Scored samples of each model."""
    clusters: int
    values: tuple[float | None, ...]
    """Of each model."""
    low: tuple[float | None, ...]
    """Lower end of the interval of the first's value minus the second's, for each pair: (0, 1),
    (0, 2) ... (1, 2) ...; None where resampling says nothing."""
    high: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class TaskField:
    """All pairs of a task's models."""

    models: tuple[str, ...]
    """Names of the entries that may be ranked."""
    whole: tuple[Differences, ...]
    """The headline metrics."""
    parts: tuple[Differences, ...]
    """The same by slice."""
    deviations: tuple[float, ...]
    """Standard error of each model's chance-corrected value of the task; empty without one."""
    pair_deviations: tuple[float, ...]
    """Standard error of the difference of each pair's."""


def task_field(
    columns: Sequence[MetricColumn],
    facts: Mapping[str, RunFacts],
    metrics: TaskMetrics,
    errors: Mapping[str, float] | None = None,
) -> TaskField:
    """Compare the models of a task.

    Args:
        columns: The task's headline metrics.
        facts: By the entry's name, of runs that may be ranked.
        errors: By the same, standard errors of the chance-corrected value that the intervals of
            the records come to, for where drawing anew says nothing.
    """
    models = tuple(facts)
    if not models:
        return TaskField((), (), (), (), ())
    samples = _Samples(facts)
    known = [(column, metric) for column in columns if (metric := metrics.get(column.metric))]
    seed = int(stable_hash(columns[0].task.name), 16) if columns else 0
    everything = np.ones(len(samples.ids), dtype=bool)
    draws = [_draws(samples, metric, column.metric, everything, seed) for column, metric in known]
    whole = [
        _tested(samples, metric, column.metric, one)
        for (column, metric), one in zip(known, draws, strict=True)
    ]
    parts = [
        _differences(column.metric, part, _draws(samples, metric, column.metric, mask, seed))
        for part, mask in samples.parts()
        for column, metric in known
    ]
    deviations, pairs = _deviations([column for column, _ in known], draws)
    few = min((one.clusters for one in draws), default=0) < FEWEST_CLUSTERS
    deviations = tuple(
        max(one, (errors or {}).get(name, 0.0)) if few or not one else one
        for name, one in zip(models, deviations, strict=False)
    )
    if few:
        pairs = tuple(max(one, LARGEST_DEVIATION) for one in pairs)
    return TaskField(models, tuple(whole), tuple(parts), deviations, pairs)


@dataclass(frozen=True, slots=True)
class _Draws:
    """One metric's values of all models."""

    values: Floats
    """(models,) on the samples as they are."""
    drawn: Floats
    """(models, RESAMPLES)."""
    n: tuple[int, ...]
    clusters: int


class _Samples:
    """The samples that any of the models has, in one order."""

    def __init__(self, facts: Mapping[str, RunFacts]) -> None:
        self.facts = facts
        places: dict[str, int] = {}
        clusters: list[str] = []
        slices: dict[str, list[Scalar]] = {}
        for one in facts.values():
            for at, name in enumerate(one.ids):
                if name not in places:
                    places[name] = len(places)
                    clusters.append(one.clusters[at])
                    for field, values in one.slices.items():
                        slices.setdefault(field, []).append(values[at])
        self.ids = tuple(places)
        self.clusters = np.unique(
            np.array(clusters, dtype=object).astype(str), return_inverse=True
        )[1]
        self.slices = slices
        self.rows = {name: [places[one] for one in run.ids] for name, run in facts.items()}

    def matrix(self, model: str, metric: str) -> Floats:
        """A model's vectors in the common order."""
        own = self.facts[model].matrix(metric)
        rows = self.rows[model]
        found = np.full((len(self.ids), own.shape[1]), np.nan)
        found[rows] = own
        return found

    def parts(self) -> Iterator[tuple[SliceKey, np.ndarray]]:
        """The samples of each value of each field that has several."""
        for field, values in self.slices.items():
            if len(values) != len(self.ids):
                continue
            kinds = sorted({str(one): one for one in values if one is not None}.items())
            for text, value in kinds if len(kinds) > 1 else ():
                yield SliceKey(field, value), np.array([str(one) == text for one in values])


def _draws(samples: _Samples, metric: Metric, name: str, mask: np.ndarray, seed: int) -> _Draws:
    used, places = np.unique(samples.clusters[mask], return_inverse=True)
    sums, counts = [], []
    for model in samples.facts:
        vectors = samples.matrix(model, name)[mask]
        scored = ~np.isnan(vectors[:, 0])
        total = np.zeros((len(used), vectors.shape[1] + 1))
        np.add.at(total[:, :-1], places[scored], vectors[scored])
        total[:, -1] = np.bincount(places[scored], minlength=len(used))
        sums.append(total)
        counts.append(int(scored.sum()))
    widths = np.cumsum([one.shape[1] for one in sums])[:-1]
    drawn = resampled_totals(np.hstack(sums), resamples=RESAMPLES, seed=seed)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = [_combined(metric, one.sum(axis=0, keepdims=True)) for one in sums]
        resampled = [_combined(metric, one) for one in np.split(drawn, widths, axis=1)]
    return _Draws(np.concatenate(values), np.stack(resampled), tuple(counts), len(used))


def _combined(metric: Metric, totals: Floats) -> Floats:
    """The metric's values of sums whose last column counts samples; NaN where that is 0."""
    n: Floats = totals[:, -1]
    values = metric.combine(totals[:, :-1], n)
    return np.where(n > 0, values, np.nan)


def _tested(samples: _Samples, metric: Metric, name: str, one: _Draws) -> Differences:
    """The paired difference of each pair on the samples that both scored."""
    vectors = [samples.matrix(model, name) for model in samples.facts]
    scored = [~np.isnan(each[:, 0]) for each in vectors]
    clusters = samples.clusters.astype(str)
    names = clusters.tolist()
    tails: list[PairedTail | None] = []
    for first in range(len(vectors)):
        for second in range(first + 1, len(vectors)):
            both = scored[first] & scored[second]
            labels = names if both.all() else clusters[both].tolist()
            tails.append(
                metric_tail(metric, vectors[first][both], vectors[second][both], labels)
                if both.any()
                else None
            )
    sure = [one is not None and one.clusters >= FEWEST_CLUSTERS for one in tails]
    ends = limits_of([one.tail if one else _NO_PAIR for one in tails], 0.025) if tails else _NO_ENDS
    low, high = (
        [float(end) if known else None for end, known in zip(column, sure, strict=True)]
        for column in ends.T
    )
    values = tuple(float(value) if value == value else None for value in one.values)
    return Differences(name, None, one.n, one.clusters, values, tuple(low), tuple(high))


def _differences(metric: str, part: SliceKey | None, one: _Draws) -> Differences:
    low: list[float | None] = []
    high: list[float | None] = []
    for first in range(len(one.values) - 1):
        pairs = one.drawn[first] - one.drawn[first + 1 :]
        ends = np.quantile(pairs, [0.025, 0.975], axis=1)
        sure = one.clusters >= FEWEST_CLUSTERS
        low += [float(end) if sure and end == end else None for end in ends[0]]
        high += [float(end) if sure and end == end else None for end in ends[1]]
    values = tuple(float(value) if value == value else None for value in one.values)
    return Differences(metric, part, one.n, one.clusters, values, tuple(low), tuple(high))


def _deviations(
    columns: Sequence[MetricColumn], draws: Sequence[_Draws]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Of the mean of the chance-corrected metrics, weighted by their samples."""
    if not columns or any(column.ends is None for column in columns):
        return (), ()
    weights = np.array([one.n for one in draws], dtype=float)
    scaled = []
    for column, one in zip(columns, draws, strict=True):
        assert column.ends is not None
        zero, best = column.ends
        scaled.append(one.drawn / (best - zero))
    total = np.maximum(weights.sum(axis=0), 1)
    mean = sum(w[:, None] * one for w, one in zip(weights, scaled, strict=True)) / total[:, None]
    single = tuple(float(one) for one in np.nan_to_num(np.std(mean, axis=1)))
    pairs = [
        float(one)
        for first in range(len(mean) - 1)
        for one in np.nan_to_num(np.std(mean[first] - mean[first + 1 :], axis=1))
    ]
    return single, tuple(pairs)
