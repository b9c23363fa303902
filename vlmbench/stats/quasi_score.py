"""The score interval of a mean on a scale that starts at 0 and has no end.

Wilson's idea without its upper bound: compare the mean with a supposed one under the variance that
the supposed one implies. That variance is taken between a count's and a duration's, half
proportional to the mean and half to its square, scaled to what was seen (quasi-likelihood). So the
interval reaches further up than down, as scores do that are mostly small and rarely large, and
where all values are 0 it ends where Wilson's does on a scale of `scale`.

Sources: R. W. M. Wedderburn, Quasi-likelihood functions, generalized linear models, and the
Gauss-Newton method, Biometrika 61 (1974); for score intervals instead of Student's on skewed data
the simulation of docs/statistics.md, which prefers it to the bootstrap, bootstrap-t and P. Hall's
transformation (On the removal of skewness by transformation, JRSS B 54, 1992).
"""

from __future__ import annotations

import math


def quasi_score(value: float, dispersion: float, n: float, quantile: float) -> tuple[float, float]:
    """Ends of the interval.

    Args:
        value: The mean, 0 or more.
        dispersion: Variance of one value over the mean; of all zeros what one value may be.
        quantile: 1.96 of the normal distribution for 95 %; infinite gives 0 and infinity.
    """
    if math.isinf(quantile):
        return 0.0, math.inf
    # (value - m)^2 = step * m * (1 + m / base) / 2, solved for m; base keeps the upper end finite.
    step = quantile * quantile * dispersion / n
    base = max(value, step)
    if base == 0:
        return value, value
    square = 1 - step / (2 * base)
    linear = value + step / 4
    root = math.sqrt(max(0.0, linear * linear - square * value * value))
    return max(0.0, (linear - root) / square), (linear + root) / square
