"""Samples that are not independent: sums within clusters, and the variance of what they come to.

All questions about one image are a cluster. Vectors add within it, so a cluster is one row again:
the sum of its vectors beside the number of its samples. Clusters, not samples, are what varies
when the data were drawn anew.

The variance of a mean is CR2, and intervals take Student's t with the degrees of freedom of Bell
and McCaffrey: with equal clusters the number of clusters less one, with unequal ones fewer.

Sources: R. M. Bell and D. F. McCaffrey, Bias reduction in standard errors for linear regression
with multi-stage samples, Survey Methodology 28 (2002); A. C. Cameron and D. L. Miller, A
practitioner's guide to cluster-robust inference, Journal of Human Resources 50 (2015); E. Miller,
Adding error bars to evals, arXiv 2411.00640 (2024).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vlmbench.stats.values import Combine, Floats, mean

Labels: TypeAlias = Sequence[str] | NDArray[Any]
"""The cluster of each sample, in the order of the vectors."""


@dataclass(frozen=True, slots=True)
class Clustered:
    """Vectors summed within their clusters, in an order that that of the samples cannot change."""

    sums: Floats
    """(clusters, d)"""
    sizes: Floats
    """(clusters,): the number of samples of each."""

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def n(self) -> int:
        """Number of samples."""
        return int(self.sizes.sum())

    @property
    def single(self) -> bool:
        """Whether each cluster has one sample only."""
        return bool((self.sizes == 1).all())


def clustered(vectors: Floats, clusters: Labels | None = None) -> Clustered:
    """Sums within clusters.

    Args:
        vectors: (n, d), a row a sample.
        clusters: None: each sample is its own.
    """
    if clusters is None:
        return Clustered(vectors[np.lexsort(vectors.T)], np.ones(len(vectors)))
    _, codes = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    order = np.lexsort((*vectors.T, codes))
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    sums = np.add.reduceat(vectors[order], starts, axis=0) if len(starts) else vectors
    return Clustered(sums, np.bincount(codes).astype(np.float64))


def label_errors(vectors: Floats, labels: Labels, combine: Combine) -> dict[str, float]:
    """What each label's samples contribute to the error of the value; they add up to 0.

    The sum of their squares is the variance of the value, but for a correction that fades with the
    number of labels; the sum of the products of two metrics' is the covariance.
    """
    data = clustered(vectors, labels)
    each = influences(data, combine)
    names = np.unique(np.asarray(labels, dtype=str))
    return dict(zip(names.tolist(), ((each - each.mean()) / len(each)).tolist(), strict=True))


def cluster_variance(residuals: Floats, sizes: Floats) -> float:
    """CR2 variance of a mean over n samples; infinite for one cluster.

    Args:
        residuals: (clusters,), the sum over each cluster's samples of value minus mean.
        sizes: (clusters,)
    """
    n = sizes.sum()
    if len(sizes) < 2:
        return float("inf")
    return float((residuals**2 / (1 - sizes / n)).sum() / n**2)


def degrees_of_freedom(sizes: Floats) -> float:
    """Bell and McCaffrey's degrees of freedom of the variance of a mean; 0 for one cluster."""
    if len(sizes) < 2:
        return 0.0
    shares = sizes / sizes.sum()
    squares = shares**2 / (1 - shares)
    beside = squares.sum() ** 2 - (squares**2).sum()
    return float(1 / ((shares**2).sum() + beside))


def influences(data: Clustered, combine: Combine) -> Floats:
    """What each cluster contributes to the value: (clusters,), with the value as their mean.

    For a mean that is the sum of the cluster's samples over the mean cluster size, corrected for
    the cluster's own size; for any other combination the jackknife's pseudo-values (J. W. Tukey,
    Annals of Mathematical Statistics 29, 1958), shifted to the value.
    """
    totals, n, count = data.sums.sum(axis=0), data.n, len(data)
    value = float(combine(totals, n))
    if combine is mean:
        residuals = data.sums[:, 0] - value * data.sizes
        return np.asarray(value + residuals * (count / n))
    if count < 2:
        return np.full(count, value)
    without = combine(totals - data.sums, n - data.sizes)
    pseudo = value - (count - 1) * (without - without.mean())
    return np.asarray(pseudo, dtype=np.float64)
