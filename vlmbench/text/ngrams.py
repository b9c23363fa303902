"""What an answer and its references share: n-grams of all orders from one sorting.

The answer and its references stand one behind the other as small integers, with a separator of
its own behind each. All positions are sorted by the run of items that starts there. Then equal
n-grams of every order stand side by side, and counting them takes a few operations on arrays
however long the texts are. An n-gram that crosses a separator is like no other.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import chain, count
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Integers: TypeAlias = NDArray[np.int64]

Texts: TypeAlias = Sequence[Sequence[Hashable]]
"""Sequences of words or characters: the answer's first, then the references'."""

_WORD_BITS = 63


class NgramTable:
    """The n-grams of an answer and its references, counted.

    Rows are the distinct n-grams, those of order 1 first; columns are the texts. A row that
    stands for an n-gram across the end of a text has a single 1 and matches nothing, but its
    counts must not be added up: see `total`.
    """

    def __init__(self, texts: Texts, orders: int) -> None:
        """Count n-grams of order 1 to `orders`.

        Args:
            texts: The answer, then at least one reference; any hashable items.
            orders: Highest order.
        """
        self.lengths = [len(text) for text in texts]
        self.orders = orders
        self.items: list[Hashable] = list(dict.fromkeys(chain.from_iterable(texts)))
        """The distinct items, in order of appearance."""
        self.ids = _joined_ids(texts, self.items)
        """An integer a position, an index of `items`, or above that for separators."""
        self._order, self._changes = _sorted_positions(self.ids, orders)
        rows = self._changes.ravel().cumsum() - 1
        self.starts: Integers = rows[:: len(self.ids)]
        """The first row of each order."""
        columns = len(texts)
        owner = np.repeat(np.arange(columns), [length + 1 for length in self.lengths])
        cells = rows.reshape(orders, -1) * columns + owner[self._order]
        counted = np.bincount(cells.ravel(), minlength=(int(rows[-1]) + 1) * columns)
        self.counts: Integers = counted.reshape(-1, columns)
        """How often each n-gram occurs in each text."""

    def total(self, order: int, text: int) -> int:
        """How many n-grams of an order a text has, repetitions counted."""
        return max(0, self.lengths[text] - order + 1)

    def matches(self) -> list[list[int]]:
        """For each order, how many of the answer's n-grams each reference has as well."""
        both = np.minimum(self.counts[:, :1], self.counts[:, 1:])
        rows: list[list[int]] = np.add.reduceat(both, self.starts, axis=0).tolist()
        return rows

    def matches_with_any(self) -> list[int]:
        """For each order, how many of the answer's n-grams the most generous reference has."""
        most = self.counts[:, 1] if len(self.lengths) == 2 else self.counts[:, 1:].max(axis=1)
        both = np.minimum(self.counts[:, 0], most)
        sums: list[int] = np.add.reduceat(both, self.starts).tolist()
        return sums

    def first_positions(self) -> tuple[Integers, Integers]:
        """Order (from 0) and a position of each row's n-gram."""
        places = np.flatnonzero(self._changes)
        order, place = np.divmod(places, len(self.ids))
        return order, self._order[place]


def _joined_ids(texts: Texts, items: Sequence[Hashable]) -> Integers:
    number = dict(zip(items, count(), strict=False))
    joined: list[int] = []
    for separator, text in enumerate(texts, len(items)):
        joined += map(number.__getitem__, text)
        joined.append(separator)
    return np.array(joined, dtype=np.int64)


def _sorted_positions(ids: Integers, orders: int) -> tuple[Integers, NDArray[np.bool_]]:
    """Positions sorted by what starts there, and at which of them each order's n-gram is new."""
    bits = int(ids[-1]).bit_length()
    if bits * orders <= _WORD_BITS:
        return _sorted_packed(ids, orders, bits)
    return _sorted_columns(ids, orders)


def _sorted_packed(ids: Integers, orders: int, bits: int) -> tuple[Integers, NDArray[np.bool_]]:
    """The usual case: the longest n-gram fits into one integer."""
    shifts = range(bits * (orders - 1), -1, -bits)
    packed = ids << shifts[0]
    for ahead, shift in enumerate(shifts[1:], 1):
        packed[:-ahead] |= ids[ahead:] << shift
    order = packed.argsort()
    ordered = packed[order]
    changes = np.empty((orders, len(ids)), dtype=np.bool_)
    changes[:, 0] = True
    # Two n-grams of order n differ when any of their first n items does.
    limits = np.array([1 << shift for shift in shifts])[:, None]
    np.greater_equal(ordered[1:] ^ ordered[:-1], limits, out=changes[:, 1:])
    return order, changes


def _sorted_columns(ids: Integers, orders: int) -> tuple[Integers, NDArray[np.bool_]]:
    """The same for long texts with many different items."""
    columns = np.zeros((orders, len(ids)), dtype=np.int64)
    for ahead in range(orders):
        columns[ahead, : len(ids) - ahead] = ids[ahead:]
    order = np.lexsort(columns[::-1])
    changes = np.ones((orders, len(ids)), dtype=np.bool_)
    ordered = columns[:, order]
    np.logical_or.accumulate(ordered[:, 1:] != ordered[:, :-1], axis=0, out=changes[:, 1:])
    return order, changes
