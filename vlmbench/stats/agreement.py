"""Intervals of how far raters agree, and how far two numbers go together.

A coefficient of a table of counts (Cohen's kappa, Krippendorff's alpha) is nonlinear and often at
its end, where neither its standard error nor resampling says anything. The interval is Bayesian:
each cluster of units gets a random weight (the Bayesian bootstrap), and one and a half units that
nobody saw are added, one on which the raters agree and half a one on which they do not.

A rank correlation has the interval of Fisher's z with the standard error of Bonett and Wright.

Sources: D. B. Rubin, The Bayesian bootstrap, Annals of Statistics 9 (1981); S. Bowyer,
L. Aitchison and D. R. Ivanova, Don't use the CLT in LLM evals with fewer than a few hundred
datapoints, arXiv 2503.01747 (2025); D. G. Bonett and T. A. Wright, Sample size requirements for
estimating Pearson, Kendall and Spearman correlations, Psychometrika 65 (2000).
"""

from __future__ import annotations

import math

import numpy as np

from vlmbench.stats.clusters import Labels, clustered
from vlmbench.stats.resampling import percentile_interval
from vlmbench.stats.student import t_quantile
from vlmbench.stats.values import Combine, Floats, Interval, value_of

AGREEING, DIFFERING = 1.0, 0.5
"""Units that nobody saw, on which the raters agree and differ."""

_DRAWS = 2000
_CELLS = 1 << 20
"""Weights that are held at a time."""


def table_interval(
    tables: Floats,
    combine: Combine,
    *,
    clusters: Labels | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Interval | None:
    """A coefficient of square tables with its interval; None where it is not defined.

    Args:
        tables: (units, labels, labels): what each unit adds to the table.
        combine: From sums of tables, flattened, to the coefficient.
        clusters: Which units belong together.
        seed: Of the weights; the order of units does not matter.
    """
    if not len(tables):
        return None
    side = tables.shape[-1]
    vectors = tables.reshape(len(tables), -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = value_of(vectors, combine)
        if not math.isfinite(value):
            return None
        data = clustered(vectors, clusters)
        draws = _weighted(data.sums, seed) + _unseen(side, float(tables.sum()) / len(tables), seed)
        values = combine(draws, len(vectors))
    values = np.sort(values[np.isfinite(values)])
    low, high = percentile_interval(values, level=level)
    return Interval(value, min(low, value), max(high, value))


def correlation_interval(value: float, n: int, *, level: float = 0.95) -> Interval:
    """Spearman's correlation with its interval.

    Args:
        n: Independent pairs; three or fewer say nothing.
    """
    if n <= 3:
        return Interval(value, -1.0, 1.0)
    error = math.sqrt((1 + value * value / 2) / (n - 3))
    reach = t_quantile((1 + level) / 2, math.inf) * error
    center = math.atanh(max(-1 + 1e-15, min(1 - 1e-15, value)))
    if abs(value) >= 1 - 1e-12:
        # One pair more, at odds with the others, keeps the other end from being certain.
        center = math.copysign(math.atanh(1 - 1 / n), value)
    low, high = math.tanh(center - reach), math.tanh(center + reach)
    return Interval(value, min(low, value), max(high, value))


def _weighted(sums: Floats, seed: int) -> Floats:
    """Sums over clusters with exponential weights: (draws, cells)."""
    found = np.empty((_DRAWS, sums.shape[1]))
    stream = np.random.PCG64(seed)
    at_once = max(1, _CELLS // len(sums))
    for start in range(0, _DRAWS, at_once):
        some = min(at_once, _DRAWS - start)
        weights = -np.log(_uniform(stream, (some, len(sums))))
        found[start : start + some] = weights @ sums
    return found


def _unseen(side: int, mass: float, seed: int) -> Floats:
    """Gamma weights of the units that nobody saw, spread evenly over the cells of the table."""
    from scipy.special import gammaincinv

    stream = np.random.PCG64([seed, 1])
    drawn = gammaincinv([AGREEING, DIFFERING], _uniform(stream, (_DRAWS, 2)))
    same = np.eye(side).ravel() / side
    other = (1 - np.eye(side)).ravel() / max(1, side * (side - 1))
    return np.asarray((drawn[:, :1] * same + drawn[:, 1:] * other) * mass)


def _uniform(stream: np.random.PCG64, shape: tuple[int, int]) -> Floats:
    """Numbers above 0 and below 1 from the raw stream, the same on every machine."""
    raw = stream.random_raw(shape[0] * shape[1])
    return ((raw >> np.uint64(11)).astype(np.float64).reshape(shape) + 0.5) * 2.0**-53
