"""The ground of the statistics: vectors that add up, and what their sums come to."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

Count: TypeAlias = int | Floats
"""A number of samples, or one for each of several sums."""

Combine: TypeAlias = Callable[[Floats, Count], Floats]
"""(totals of shape (..., d), numbers of samples of shape (...) or one) -> values of shape (...)."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with the ends of its interval."""

    value: float
    low: float
    high: float


def mean(totals: Floats, n: Count) -> Floats:
    """The combination of vectors of one number each: their arithmetic mean."""
    return np.asarray(totals[..., 0] / n, dtype=np.float64)


def exact_totals(vectors: Floats) -> Floats:
    """Correctly rounded column sums, the same for every order of the rows."""
    return np.array([math.fsum(column.tolist()) for column in vectors.T], dtype=np.float64)


def value_of(vectors: Floats, combine: Combine) -> float:
    """The metric's value on all samples; independent of their order.

    Args:
        vectors: (n, d), n at least 1.
    """
    return float(combine(exact_totals(vectors), len(vectors)))
