"""What is known of a metric's scale, and what is supposed of samples that were not seen."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np

from vlmbench.stats.clusters import Clustered
from vlmbench.stats.values import Combine, Floats, mean

Kind: TypeAlias = Literal["binary", "bounded", "free"]
"""Each score is one of two values; or between two; or 0 or more without a practical end."""

FEW = 10
"""Fewer independent clusters than this are too few to call a verdict on."""

PRIOR_CORRELATION = 0.5
"""What is supposed of the correlation within clusters as long as nothing is seen of it."""


def prior_weight(data: Clustered) -> float:
    """How much each of two unseen samples, one at either end of the scale, counts.

    Clusters that differ in size from single samples leave the design effect to be seen as well,
    which takes more of them.
    """
    return 0.5 if data.single else 0.75


def is_binary(vectors: Floats, combine: Combine, bounds: tuple[float, float]) -> bool:
    """Whether the value is a mean of lowest and highest values only."""
    return combine is mean and bool(np.isin(vectors, bounds).all())
