"""A metric's value with its interval, by what the metric declares of its scale."""

from __future__ import annotations

from dataclasses import replace

from vlmbench.metrics.base import Metric
from vlmbench.stats import Floats, Labels, ValueInterval, value_interval


def metric_interval(metric: Metric, vectors: Floats, clusters: Labels) -> ValueInterval:
    """A metric's value with its 95 % interval.

    Args:
        vectors: (n, metric.size), n at least 1.
        clusters: Of each sample.
    """
    found = value_interval(
        vectors,
        clusters=clusters,
        combine=metric.definition.combine,
        kind=metric.kind(vectors),
        bounds=metric.bounds or (0.0, metric.unit),
        unit=metric.unit,
    )
    if metric.bounds is None:
        return found
    floor, ceiling = metric.bounds
    return replace(found, low=max(floor, found.low), high=min(ceiling, found.high))
