"""The scores of a task by column: what estimates are made of, in as few bytes as it takes."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from vlmbench.records import SampleScores, Scalar
from vlmbench.stats import Floats

Members: TypeAlias = NDArray[np.bool_]
"""For each row whether it is meant."""

_ABSENT, _UNSCORED, _SCORED = range(3)


class _Scores:
    """One metric's column: a byte a row, and the vectors of the rows that are scored."""

    def __init__(self) -> None:
        self.states = array("b")
        self.numbers = array("d")


class _Labels:
    """One slice's column: which of the values a row has; 0 for None."""

    def __init__(self) -> None:
        self.codes = array("i")
        self.known: dict[tuple[str, Scalar], int] = {}

    def add(self, value: Scalar) -> None:
        if value is None:
            self.codes.append(0)
        else:
            # The type belongs to the key: 1 and True are equal but two values.
            key = type(value).__name__, value
            self.codes.append(self.known.setdefault(key, len(self.known) + 1))


class ScoreTable:
    """Scores, a row a sample.

    Args:
        sizes: Length of each metric's vectors, by the metric's id.
        slices: Fields whose values are kept.
    """

    def __init__(self, sizes: Mapping[str, int], slices: Sequence[str] = ()) -> None:
        self._sizes = sizes
        self._scores = {name: _Scores() for name in sizes}
        self._labels = {field: _Labels() for field in slices}
        self._errors = array("b")
        self._order: NDArray[np.int64] | None = None

    @classmethod
    def of(
        cls, rows: Iterable[SampleScores], sizes: Mapping[str, int], slices: Sequence[str]
    ) -> ScoreTable:
        """A table of rows."""
        table = cls(sizes, slices)
        for row in rows:
            table.add(row)
        return table

    def __len__(self) -> int:
        return len(self._errors)

    def add(self, row: SampleScores) -> None:
        """Take a row in."""
        self._errors.append(row.error is not None)
        for name, column in self._scores.items():
            score = row.scores.get(name)
            if score is None:
                column.states.append(_ABSENT)
            elif score.vector is None:
                column.states.append(_UNSCORED)
            else:
                column.states.append(_SCORED)
                column.numbers.extend(score.vector)
        for field, labels in self._labels.items():
            labels.add(row.slices.get(field))

    def put_in_order(self, order: Iterable[int]) -> None:
        """Say in which order the rows are to be looked at, by their numbers in that of coming."""
        self._order = np.fromiter(order, np.int64, len(self))

    def parts(self) -> Iterator[tuple[dict[str, Scalar] | None, Members]]:
        """The whole and each slice with its rows; the slices by field and value."""
        yield None, np.ones(len(self), np.bool_)
        for field, labels in self._labels.items():
            codes = np.frombuffer(labels.codes, np.intc)
            for key in sorted(labels.known):
                yield {field: key[1]}, codes == labels.known[key]

    def errors(self, members: Members) -> Members:
        """Which of the members have an error instead of an answer."""
        return np.frombuffer(self._errors, np.bool_) & members

    def concerns(self, name: str, members: Members) -> bool:
        """Whether a metric is for any of the members."""
        return bool((self._states(name)[members] != _ABSENT).any())

    def unscored(self, name: str, members: Members) -> int:
        """How many of the members a metric could not score."""
        return int(np.count_nonzero(self._states(name)[members] == _UNSCORED))

    def vectors(self, name: str, members: Members) -> Floats:
        """A metric's vectors of the members that it has scored, (n, d), in the table's order."""
        numbers = np.frombuffer(self._scores[name].numbers, np.float64)
        vectors = numbers.reshape(-1, self._sizes[name])
        scored = self._states(name) == _SCORED
        chosen = scored & members
        places = np.cumsum(scored) - 1
        rows = places[chosen if self._order is None else self._order[chosen[self._order]]]
        found: Floats = vectors[rows]
        return found

    def _states(self, name: str) -> NDArray[np.int8]:
        return np.frombuffer(self._scores[name].states, np.int8)
