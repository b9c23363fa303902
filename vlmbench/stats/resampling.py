"""The bootstrap, for what no formula gives an interval of, such as the worst of several prompts.

A metric gives each sample one additive vector, and a function turns a sum of vectors into the
metric's value. Resampling therefore needs no scoring: a resample is a vector of counts (how often
each row was drawn), and its sum is one product of matrices.

Resampling is reproducible bit for bit: the draws come from the raw PCG64 stream, whose values NumPy
guarantees, and the sums are exact (see `_on_grid`), so that neither the CPU nor the BLAS library
shows in a result.

Source: B. Efron, Bootstrap methods: another look at the jackknife, Annals of Statistics 7 (1979);
clusters are drawn whole, as in C. A. Field and A. H. Welsh, Bootstrapping clustered data, JRSS B 69
(2007).
"""

from __future__ import annotations

import numpy as np

from vlmbench.stats.values import Floats

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
