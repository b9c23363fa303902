"""One system's value with its interval: the method by what is known of the metric's scale.

Right or wrong: Wilson's interval. Between two bounds: Wilson's on an effective number of samples,
that number of zeros and ones whose mean would vary as much as this one does; partly right answers
raise it, questions about one image lower it. Without bounds: the quasi-likelihood score interval
(quasi_score.py). The variance is CR2 over clusters, the quantile Student's (clusters.py).

One unseen sample at each end of the range counts in the variance, half, or more where clusters
make the variance itself uncertain: so neither equal samples nor one partly right answer among right
ones narrow an interval beyond what zeros and ones would.

Sources: E. L. Korn and B. I. Graubard, Confidence intervals for proportions with small expected
number of positive counts estimated from survey data, Survey Methodology 24 (1998); N. Dean and
M. Pagano, Evaluating confidence interval methods for binomial proportions in clustered surveys,
Journal of Survey Statistics and Methodology 3 (2015).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vlmbench.stats.clusters import (
    Clustered,
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
from vlmbench.stats.proportions import wilson
from vlmbench.stats.quasi_score import quasi_score
from vlmbench.stats.student import t_quantile
from vlmbench.stats.values import Combine, Floats, Interval, mean, value_of


@dataclass(frozen=True, slots=True)
class ValueInterval:
    """A metric's value on some samples, with its interval."""

    value: float
    low: float
    high: float
    n: int
    """Samples."""
    clusters: int
    """Independent clusters of samples; n where each is its own."""
    method: str
    """The interval's name."""

    @property
    def small(self) -> bool:
        """Whether there are too few clusters to call anything on: fewer than FEW."""
        return self.clusters < FEW


def value_interval(
    vectors: Floats,
    *,
    clusters: Labels | None = None,
    combine: Combine = mean,
    kind: Kind,
    bounds: tuple[float, float] = (0.0, 1.0),
    unit: float = 1.0,
    level: float = 0.95,
) -> ValueInterval:
    """A metric's value with its interval; nothing is drawn at random.

    Args:
        vectors: (n, d), a row a sample, n at least 1.
        clusters: Which samples belong together, such as those about one image; None: none do.
        kind: "binary" needs `combine` to be `mean` and every value to be one of `bounds`; "free"
            values are 0 or more.
        bounds: Lowest and highest value of a binary or bounded metric.
        unit: Of a free scale: how far above the mean one sample may well be, though none is yet.

    Raises:
        ValueError: The values are not of the kind.
    """
    if kind == "binary" and not is_binary(vectors, combine, bounds):
        raise ValueError(f"a binary metric is a mean of values that are {bounds[0]} or {bounds[1]}")
    data = clustered(vectors, clusters)
    value = value_of(vectors, combine)
    spread = _spread(vectors, data, combine, value)
    tail = (1 + level) / 2
    if kind == "binary" and data.single:
        method, quantile = "Wilson", t_quantile(tail, np.inf)
    else:
        method = "quasi-score" if kind == "free" else "Wilson on effective n"
        method += "" if data.single else ", clustered"
        # One value says nothing of a bound, but of a free scale at least where on it it is.
        freedom = max(spread.freedom, 1.0) if kind == "free" else spread.freedom
        quantile = t_quantile(tail, freedom)
    if kind == "free":
        low, high = _free(spread, value, unit, quantile)
    else:
        low, high = _bounded(spread, value, bounds, quantile)
    return ValueInterval(value, low, high, len(vectors), len(data), method)


def share_interval(
    values: Floats, *, clusters: Labels | None = None, level: float = 0.95
) -> Interval:
    """Interval of the mean of values between 0 and 1.

    Args:
        values: (n,), n at least 1.
        clusters: See `value_interval`.
    """
    vectors = values.reshape(-1, 1)
    kind: Kind = "binary" if is_binary(vectors, mean, (0.0, 1.0)) else "bounded"
    found = value_interval(vectors, clusters=clusters, kind=kind, level=level)
    return Interval(found.value, found.low, found.high)


@dataclass(frozen=True, slots=True)
class _Spread:
    """How much the single values vary, and how much their clusters do."""

    each: Floats
    """Values whose mean is the metric's, sorted; of samples, or of clusters for corpus metrics."""
    squares: float
    """n (n - 1) times the variance of the mean: of independent values the sum of their squared
    distances from it."""
    design: float
    """What is supposed of the design effect before any is seen."""
    freedom: float
    weight: float
    """Of each unseen sample."""


def _spread(vectors: Floats, data: Clustered, combine: Combine, value: float) -> _Spread:
    sizes = data.sizes
    if combine is mean:
        each = np.sort(vectors[:, 0])
        residuals = data.sums[:, 0] - value * sizes
    else:
        each = np.sort(influences(data, combine))
        residuals, sizes = influences(data, combine) - value, np.ones(len(data))
    n = len(each)
    squares = cluster_variance(residuals, sizes) * n * (n - 1) if len(sizes) > 1 else 0.0
    design = 1 + (float((sizes**2).sum()) / n - 1) * PRIOR_CORRELATION
    return _Spread(each, squares, design, degrees_of_freedom(sizes), prior_weight(data))


def _bounded(
    spread: _Spread, value: float, bounds: tuple[float, float], quantile: float
) -> tuple[float, float]:
    floor, width = bounds[0], bounds[1] - bounds[0]
    share, n = min(1.0, max(0.0, (value - floor) / width)), len(spread.each)
    unseen = spread.weight * (share**2 + (1 - share) ** 2)
    whole = n * share * (1 - share) + unseen
    ratio = (spread.squares / width**2 + unseen * spread.design) / whole
    low, high = wilson(share, n / ratio, quantile)
    return floor + low * width, floor + high * width


def _free(spread: _Spread, value: float, unit: float, quantile: float) -> tuple[float, float]:
    """From below as from 0; where the long tail is the lower one, from the highest value down."""
    each, n = spread.each, len(spread.each)
    top = float(each[-1])
    down = float(((each - value) ** 3).sum()) < 0 and top > value
    origin = top - value if down else max(0.0, value)
    scale = max(top - float(each[0]) if down else top, origin + unit)
    unseen = spread.weight * (scale - origin) ** 2
    whole = n * origin + spread.weight * (scale - origin)
    dispersion = (spread.squares + unseen * spread.design) / whole
    low, high = quasi_score(origin, dispersion, n, quantile)
    ends = (top - high, top - low) if down else (low, high)
    return max(0.0, ends[0]), ends[1]
