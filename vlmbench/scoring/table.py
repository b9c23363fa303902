"""The scores of a task by column: what estimates are made of. Long columns lie on disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from vlmbench.records import SampleScores, Scalar
from vlmbench.runs.spool import Column
from vlmbench.stats import ROWS, Floats

_ABSENT, _UNSCORED, _SCORED = range(3)

_Rows: TypeAlias = NDArray[np.bool_]
"""For each row of a stretch whether it is meant."""


class _Scores:
    """One metric's columns: a state a row, and the numbers of its vector, 0 where it has none."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._states = Column(np.int8, ROWS)
        self._numbers = Column(np.float64, ROWS * size)

    def add(self, vector: Sequence[float] | None, *, absent: bool) -> None:
        self._states.append(_ABSENT if absent else _UNSCORED if vector is None else _SCORED)
        for number in (0.0,) * self.size if vector is None else vector:
            self._numbers.append(number)

    def has(self, state: int, stretch: int) -> _Rows:
        found: _Rows = self._states.stretch(stretch) == state
        return found

    def vectors(self, stretch: int) -> Floats:
        return self._numbers.stretch(stretch).reshape(-1, self.size)


class _Labels:
    """One slice's column: which of the values a row has; 0 for None."""

    def __init__(self) -> None:
        self._codes = Column(np.int32, ROWS)
        self._known: dict[tuple[str, Scalar], int] = {}

    def add(self, value: Scalar) -> None:
        code = 0
        if value is not None:
            # The type belongs to the key: 1 and True are equal but two values.
            code = self._known.setdefault((type(value).__name__, value), len(self._known) + 1)
        self._codes.append(code)

    def values(self) -> list[tuple[Scalar, int]]:
        """Each value with its code."""
        return [(key[1], self._known[key]) for key in sorted(self._known)]

    def has(self, code: int, stretch: int) -> _Rows:
        found: _Rows = self._codes.stretch(stretch) == code
        return found


class ScoreTable:
    """Scores, a row a sample.

    Args:
        rows: Taken at once, one after the other. Vectors come in their order.
        sizes: Length of each metric's vectors, by the metric's id.
        slices: Fields whose values are kept.
    """

    def __init__(
        self, rows: Iterable[SampleScores], sizes: Mapping[str, int], slices: Sequence[str] = ()
    ) -> None:
        self.errors = Column(np.bool_, ROWS)
        self.scores = {name: _Scores(size) for name, size in sizes.items()}
        self._labels = {field: _Labels() for field in slices}
        for row in rows:
            self._add(row)

    def __len__(self) -> int:
        return len(self.errors)

    def _add(self, row: SampleScores) -> None:
        self.errors.append(row.error is not None)
        for name, scores in self.scores.items():
            score = row.scores.get(name)
            scores.add(score.vector if score else None, absent=score is None)
        for field, labels in self._labels.items():
            labels.add(row.slices.get(field))

    def parts(self) -> Iterator[Part]:
        """The whole and each slice; the slices by field and value."""
        yield Part(self, None)
        for field, labels in self._labels.items():
            for value, code in labels.values():
                yield Part(self, {field: value}, labels, code)


@dataclass(frozen=True)
class Part:
    """Some rows of a table."""

    table: ScoreTable
    slice: dict[str, Scalar] | None
    """None: all rows."""
    labels: _Labels | None = None
    code: int = 0

    def __len__(self) -> int:
        return self._count(self._rows(stretch) for stretch in self._stretches())

    def errors(self) -> int:
        """How many rows have an error instead of an answer."""
        errors = self.table.errors
        return self._count(errors.stretch(one) & self._rows(one) for one in self._stretches())

    def concerns(self, name: str) -> bool:
        """Whether a metric is for any of the rows."""
        return self._having(_ABSENT, name) < len(self)

    def unscored(self, name: str) -> int:
        """How many of the rows a metric could not score."""
        return self._having(_UNSCORED, name)

    def vectors(self, name: str) -> PartVectors:
        """A metric's vectors of the rows that it has scored, in the table's order."""
        scores = self.table.scores[name]
        return PartVectors(self, scores, (self._having(_SCORED, name), scores.size))

    def scored(self, scores: _Scores) -> Iterator[Floats]:
        """The vectors of the rows that are scored, a stretch at a time."""
        for stretch in self._stretches():
            rows = scores.has(_SCORED, stretch) & self._rows(stretch)
            yield scores.vectors(stretch)[rows]

    def _having(self, state: int, name: str) -> int:
        scores = self.table.scores[name]
        return self._count(scores.has(state, one) & self._rows(one) for one in self._stretches())

    def _stretches(self) -> range:
        return range(-(-len(self.table) // ROWS))

    def _rows(self, stretch: int) -> _Rows:
        if self.labels is None:
            return np.ones(len(self.table.errors.stretch(stretch)), np.bool_)
        return self.labels.has(self.code, stretch)

    @staticmethod
    def _count(stretches: Iterable[_Rows]) -> int:
        return sum(int(np.count_nonzero(rows)) for rows in stretches)


@dataclass(frozen=True)
class PartVectors:
    """A metric's vectors of the rows of a part that it has scored; see `stats.Stored`."""

    part: Part
    scores: _Scores
    shape: tuple[int, int]

    def __iter__(self) -> Iterator[Floats]:
        return self.part.scored(self.scores)
