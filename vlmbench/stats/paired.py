"""Two systems on the same samples: how far the first is above the second, and is that chance?

Right or wrong: Tango's score interval (score_pairs.py) and McNemar's mid-p test (mcnemar.py).
Anything else: the same interval on an effective number of samples. A difference is so many whole
wins and losses on the metric's scale w; those would vary by so much, the differences themselves
vary by less (partly right answers) or more (questions about one image); the ratio of the two
variances divides n. That is what J. N. K. Rao and A. J. Scott (A simple method for the analysis of
clustered binary data, Biometrics 48, 1992) do for clustered counts, and what E. L. Korn and
B. I. Graubard (Confidence intervals for proportions with small expected number of positive counts,
Survey Methodology 24, 1998) do for one proportion. The variance is CR2 over clusters, the quantile
Student's (clusters.py).

One unseen sample in the metric's favor and one against it are counted in both variances
(kinds.py), so that a few equal samples are no proof that all are: two systems that agree on all of
n samples may still differ on 3.84 in n + 3.84 of them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from vlmbench.stats.clusters import (
    Labels,
    cluster_variance,
    clustered,
    degrees_of_freedom,
    influences,
)
from vlmbench.stats.kinds import (
    FEW,
    PRIOR_CORRELATION,
    Kind,
    is_binary,
    prior_weight,
)
from vlmbench.stats.mcnemar import mid_p
from vlmbench.stats.score_pairs import score_limits, score_statistic
from vlmbench.stats.student import t_below, t_quantile
from vlmbench.stats.values import Combine, Floats, mean, value_of


class Tail(Protocol):
    """How a difference is distributed about its value, in the metric's unit."""

    @property
    def error(self) -> float:
        """Standard error of the difference."""

    def limits(self, tail: float) -> tuple[float, float]:
        """Ends of the interval that leaves out a share `tail` at either end."""

    def below(self, supposed: float) -> float:
        """One-sided p-value of the hypothesis that the difference is `supposed` or more."""

    def scaled(self, factor: float) -> Tail:
        """The same of the difference times a factor, not 0."""


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """How far the first of two paired systems is above the second."""

    difference: float
    """Value of the first minus value of the second."""
    low: float
    """Ends of the interval of the difference."""
    high: float
    p_two_sided: float
    """Of the hypothesis that there is no difference."""
    n: int
    """Samples."""
    clusters: int
    """Independent clusters of samples; n where each is its own."""
    method: str
    """The interval's name."""
    small: bool
    """Whether there are fewer clusters than FEW: too few to call a verdict on."""
    tail: Tail = dataclasses.field(repr=False, compare=False)

    @property
    def sd(self) -> float:
        """Standard deviation of one sample's difference, with what clusters add to it.

        0 where no sample differs. For planning.py.
        """
        return self.tail.error * math.sqrt(self.n)

    def interval(self, level: float) -> tuple[float, float]:
        """The ends at another level."""
        return self.tail.limits((1 - level) / 2)

    def p_below(self, margin: float) -> float:
        """One-sided p-value of the hypothesis that the first is at most `margin` worse.

        Below 0.025 exactly where a 95 % interval ends below -margin.

        Args:
            margin: The drop that is tolerated, 0 or more, in the unit of the difference.
        """
        return self.tail.below(-margin)

    def negated(self) -> PairedDifference:
        """The second minus the first: for metrics that count what is wrong."""
        return self.scaled(-1)

    def scaled(self, factor: float) -> PairedDifference:
        """The difference in another unit: times a factor, not 0."""
        low, high = sorted((self.low * factor, self.high * factor))
        return dataclasses.replace(
            self,
            difference=self.difference * factor,
            low=low,
            high=high,
            tail=self.tail.scaled(factor),
        )


@dataclass(frozen=True, slots=True)
class EffectivePairs:
    """Wins and losses on an effective number of samples: a Tail."""

    wins: float
    losses: float
    n: float
    scale: float
    """What one whole win is worth in the metric's unit; below 0 where the difference is turned."""
    freedom: float
    """Degrees of freedom; infinite for the normal distribution."""

    @property
    def error(self) -> float:
        """See Tail."""
        squares = self.wins + self.losses - (self.wins - self.losses) ** 2 / self.n
        return abs(self.scale) * math.sqrt(max(0.0, squares)) / self.n

    def limits(self, tail: float) -> tuple[float, float]:
        """See Tail."""
        low, high = limits_of([self], tail)[0].tolist()
        return low, high

    def below(self, supposed: float) -> float:
        """See Tail."""
        if abs(supposed) >= abs(self.scale):
            return float(supposed <= 0)
        statistic = score_statistic(self.wins, self.losses, self.n, supposed / self.scale)
        p = t_below(float(statistic), self.freedom)
        return p if self.scale > 0 else 1 - p

    def scaled(self, factor: float) -> EffectivePairs:
        """See Tail."""
        return dataclasses.replace(self, scale=self.scale * factor)


def limits_of(parts: Sequence[EffectivePairs], tail: float) -> Floats:
    """Ends of the intervals that leave out a share `tail` at either end, at once: (parts, 2)."""
    wins, losses, n, scale = np.array([(one.wins, one.losses, one.n, one.scale) for one in parts]).T
    quantiles = [t_quantile(1 - tail, one.freedom) for one in parts]
    ends = np.array(score_limits(wins, losses, n, quantiles)) * scale
    return np.sort(ends, axis=0).T


