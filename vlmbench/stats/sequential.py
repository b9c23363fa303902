"""Looking while samples come in: an interval that holds at all times at once.

An ordinary interval looked at after every batch is wrong far more often than 5 %. A confidence
sequence is wrong with at most 5 % at *any* time, so one may stop whenever it says enough.

Each mean m that is still possible is bet against, with stakes that depend on the past only; the
capital of a bet against the true mean is a martingale, and exceeds 1 / alpha with a probability of
at most alpha (Ville). Means whose bettor got that rich are out for good.

Source: I. Waudby-Smith and A. Ramdas, Estimating means of bounded random variables by betting,
Journal of the Royal Statistical Society B 86 (2024): the hedged capital process with predictable
plug-in stakes; time-uniform coverage after S. R. Howard, A. Ramdas, J. McAuliffe and J. Sekhon,
Annals of Statistics 49 (2021).
"""

from __future__ import annotations

import math

import numpy as np

from vlmbench.stats.values import Floats

_GRID = 2000
"""Means that are bet against, evenly over the range; the interval keeps a step on either side."""
_BOLDEST = 0.5
"""Most of the capital that is staked on one outcome."""


class ConfidenceSequence:
    """The interval of a mean of values between two bounds, after each batch.

    Args:
        bounds: Lowest and highest possible value; of a paired difference on a metric from 0 to 1
            these are -1 and 1.
        level: The probability that no interval ever leaves out the mean.
        largest: Samples in the largest cluster, where samples come in clusters.
    """

    def __init__(
        self, bounds: tuple[float, float] = (-1.0, 1.0), *, level: float = 0.95, largest: int = 1
    ) -> None:
        self.low, self.high = bounds
        """Ends of the interval as of now."""
        self.n = 0
        """Samples seen."""
        self._floor, self._width = bounds[0], bounds[1] - bounds[0]
        self._largest = largest
        self._alpha = 1 - level
        self._means = np.linspace(0, 1, _GRID + 1)
        self._up = np.zeros(_GRID + 1)
        self._down = np.zeros(_GRID + 1)
        self._units = 0
        self._sum, self._squares = 0.5, 0.25

    def update(self, sums: Floats, sizes: Floats | None = None) -> tuple[float, float]:
        """Takes the next values into account, in the order in which they came.

        Args:
            sums: The values, or their sums over clusters.
            sizes: The number of samples of each cluster; None: one each.

        Returns:
            The ends of the interval, never outside the ones before.
        """
        counts = np.ones(len(sums)) if sizes is None else np.asarray(sizes, dtype=np.float64)
        shares = (np.asarray(sums, dtype=np.float64) - counts * self._floor) / self._width
        for share, count in zip(shares.tolist(), counts.tolist(), strict=True):
            self._bet(share / self._largest, count / self._largest)
            self.n += round(count)
        return self._close()

    def _bet(self, value: float, weight: float) -> None:
        """One outcome: `value` where a mean m expects weight * m."""
        self._units += 1
        time = self._units
        variance = self._squares / time
        stake = math.sqrt(2 * math.log(2 / self._alpha) / (variance * time * math.log(time + 1)))
        means = self._means
        with np.errstate(divide="ignore"):
            up = np.minimum(stake, _BOLDEST / means)
            down = np.minimum(stake, _BOLDEST / (1 - means))
        surprise = value - weight * means
        self._up += np.log1p(up * surprise)
        self._down += np.log1p(-down * surprise)
        center = (self._sum + value / weight) / (time + 1)
        self._sum += value / weight
        self._squares += (value / weight - center) ** 2 * weight**2

    def _close(self) -> tuple[float, float]:
        limit = math.log(2 / self._alpha)
        possible = np.flatnonzero((self._up < limit) & (self._down < limit))
        step = self._width / _GRID
        if len(possible):
            low = self._floor + self._width * self._means[possible[0]] - step
            high = self._floor + self._width * self._means[possible[-1]] + step
            self.low, self.high = max(self.low, float(low)), min(self.high, float(high))
        return self.low, self.high
