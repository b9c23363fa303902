"""Visual gain: how much better a model answers with the image than without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from vlmbench.compare.paired_runs import Scored, headline_metrics, metric_difference, pair
from vlmbench.metrics.base import Metric
from vlmbench.stats import value_of

GainVerdict: TypeAlias = Literal["looks", "no gain shown", "better without", "too few samples"]


@dataclass(frozen=True, slots=True)
class VisualGain:
    """One headline metric with the image and without it, paired by sample id."""

    metric: str
    mode: str
    """What stood in the image's place: blind (nothing), shuffled or noise."""
    plain: float | None
    """Value with the image, on the n samples."""
    other: float | None
    """Value without it, on the n samples."""
    gain: float | None
    """By how much the image helps: `plain` minus `other`, turned where lower is better."""
    low: float | None
    """Ends of its 95 % interval over clusters of samples, see `vlmbench.stats.paired`."""
    high: float | None
    n: int
    """Samples with an image that both runs scored."""
    left_out: int
    """Samples that one of the two did not answer or could not score."""
    verdict: GainVerdict | None
    """`looks` where the interval lies above 0, `no gain shown` where it includes 0, `too few
    samples` below ten independent ones; None without samples."""


def visual_gains(plain: Scored, other: Scored, mode: str) -> list[VisualGain]:
    """The visual gain on every headline metric.

    Samples that were asked alike in both runs, because they show no image, are left out.
    """
    metrics = headline_metrics(plain.record)
    return [_gain(plain, other, mode, name, metric) for name, metric in metrics.items()]


def gain_verdict(low: float, high: float, *, small: bool = False) -> GainVerdict:
    """What the interval of a visual gain says.

    Args:
        small: Nothing, because it is of too few samples.
    """
    if small:
        return "too few samples"
    if low > 0:
        return "looks"
    return "better without" if high < 0 else "no gain shown"


def _gain(plain: Scored, other: Scored, mode: str, name: str, metric: Metric) -> VisualGain:
    paired = pair([plain, other], name, metric, unlike=True)
    n, left_out = len(paired.ids), paired.left_out
    if not n:
        return VisualGain(name, mode, None, None, None, None, None, 0, left_out, None)
    with_image, without = paired.vectors
    found = metric_difference(metric, with_image, without, paired.clusters)
    if metric.definition.lower_is_better:
        found = found.negated()
    return VisualGain(
        metric=name,
        mode=mode,
        plain=value_of(with_image, metric.combine),
        other=value_of(without, metric.combine),
        gain=found.difference,
        low=found.low,
        high=found.high,
        n=n,
        left_out=left_out,
        verdict=gain_verdict(found.low, found.high, small=found.small),
    )