def paired_difference(
    new: Floats,
    old: Floats,
    *,
    clusters: Labels | None = None,
    combine: Combine = mean,
    level: float = 0.95,
    kind: Kind,
    bounds: tuple[float, float] = (0.0, 1.0),
    unit: float = 1.0,
) -> PairedDifference:
    """Difference of two systems on the same samples.

    Nothing is drawn at random, and neither the order of the samples nor the names of the clusters
    change anything.

    Args:
        new: (n, d), a row a sample, n at least 1.
        old: (n, d), the same samples in the same order.
        clusters: Which samples belong together, such as those about one image; None: none do.
        combine: The metric's combination, the same for both.
        kind: "binary" needs `combine` to be `mean` and every value to be one of `bounds`.
        bounds: Lowest and highest value of a binary or bounded metric.
        unit: Of a free scale: a difference that one sample may well show, though none has yet.

    Raises:
        ValueError: The shapes differ, or the values are not of the kind.
    """
    found = paired_tail(
        new, old, clusters=clusters, combine=combine, kind=kind, bounds=bounds, unit=unit
    )
    return with_interval(found, level)


def with_interval(found: PairedTail, level: float = 0.95) -> PairedDifference:
    """The difference with its interval and p-value."""
    low, high = found.tail.limits((1 - level) / 2)
    p = found.tail.below(0.0)
    return PairedDifference(
        difference=found.difference,
        low=low,
        high=high,
        p_two_sided=mid_p(*found.whole) if found.whole else min(1.0, 2 * min(p, 1 - p)),
        n=found.n,
        clusters=found.clusters,
        method=_method(found.whole is not None, found.clusters < found.n),
        small=found.clusters < FEW,
        tail=found.tail,
    )


@dataclass(frozen=True, slots=True)
class PairedTail:
    """A difference before its interval is drawn."""

    difference: float
    tail: EffectivePairs
    n: int
    clusters: int
    """Independent clusters of samples."""
    whole: tuple[int, int] | None
    """Wins and losses of right and wrong answers that are independent of one another."""


def paired_tail(
    new: Floats,
    old: Floats,
    *,
    clusters: Labels | None,
    combine: Combine,
    kind: Kind,
    bounds: tuple[float, float],
    unit: float,
) -> PairedTail:
    """What `paired_difference` rests on; see there."""
    if new.shape != old.shape:
        raise ValueError(f"paired vectors differ in shape: {new.shape} and {old.shape}")
    difference = value_of(new, combine) - value_of(old, combine)
    whole = _wins_and_losses(new, old, combine, bounds) if kind == "binary" else None
    least = unit if kind == "free" else bounds[1] - bounds[0]
    pairs, count = effective_pairs(new, old, clusters, combine, difference, least)
    if whole is None or count < len(new):
        return PairedTail(difference, pairs, len(new), count, None)
    exact = EffectivePairs(*whole, len(new), bounds[1] - bounds[0], np.inf)
    return PairedTail(difference, exact, len(new), count, whole)


def _method(exact: bool, is_clustered: bool) -> str:
    if exact:
        return "Tango score"
    return "Tango score on effective n" + (", clustered" if is_clustered else "")


def _wins_and_losses(
    new: Floats, old: Floats, combine: Combine, bounds: tuple[float, float]
) -> tuple[int, int]:
    if not (is_binary(new, combine, bounds) and is_binary(old, combine, bounds)):
        raise ValueError(f"a binary metric is a mean of values that are {bounds[0]} or {bounds[1]}")
    return int((new > old).sum()), int((new < old).sum())


def effective_pairs(
    new: Floats,
    old: Floats,
    clusters: Labels | None,
    combine: Combine,
    difference: float,
    least: float,
) -> tuple[EffectivePairs, int]:
    """Wins and losses on the effective number of samples, and the number of clusters."""
    width = new.shape[1]
    data = clustered(np.hstack([new, old]), clusters)
    sizes = data.sizes
    if combine is mean:
        observed = np.ptp(np.concatenate([new, old]))
        each = np.sort((new - old)[:, 0])
        residuals = data.sums[:, 0] - data.sums[:, 1] - difference * sizes
    else:
        parts = [
            influences(dataclasses.replace(data, sums=sums), combine)
            for sums in (data.sums[:, :width], data.sums[:, width:])
        ]
        observed = np.ptp(np.concatenate(parts))
        each = parts[0] - parts[1]
        residuals, sizes = each - difference, np.ones(len(data))
    n, scale = len(each), max(float(observed), least)
    wins, losses = float(each[each > 0].sum()) / scale, float(-each[each < 0].sum()) / scale
    whole = wins + losses - (wins - losses) ** 2 / n
    seen = cluster_variance(residuals / scale, sizes) * n * (n - 1) if len(data) > 1 else 0.0
    supposed = 1 + (float((sizes**2).sum()) / n - 1) * PRIOR_CORRELATION
    prior = 2 * prior_weight(data)
    ratio = (seen + prior * supposed) / (whole + prior)
    freedom = degrees_of_freedom(sizes)
    return EffectivePairs(wins / ratio, losses / ratio, n / ratio, scale, freedom), len(data)
