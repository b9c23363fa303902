"""Intervals and paired tests: numbers in, numbers out.

A metric gives each sample one additive vector, and a function turns a sum of vectors into the
metric's value. Resampling therefore needs no scoring: a resample is a vector of counts (how often
each sample was drawn), and its sum is one product of matrices.

All intervals are percentile intervals at the stated level. Resampling is reproducible bit for
bit: the draws come from the raw PCG64 stream, whose values NumPy guarantees, and the sums are
exact (see `_on_grid`), so that neither the CPU nor the BLAS library shows in a result.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from vlmbench.stats.values import Combine, Floats, Interval, mean, value_of

_DRAWS = 1 << 17
"""Draws that are held at a time, or a few more: about 5 MB with what is computed from them."""


def resampled_totals(vectors: Floats, *, resamples: int, seed: int) -> Floats:
    """Sums of `resamples` samples of n rows drawn with replacement, of shape (resamples, d).

    Equal n and seed draw the same rows, so columns of several metrics may be given side by side,
    or each for itself and compared as pairs.

    Args:
        vectors: (n, d), n at least 1.
        seed: Equal seeds draw the same rows, on every machine.
    """
    n, width = vectors.shape
    grid = _on_grid(vectors)
    totals = np.empty((resamples, width))
    stream = np.random.PCG64(seed)
    at_once = max(1, _DRAWS // n)
    for start in range(0, resamples, at_once):
        some = min(at_once, resamples - start)
        totals[start : start + some] = _draw_counts(stream, some, n) @ grid
    return totals


def percentile_interval(values: Floats, *, level: float = 0.95) -> tuple[float, float]:
    """The ends between which the middle share `level` of `values` lies."""
    tail = (1 - level) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def bootstrap_interval(
    vectors: Floats, combine: Combine, *, resamples: int = 1000, level: float = 0.95, seed: int
) -> Interval:
    """Percentile bootstrap interval of a metric over samples.

    Args:
        vectors: (n, d), a row a sample, n at least 1.
        level: Share of resamples inside the interval.
        seed: Equal seeds give equal intervals, on every machine.

    Returns:
        The value and its interval. With one sample, or samples that are all equal, resampling
        shows no spread and both ends are the value; `proportion_interval` is the better answer
        then for a metric with a fixed range.
    """
    values = combine(resampled_totals(vectors, resamples=resamples, seed=seed), len(vectors))
    low, high = percentile_interval(values, level=level)
    return Interval(value_of(vectors, combine), low, high)


def share_interval(
    values: Floats, *, resamples: int = 1000, level: float = 0.95, seed: int
) -> Interval:
    """Interval of the mean of values between 0 and 1.

    The bootstrap's, and Wilson's (`proportion_interval`) where resampling shows no spread.

    Args:
        values: (n,), n at least 1.
        level: Share of resamples inside the interval.
        seed: Equal seeds give equal intervals, on every machine.
    """
    vectors = values.reshape(-1, 1)
    found = bootstrap_interval(vectors, mean, resamples=resamples, level=level, seed=seed)
    if found.high - found.low > 1e-9:
        return found
    return Interval(found.value, *proportion_interval(found.value, len(values), level=level))


def proportion_interval(proportion: float, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval for a mean of n values between 0 and 1.

    Unlike the bootstrap it does not collapse when all values are 0 or all are 1. For values that
    are not only 0 or 1 it is conservative: no variable on [0, 1] with mean p varies more than
    p (1 - p).

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference,
    JASA 22 (1927).
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    center = (proportion + z * z / (2 * n)) / (1 + z * z / n)
    spread = proportion * (1 - proportion) / n + z * z / (4 * n * n)
    half = z * math.sqrt(spread) / (1 + z * z / n)
    # At 0 and 1 the formula's end is exact in theory and off by rounding in practice.
    low = 0.0 if proportion == 0 else max(0.0, center - half)
    high = 1.0 if proportion == 1 else min(1.0, center + half)
    return low, high


def _draw_counts(stream: np.random.PCG64, resamples: int, n: int) -> Floats:
    """How often each of n rows is drawn in n draws with replacement, of shape (resamples, n).

    Multiply and shift maps 32 random bits to a row with a bias below n / 2**32.
    """
    raw = stream.random_raw(resamples * n)
    raw >>= np.uint64(32)
    raw *= np.uint64(n)
    raw >>= np.uint64(32)
    drawn = raw.view(np.int64)
    drawn += np.repeat(np.arange(resamples) * n, n)
    counts = np.bincount(drawn, minlength=resamples * n)
    return counts.reshape(resamples, n).astype(np.float64)


def _on_grid(vectors: Floats) -> Floats:
    """The vectors rounded so that every sum of n of them is exact in float64.

    Each column becomes multiples of a power of two, so small that n of its largest values stay
    below 2**53 of it. Integers that small are added without rounding, so the order of addition,
    which differs between BLAS libraries, cannot matter. The change is below 1e-11 of the largest
    value for up to 100,000 samples; counts do not change at all.
    """
    n = len(vectors)
    largest = np.abs(vectors).max(axis=0)
    _, exponent = np.frexp(np.where(largest > 0, largest * n, 1.0))
    step = np.exp2(exponent.astype(np.float64) - 52)
    return np.asarray(np.rint(vectors / step) * step, dtype=np.float64)
