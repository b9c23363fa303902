"""The score interval of a paired difference, on counts of wins and losses.

Two systems answer the same n samples; one wins on some, the other on some. Tango's score statistic
compares the difference with a supposed one under the variance that the supposed one implies, so the
interval does not collapse where few samples differ: with none of n it still reaches z^2 / (n + z^2)
either way.

Source: T. Tango, Equivalence test and confidence interval for the difference in proportions for the
paired-sample design, Statistics in Medicine 17 (1998).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vlmbench.stats.values import Floats

_HALVINGS = 60
"""Of an interval of length 2: the ends are exact to 2e-18 times 2."""


def score_statistic(wins: ArrayLike, losses: ArrayLike, n: ArrayLike, supposed: ArrayLike) -> Any:
    """Tango's statistic: how many standard errors the difference lies above the supposed one.

    Args:
        wins: Samples that only the first system has right; need not be whole.
        losses: Samples that only the second has right.
        supposed: The difference under the hypothesis, between -1 and 1.
    """
    wins, losses, n, supposed = (
        np.asarray(x, dtype=np.float64) for x in (wins, losses, n, supposed)
    )
    linear = (2 * n - wins + losses) * supposed - wins - losses
    constant = -losses * supposed * (1 - supposed)
    root = np.sqrt(np.maximum(linear**2 - 8 * n * constant, 0))
    lost = (root - linear) / (4 * n)
    variance = np.maximum(n * (2 * lost + supposed * (1 - supposed)), 0)
    distance = wins - losses - n * supposed
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = distance / np.sqrt(variance)
    return np.where(np.abs(distance) < 1e-12 * np.maximum(n, 1), 0.0, statistic)


def score_limits(
    wins: ArrayLike, losses: ArrayLike, n: ArrayLike, quantile: ArrayLike
) -> tuple[Floats, Floats]:
    """Ends of the interval of the difference: where the statistic is plus and minus the quantile.

    Args:
        quantile: 1.96 of the normal distribution for 95 %; infinite gives -1 and 1.
    """
    wins, losses, n, quantile = np.broadcast_arrays(
        *(np.asarray(x, dtype=np.float64) for x in (wins, losses, n, quantile))
    )
    center = (wins - losses) / n
    ends = _crossing(
        wins,
        losses,
        n,
        np.stack([np.full(n.shape, -1.0), center]),
        np.stack([center, np.full(n.shape, 1.0)]),
        np.stack([quantile, -quantile]),
    )
    return ends[0], ends[1]


def _crossing(
    wins: Floats, losses: Floats, n: Floats, below: Floats, above: Floats, target: Floats
) -> Floats:
    """Where the statistic, which falls with the supposed difference, crosses the target."""
    ends = np.where(target > 0, below, above)
    for _ in range(_HALVINGS):
        middle = (below + above) / 2
        higher = score_statistic(wins, losses, n, middle) > target
        below, above = np.where(higher, middle, below), np.where(higher, above, middle)
    return np.asarray(np.where(np.isinf(target), ends, (below + above) / 2), dtype=np.float64)
