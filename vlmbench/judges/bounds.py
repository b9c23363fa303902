"""Between which values a judge's estimates would lie with the verdicts that are missing."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from vlmbench.judges.scores import JudgedMetric
from vlmbench.metrics.base import Metric
from vlmbench.records import Estimate, MetricScore, Sample, Scalar
from vlmbench.scoring.aggregate import ScoredMetric
from vlmbench.stats import value_of


def with_judged_bounds(
    estimates: Iterable[Estimate],
    scores: Mapping[str, Mapping[str, MetricScore]],
    samples: Sequence[Sample],
    metrics: Sequence[JudgedMetric],
) -> tuple[Estimate, ...]:
    """The estimates, those by a judge with the values that missing verdicts still allow.

    Args:
        estimates: All of the run's.
        scores: By sample id and metric.
        samples: All samples that the run is to answer.
        metrics: Those that a judge was asked for.
    """
    by_id = {one.scored.id: one.scored for one in metrics}
    return tuple(
        dataclasses.replace(one, bounds=_bounds(by_id[one.metric], one, samples, scores))
        if one.metric in by_id
        else one
        for one in estimates
    )


def _bounds(
    scored: ScoredMetric,
    estimate: Estimate,
    samples: Sequence[Sample],
    scores: Mapping[str, Mapping[str, MetricScore]],
) -> tuple[float, float] | None:
    """The value with the worst, and with the best, in place of each missing verdict."""
    worst: list[tuple[float, ...]] = []
    best: list[tuple[float, ...]] = []
    missing = 0
    for sample in samples:
        if not (scored.applies(sample.meta) and _in_slice(sample, estimate.slice)):
            continue
        score = scores.get(sample.id, {}).get(scored.id)
        if score is not None and score.vector is not None:
            worst.append(score.vector)
            best.append(score.vector)
            continue
        missing += 1
        ends = _extremes(scored.metric, sample.meta)
        if ends is None:
            return scored.metric.bounds
        worst.append(ends[0])
        best.append(ends[1])
    if not missing:
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


def _in_slice(sample: Sample, part: Mapping[str, Scalar] | None) -> bool:
    return part is None or all(
        type(sample.meta.get(field)) is type(value) and sample.meta.get(field) == value
        for field, value in part.items()
    )
