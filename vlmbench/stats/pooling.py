"""One difference out of several: the mean over tasks, on a common scale.

The interval combines the tasks' own (MOVER, the method of variance estimates recovery): the lower
end of the mean lies below it by the root of the summed squares of the distances of the parts' lower
ends. So it keeps what makes the parts' intervals right, their asymmetry and their width where
nothing differs.

Source: A. Donner and G. Y. Zou, Closed-form confidence intervals for functions of the normal mean
and standard deviation, Statistical Methods in Medical Research 21 (2012); G. Y. Zou and A. Donner,
Construction of confidence limits about effect measures: a general approach, Statistics in Medicine
27 (2008).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vlmbench.stats.kinds import FEW
from vlmbench.stats.paired import EffectivePairs, PairedDifference, Tail, limits_of
from vlmbench.stats.student import t_below
from vlmbench.stats.values import Floats

_SURE = 38.0
"""Standard errors beyond which no probability is left."""


def mover(
    values: Floats, lows: Floats, highs: Floats, weights: Floats, correlations: Floats | None = None
) -> tuple[float, float]:
    """Ends of the interval of a weighted sum out of the ends of its parts.

    Args:
        correlations: Of the parts' errors, (parts, parts); None: they are independent.
    """
    below, above = weights * (values - lows), weights * (highs - values)
    down, up = np.where(weights < 0, -above, below), np.where(weights < 0, -below, above)
    total = float((weights * values).sum())
    return total - _length(down, correlations), total + _length(up, correlations)


def pooled(
    differences: Sequence[PairedDifference],
    *,
    correlations: Floats | None = None,
    level: float = 0.95,
) -> PairedDifference:
    """The mean of differences that are on one scale already (`PairedDifference.scaled`).

    Every task counts the same, however many samples it has.

    Args:
        differences: At least one.
        correlations: Of their errors; None: the tasks ask different questions.
    """
    weights = np.full(len(differences), 1 / len(differences))
    tail = _Pooled(
        tuple(float(one.difference) for one in differences),
        tuple(one.tail for one in differences),
        weights,
        correlations,
    )
    low, high = tail.limits((1 - level) / 2)
    p = tail.below(0.0)
    clusters = sum(one.clusters for one in differences)
    return PairedDifference(
        difference=float(np.mean(tail.values)),
        low=low,
        high=high,
        p_two_sided=min(1.0, 2 * min(p, 1 - p)),
        n=sum(one.n for one in differences),
        clusters=clusters,
        method="MOVER of " + ", ".join(sorted({one.method for one in differences})),
        small=clusters < FEW,
        tail=tail,
    )


@dataclass(frozen=True, slots=True)
class _Pooled:
    values: tuple[float, ...]
    tails: tuple[Tail, ...]
    weights: Floats
    correlations: Floats | None

    @property
    def error(self) -> float:
        errors = np.array([one.error for one in self.tails])
        return _length(self.weights * errors, self.correlations)

    def limits(self, tail: float) -> tuple[float, float]:
        pairs = [one for one in self.tails if isinstance(one, EffectivePairs)]
        whole = len(pairs) == len(self.tails)
        ends = (
            limits_of(pairs, tail) if whole else np.array([one.limits(tail) for one in self.tails])
        )
        values = np.array(self.values)
        return mover(values, ends[:, 0], ends[:, 1], self.weights, self.correlations)

    def below(self, supposed: float) -> float:
        """The tail at which the end of the interval that lies towards `supposed` reaches it."""
        from scipy.optimize import brentq

        total = float((self.weights * np.array(self.values)).sum())
        side = 1 if supposed > total else 0

        def beyond(quantile: float) -> float:
            return self.limits(t_below(-quantile, np.inf))[side] - supposed

        if abs(supposed - total) < 1e-15:
            return 0.5
        if np.sign(beyond(_SURE)) == np.sign(beyond(0.0)):
            return float(side == 0)
        quantile = float(brentq(beyond, 0.0, _SURE, xtol=1e-12))
        return t_below(-quantile if side else quantile, np.inf)

    def scaled(self, factor: float) -> _Pooled:
        return _Pooled(
            tuple(value * factor for value in self.values),
            tuple(one.scaled(factor) for one in self.tails),
            self.weights,
            self.correlations,
        )


def _length(distances: Floats, correlations: Floats | None) -> float:
    if correlations is None:
        return float(np.sqrt((distances**2).sum()))
    return float(np.sqrt(max(0.0, float(distances @ correlations @ distances))))
