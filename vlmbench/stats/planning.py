"""How many samples a question takes, before it is asked.

Two systems differ by `difference` on average and by `sd` from sample to sample. Their interval from
n samples lies wholly above a boundary with a probability that follows from the score statistic
(score_pairs.py) at the expected counts, whose variance is the one the boundary implies:

    power = P(Z < (T - z) * sqrt(v0 / v1))

with T the statistic at the expected counts, v0 its variance at the boundary and v1 = sd^2. Where
few samples are expected to differ, the probabilities of all counts are added up instead.

Sources: J. M. Lachin, Introduction to sample size determination and power analysis for clinical
trials, Controlled Clinical Trials 2 (1981); J.-P. Liu, H.-M. Hsueh, E. Hsieh and J. J. Chen, Tests
for equivalence or non-inferiority for paired binary data, Statistics in Medicine 21 (2002);
E. Miller, Adding error bars to evals, arXiv 2411.00640 (2024).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from vlmbench.stats.score_pairs import score_statistic
from vlmbench.stats.student import t_below, t_quantile

POWER = 0.8
LEVEL = 0.95
_MOST = 10**9
_FEW_DIFFER = 60
"""Samples that differ; up to them the normal distribution is too coarse."""


def power_above(
    boundary: float,
    difference: float,
    sd: float,
    n: int,
    *,
    scale: float = 1.0,
    level: float = LEVEL,
) -> float:
    """Probability that the interval of a difference lies wholly above the boundary.

    By symmetry also of lying wholly below it, with all signs turned.

    Args:
        difference: The true one, above the boundary.
        sd: Standard deviation of one sample's difference; with clusters times the root of the
            design effect (`PairedDifference.sd`).
        scale: What one whole win is worth, such as the width of the metric's range.
    """
    gain, spread, line = difference / scale, sd / scale, boundary / scale
    whole = min(1.0, max(spread**2 + gain**2, abs(gain)))
    z = t_quantile((1 + level) / 2, math.inf)
    if n * whole <= _FEW_DIFFER:
        return _exact_power(line, whole, gain, n, z)
    wins, losses = n * (whole + gain) / 2, n * (whole - gain) / 2
    statistic = float(score_statistic(wins, losses, n, line))
    true = math.sqrt(max(whole - gain**2, 0.0))
    if true == 0:
        return float(statistic > z)
    supposed = math.sqrt(n) * (gain - line) / statistic
    return t_below((statistic - z) * supposed / true, math.inf)


def _exact_power(line: float, whole: float, gain: float, n: int, z: float) -> float:
    """The same for wins and losses of 1, with a share `whole` of the samples that differ."""
    from scipy.stats import binom

    most = int(n * whole + 10 * math.sqrt(n * whole) + 20)
    differing, wins = (of.ravel() for of in np.indices((min(n, most) + 1,) * 2))
    possible = wins <= differing
    differing, wins = differing[possible], wins[possible]
    share = (1 + gain / whole) / 2 if whole else 0.5
    chance = binom.pmf(differing, n, whole) * binom.pmf(wins, differing, share)
    statistic = score_statistic(wins, differing - wins, n, line)
    return float(chance[statistic > z].sum())


def samples_for_effect(
    effect: float, sd: float, *, scale: float = 1.0, power: float = POWER, level: float = LEVEL
) -> int:
    """Samples that it takes for the interval of a true difference `effect` to leave out 0."""
    return _fewest(lambda n: power_above(0.0, effect, sd, n, scale=scale, level=level), power)


def samples_for_margin(
    margin: float, sd: float, *, scale: float = 1.0, power: float = POWER, level: float = LEVEL
) -> int:
    """Samples that it takes for equal systems to pass: an interval wholly above -margin."""
    return _fewest(lambda n: power_above(-margin, 0.0, sd, n, scale=scale, level=level), power)


def effect_at(
    n: int, sd: float, *, scale: float = 1.0, power: float = POWER, level: float = LEVEL
) -> float:
    """The smallest true difference that n samples show with the given probability.

    At most the scale, of which it may not be shown either.
    """
    return _smallest(lambda e: power_above(0.0, e, sd, n, scale=scale, level=level), power, scale)


def margin_at(
    n: int, sd: float, *, scale: float = 1.0, power: float = POWER, level: float = LEVEL
) -> float:
    """The smallest margin at which n samples let equal systems pass with the given probability."""
    return _smallest(lambda m: power_above(-m, 0.0, sd, n, scale=scale, level=level), power, scale)


def _fewest(power_of: Callable[[int], float], wanted: float) -> int:
    enough = 2
    while power_of(enough) < wanted and enough < _MOST:
        enough *= 2
    short = enough // 2
    while enough - short > 1:
        middle = (short + enough) // 2
        short, enough = (short, middle) if power_of(middle) >= wanted else (middle, enough)
    return enough


def _smallest(power_of: Callable[[float], float], wanted: float, scale: float) -> float:
    below, above = 0.0, scale
    for _ in range(50):
        middle = (below + above) / 2
        below, above = (below, middle) if power_of(middle) >= wanted else (middle, above)
    return float(np.float64(above))
