"""From scores to estimates: add up, overall and by slice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from vlmbench.metrics.base import Metric, load_metric
from vlmbench.records import Estimate, SampleScores, Scalar
from vlmbench.scoring.table import ScoreTable
from vlmbench.stats import (
    Floats,
    percentile_interval,
    proportion_interval,
    resampled_totals,
    value_of,
)
from vlmbench.tasks.conditions import Condition

Slice: TypeAlias = dict[str, Scalar] | None


@dataclass(frozen=True, slots=True)
class ScoredMetric:
    """A metric as a task uses it."""

    id: str
    """Unique within the task; the key in scores.jsonl."""
    metric: Metric
    headline: bool = False
    where: Condition | None = None
    """Which samples it is for, by their `meta`; None: all."""

    def applies(self, meta: Mapping[str, Scalar]) -> bool:
        """Whether the metric is for a sample with this `meta`."""
        return self.where is None or self.where(meta)


_OPEN_FAMILIES = {"overlap", "caption"}
"""Families of metrics that a task has for answers of any wording."""

_CHOICE = "match.choice"

_FIDELITY = ("language.japanese", "language.chinese", "language.english")
_SCRIPTS = ("language.kana", "language.kanji", "language.latin")
_CONDUCT = (
    "language.refusal",
    "language.repetition",
    "language.truncation",
    "language.unfinished_reasoning",
)

DIAGNOSTICS = (*_FIDELITY, *_SCRIPTS, *_CONDUCT)
"""Metrics that say what answers are like, not whether they are right."""


def with_diagnostics(metrics: Sequence[ScoredMetric]) -> list[ScoredMetric]:
    """The metrics, and the `language` ones behind them.

    Refusals, repetition, truncation and unfinished reasoning are for every sample, the language of
    the answer for those that are not answered by an option's letter, the scripts for open answers,
    which a task has where one of its metrics is of the families overlap or caption. Nobody needs to
    ask for these diagnostics, and none of them is a headline. What the task itself lists is left
    as it is.
    """
    opened = [one for one in metrics if one.metric.name.partition(".")[0] in _OPEN_FAMILIES]
    chosen = [one for one in metrics if one.metric.name == _CHOICE]

    def is_open(meta: Mapping[str, Scalar]) -> bool:
        return any(one.applies(meta) for one in opened)

    def is_worded(meta: Mapping[str, Scalar]) -> bool:
        return not any(one.applies(meta) for one in chosen)

    added: list[tuple[str, Condition | None]] = []
    if not chosen or all(one.where for one in chosen):
        added += [(name, is_worded if chosen else None) for name in _FIDELITY]
    if opened:
        some = all(one.where for one in opened)
        added += [(name, is_open if some else None) for name in _SCRIPTS]
    added += [(name, None) for name in _CONDUCT]
    known = {one.id for one in metrics} | {one.metric.name for one in metrics}
    more = [
        ScoredMetric(name, load_metric(name), where=where)
        for name, where in added
        if name not in known
    ]
    return [*metrics, *more]


def estimates(
    rows: Iterable[SampleScores],
    metrics: Sequence[ScoredMetric],
    *,
    slices: Sequence[str] = (),
    total: int,
    seed: int,
    resamples: int = 1000,
) -> tuple[Estimate, ...]:
    """What each metric comes to, overall and for each value of each slice.

    Intervals are at 95 %: percentile bootstrap intervals over samples, except that a mean of
    zeros and ones, and any metric with a range on which all resamples agree (one sample, or all
    answers right), gets Wilson's score interval on that range. The bootstrap would claim there
    that nothing else is possible.

    Args:
        rows: Samples that have a response, in any order; the order changes nothing.
        metrics: The task's metrics, in the order in which estimates shall come.
        slices: Fields to slice by; samples whose value is None are in no slice.
        total: Number of samples that the run is to answer; those without an answer widen
            `bounds`.

    Returns:
        First the overall estimates, then the slices by field and value.
    """
    ordered = sorted(rows, key=lambda row: row.id)
    table = ScoreTable(ordered, {one.id: one.metric.size for one in metrics}, slices)
    unseen = total - len(table)
    found: list[Estimate] = []
    for part in table.parts():
        errors = part.errors()
        # A slice has estimates of the metrics that are for any of its samples; of all where
        # there is nothing but errors, which must show.
        everything = part.slice is None or errors == len(part)
        columns = [
            _Column(scored, part.vectors(scored.id), part.unscored(scored.id))
            for scored in metrics
            if everything or part.concerns(scored.id)
        ]
        totals = _resampled(columns, seed=seed, resamples=resamples)
        found += (
            _estimate(column, part.slice, totals.get(number), unseen + errors)
            for number, column in enumerate(columns)
        )
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Column:
    """The vectors of one metric in one part of a task."""

    scored: ScoredMetric
    vectors: Floats
    unscored: int

    @property
    def n(self) -> int:
        """Number of vectors."""
        return len(self.vectors)

    @property
    def is_share(self) -> bool:
        """Whether the value is a mean of lowest and highest values only."""
        metric = self.scored.metric
        ends = metric.bounds
        if ends is None or not metric.is_mean:
            return False
        return bool(np.isin(self.vectors, ends).all())


def _resampled(columns: Sequence[_Column], *, seed: int, resamples: int) -> dict[int, Floats]:
    """Sums of resamples by column, for the columns whose interval needs them.

    Columns of equal length get the same draws anyway, so these are drawn and counted once.
    """
    by_length: dict[int, list[int]] = defaultdict(list)
    for number, column in enumerate(columns):
        if column.n and not column.is_share:
            by_length[column.n].append(number)
    found: dict[int, Floats] = {}
    for numbers in by_length.values():
        matrices = [columns[number].vectors for number in numbers]
        totals = resampled_totals(np.hstack(matrices), resamples=resamples, seed=seed)
        ends = np.cumsum([matrix.shape[1] for matrix in matrices])
        found.update(zip(numbers, np.split(totals, ends[:-1], axis=1), strict=True))
    return found


def _estimate(column: _Column, part: Slice, totals: Floats | None, missing: int) -> Estimate:
    scored, n = column.scored, column.n
    value = low = high = None
    if n:
        value = value_of(column.vectors, scored.metric.combine)
        low, high = _interval(scored.metric, n, value, totals)
    return Estimate(
        metric=scored.id,
        slice=part,
        value=value,
        low=low,
        high=high,
        n=n,
        unscored=column.unscored,
        headline=scored.headline,
        signature=scored.metric.signature,
        bounds=_bounds(scored.metric, value, n, missing),
    )


def _interval(metric: Metric, n: int, value: float, totals: Floats | None) -> tuple[float, float]:
    """The bootstrap interval, or Wilson's where the bootstrap would show no spread."""
    if totals is not None:
        low, high = percentile_interval(metric.combine(totals, n))
        if high - low >= 1e-9 or not metric.bounds:
            return low, high
    assert metric.bounds is not None
    return _score_interval(metric.bounds, value, n)


def _score_interval(bounds: tuple[float, float], value: float, n: int) -> tuple[float, float]:
    """Wilson's interval on the metric's range."""
    floor, ceiling = bounds
    width = ceiling - floor
    low, high = proportion_interval((value - floor) / width, n)
    return floor + low * width, floor + high * width


def _bounds(
    metric: Metric, value: float | None, n: int, missing: int
) -> tuple[float, float] | None:
    """The values still possible if each missing sample scored worst or best.

    Any missing sample may belong to any slice and to any `where:`, so all count. A corpus metric
    such as BLEU has no per-sample range: its whole range stays possible.
    """
    if not missing or metric.bounds is None:
        return None
    if value is None or not metric.is_mean:
        return metric.bounds
    floor, ceiling = metric.bounds
    known = value * n
    return (known + floor * missing) / (n + missing), (known + ceiling * missing) / (n + missing)
