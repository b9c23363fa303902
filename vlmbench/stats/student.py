"""Student's t, and the normal distribution as the t of infinitely many degrees of freedom."""

from __future__ import annotations

import math


def t_quantile(share: float, freedom: float) -> float:
    """The value that a share of the distribution lies below; infinite without any freedom."""
    from scipy.special import ndtri, stdtrit

    if freedom <= 0:
        return math.copysign(math.inf, share - 0.5) if share != 0.5 else 0.0
    return float(ndtri(share) if math.isinf(freedom) else stdtrit(freedom, share))


def t_below(value: float, freedom: float) -> float:
    """The share of the distribution below a value; a half without any freedom."""
    from scipy.special import ndtr, stdtr

    if freedom <= 0:
        return 0.5
    return float(ndtr(value) if math.isinf(freedom) else stdtr(freedom, value))
