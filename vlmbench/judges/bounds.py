"""Between which values a judge's estimates would lie with the verdicts that are missing."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from vlmbench.judges.scores import JudgedMetric
from vlmbench.metrics.base import Metric
from vlmbench.records import Estimate, JournalSample, SampleScores, Scalar
from vlmbench.scoring.aggregate import ScoredMetric
from vlmbench.stats import value_of


def with_judged_bounds(
    estimates: Iterable[Estimate],
    rows: Sequence[SampleScores],
    samples: Mapping[str, JournalSample],
    metrics: Sequence[JudgedMetric],
    *,
    total: int,
) -> tuple[Estimate, ...]:
    """The estimates, those by a judge with the values that missing verdicts still allow.

    Args:
        rows: The scores of all samples that have a response.
        metrics: Those that a judge was asked for.
        total: Samples that the run is to answer. Of those without a response nothing is known, so
            they count in every slice and for every `where:`.
    """
    by_id = {one.scored.id: one.scored for one in metrics}
    return tuple(
        dataclasses.replace(one, bounds=_bounds(by_id[one.metric], one, rows, samples, total))
        if one.metric in by_id
        else one
        for one in estimates
    )


def _bounds(
    scored: ScoredMetric,
    estimate: Estimate,
    rows: Sequence[SampleScores],
    samples: Mapping[str, JournalSample],
    total: int,
) -> tuple[float, float] | None:
    """The value with the worst, and with the best, in place of each missing verdict."""
    worst: list[tuple[float, ...]] = []
    best: list[tuple[float, ...]] = []
    unseen: list[Mapping[str, Scalar]] = [{}] * (total - len(rows))
    for row in rows:
        sample = samples[row.id]
        if not (scored.applies(sample.meta) and _in_slice(sample, estimate.slice)):
            continue
        score = row.scores.get(scored.id)
        if score is None or score.vector is None:
            unseen.append(sample.meta)
        else:
            worst.append(score.vector)
            best.append(score.vector)
    for meta in unseen:
        ends = _extremes(scored.metric, meta)
        if ends is None:
            return scored.metric.bounds
        worst.append(ends[0])
        best.append(ends[1])
    if not unseen:
        return None
    low, high = (value_of(np.array(one), scored.metric.combine) for one in (worst, best))
    return low, high


def _extremes(
    metric: Metric, meta: Mapping[str, Scalar]
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    if metric.definition.extremes is not None:
        return metric.definition.extremes(meta)
    if metric.bounds is None or not metric.is_mean:
        return None
    low, high = metric.bounds
    return (low,), (high,)


def _in_slice(sample: JournalSample, part: Mapping[str, Scalar] | None) -> bool:
    return part is None or all(
        type(sample.meta.get(field)) is type(value) and sample.meta.get(field) == value
        for field, value in part.items()
    )
