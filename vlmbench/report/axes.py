"""The axis on which a column's values are drawn, so that their differences can be seen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

_MARGIN = 0.04
"""Share of the axis that stays free at either end."""

_NARROWEST = 0.02
"""Width of an axis on which nothing differs, in shares of the largest value."""


class Axis(NamedTuple):
    """What the left and the right end of a drawn axis stand for."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Where a value lies, in hundredths of the axis; outside values stand at its ends."""
        return 100 * min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def holds(self, value: float) -> bool:
        """Whether a value lies on the axis."""
        return self.low <= value <= self.high


class HasInterval(Protocol):
    """A value with the ends of its interval."""

    @property
    def value(self) -> float | None:
        """The value."""

    @property
    def low(self) -> float | None:
        """Its lower end."""

    @property
    def high(self) -> float | None:
        """Its upper end."""


def axis_of(estimates: Iterable[HasInterval]) -> Axis:
    """The axis from the lowest to the highest end of some intervals."""
    ends = [end for one in estimates for end in (one.value, one.low, one.high) if end is not None]
    if not ends:
        return Axis(0.0, 1.0)
    low, high = min(ends), max(ends)
    width = max(high - low, _NARROWEST * max(abs(low), abs(high), 0.5))
    center = (low + high) / 2
    half = width * (0.5 + _MARGIN)
    return Axis(center - half, center + half)
