"""Scores of many answers on one metric, as the array that they were computed in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

from vlmbench.records import MetricScore
from vlmbench.stats import Floats


class Vectors(Sequence[MetricScore]):
    """Scores whose vectors are the rows of an array.

    An array takes a quarter of the room of as many tuples, is made in no time and goes to another
    process as it is. A `MetricScore` is made of a row when it is asked for.
    """

    __slots__ = ("rows",)

    def __init__(self, rows: Floats) -> None:
        """Keep the rows: (scores, length of a vector)."""
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> MetricScore: ...
    @overload
    def __getitem__(self, index: slice) -> Vectors: ...
    def __getitem__(self, index: int | slice) -> MetricScore | Vectors:
        if isinstance(index, slice):
            return Vectors(self.rows[index])
        return MetricScore(tuple(self.rows[index].tolist()))

    def __iter__(self) -> Iterator[MetricScore]:
        return map(MetricScore, map(tuple, self.rows.tolist()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]
