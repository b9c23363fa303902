"""The scores of a task by column: what estimates are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from vlmbench.records import SampleScores, Scalar
from vlmbench.stats import Floats

_Rows: TypeAlias = NDArray[np.bool_]
"""For each row of the table whether it is meant."""


@dataclass(frozen=True, slots=True)
class _Scores:
    """One metric's columns."""

    applies: _Rows
    """Whether the metric is for the sample, and the sample was answered."""
    scored: _Rows
    vectors: Floats
    """(rows, length of a vector); 0 where there is none."""


class ScoreTable:
    """Scores, a row a sample.

    Args:
        rows: Vectors come in their order.
        sizes: Length of each metric's vectors, by the metric's id.
        slices: Fields whose values make parts.
    """

    def __init__(
        self, rows: Sequence[SampleScores], sizes: Mapping[str, int], slices: Sequence[str] = ()
    ) -> None:
        self.errors = np.array([row.error is not None for row in rows], dtype=np.bool_)
        self.clusters = np.array([row.cluster or row.id for row in rows], dtype=np.str_)
        self.scores = {name: _columns(rows, name, size) for name, size in sizes.items()}
        self._slices = {field: _rows_by_value(rows, field) for field in slices}

    def __len__(self) -> int:
        return len(self.errors)

    def parts(self) -> Iterator[TablePart]:
        """The whole and each slice; the slices by field and value."""
        yield TablePart(self, None, np.ones(len(self), dtype=np.bool_))
        for field, values in self._slices.items():
            for value, rows in values:
                yield TablePart(self, {field: value}, rows)


@dataclass(frozen=True, slots=True)
class TablePart:
    """Some rows of a table."""

    table: ScoreTable
    slice: dict[str, Scalar] | None
    """None: all rows."""
    rows: _Rows

    def __len__(self) -> int:
        return int(np.count_nonzero(self.rows))

    def errors(self) -> int:
        """How many rows have an error instead of an answer."""
        return int(np.count_nonzero(self.table.errors & self.rows))

    def concerns(self, name: str) -> bool:
        """Whether a metric is for any of the rows."""
        return bool((self.table.scores[name].applies & self.rows).any())

    def unscored(self, name: str) -> int:
        """How many of the rows a metric could not score."""
        scores = self.table.scores[name]
        return int(np.count_nonzero(scores.applies & ~scores.scored & self.rows))

    def vectors(self, name: str) -> Floats:
        """A metric's vectors of the rows that it has scored, (n, d), in the table's order."""
        scores = self.table.scores[name]
        return scores.vectors[scores.scored & self.rows]

    def clusters(self, name: str) -> NDArray[np.str_]:
        """The clusters of the rows that a metric has scored, in the table's order."""
        return self.table.clusters[self.table.scores[name].scored & self.rows]


def _columns(rows: Sequence[SampleScores], name: str, size: int) -> _Scores:
    found = [row.scores.get(name) for row in rows]
    vectors = [score.vector if score is not None else None for score in found]
    absent = (0.0,) * size
    matrix = np.array([vector or absent for vector in vectors], dtype=np.float64)
    return _Scores(
        applies=np.array([score is not None for score in found], dtype=np.bool_),
        scored=np.array([vector is not None for vector in vectors], dtype=np.bool_),
        vectors=matrix.reshape(len(rows), size),
    )


def _rows_by_value(rows: Sequence[SampleScores], field: str) -> list[tuple[Scalar, _Rows]]:
    """The rows of each value of a slice, in order of the values; those of None are in none."""
    places: dict[tuple[str, Scalar], list[int]] = {}
    for place, row in enumerate(rows):
        value = row.slices.get(field)
        if value is not None:
            # The type belongs to the key: 1 and True are equal but two values.
            places.setdefault((type(value).__name__, value), []).append(place)
    found = []
    for key in sorted(places):
        mask = np.zeros(len(rows), dtype=np.bool_)
        mask[places[key]] = True
        found.append((key[1], mask))
    return found
