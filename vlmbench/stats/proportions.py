"""Wilson's score interval of a proportion.

Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22
(1927).
"""

from __future__ import annotations

import math
from statistics import NormalDist


def proportion_interval(proportion: float, n: float, *, level: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a share of n values that are 0 or 1; it never has no width."""
    return wilson(proportion, n, NormalDist().inv_cdf((1 + level) / 2))


def wilson(proportion: float, n: float, quantile: float) -> tuple[float, float]:
    """Wilson's interval for a quantile of one's choice.

    Args:
        proportion: Between 0 and 1.
        n: Above 0; need not be whole.
        quantile: 1.96 of the normal distribution for 95 %; infinite gives 0 and 1.
    """
    if math.isinf(quantile):
        return 0.0, 1.0
    squared = quantile * quantile
    center = (proportion + squared / (2 * n)) / (1 + squared / n)
    spread = max(0.0, proportion * (1 - proportion)) / n + squared / (4 * n * n)
    half = quantile * math.sqrt(spread) / (1 + squared / n)
    # At 0 and 1 the formula's end is exact in theory and off by rounding in practice.
    low = 0.0 if proportion <= 0 else max(0.0, center - half)
    high = 1.0 if proportion >= 1 else min(1.0, center + half)
    return low, high
