"""What answers and their references share: n-grams of all orders from one sorting.

The texts of many samples stand one behind the other as small integers, with a separator of its
own behind each text. All positions are sorted by sample and by the run of items that starts
there. Then equal n-grams of every order stand side by side, and counting them takes a few
operations on arrays, however many there are. An n-gram that crosses a separator is like no other.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import chain
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

Integers: TypeAlias = NDArray[np.int64]

Texts: TypeAlias = Sequence[Sequence[Hashable]]
"""Sequences of words or characters: the answer's first, then the references'."""

_Number = TypeVar("_Number", np.int64, np.float64)

_KEY_BITS = 63


class NgramTable:
    """The n-grams of some samples, counted; nothing in it depends on which samples these are."""

    def __init__(self, samples: Sequence[Texts], orders: int) -> None:
        """Count n-grams of order 1 to `orders`.

        Args:
            samples: Answer and references of each, at least one sample.
            orders: Highest order.
        """
        self.orders = orders
        self.items: list[list[Hashable]] = []
        """The distinct items of each sample, in order of appearance."""
        self.ids: Integers = np.array(self._number(samples), dtype=np.int64)
        """An integer a position: an index of the sample's `items`, or above for a separator."""
        lengths = np.array([len(text) + 1 for texts in samples for text in texts])
        widths = np.array([len(texts) for texts in samples])
        text = np.repeat(np.arange(len(lengths)), lengths)
        self.sample: Integers = np.repeat(np.arange(len(samples)), widths)[text]
        """The sample of each position."""
        self.ends: Integers = (np.cumsum(lengths) - 1)[text]
        """For each position, that of its text's separator."""
        firsts = np.concatenate([[0], np.cumsum(widths)[:-1]])
        column = text - firsts[self.sample]
        bits = max(
            (len(items) + len(texts)).bit_length()
            for items, texts in zip(self.items, samples, strict=True)
        )
        self._order, self._changes = _sorted_positions(self.ids, self.sample, orders, bits)
        rows = self._changes.ravel().cumsum() - 1
        sorted_starts = np.flatnonzero(np.diff(self.sample, prepend=-1))
        self.starts: Integers = rows.reshape(orders, -1)[:, sorted_starts].ravel()
        """The first row of each order and, in that, of each sample."""
        columns, height = int(widths.max()), int(rows[-1]) + 1
        cells = rows.reshape(orders, -1) + column[self._order] * height
        counted = np.bincount(cells.ravel(), minlength=columns * height)
        self.counts: Integers = counted.reshape(columns, height)
        """How often each n-gram (a row of its sample and order) occurs in each text (a column).

        A row for what crosses the end of a text has a single 1: it matches nothing."""

    def matches(self) -> Integers:
        """N-grams that the answer shares with each reference: (samples, orders, references)."""
        return self.sums(np.minimum(self.counts[0], self.counts[1:]))

    def matches_with_any(self) -> Integers:
        """The same when an n-gram counts as in the reference that has it most often.

        Returns:
            (samples, orders)
        """
        most = self.counts[1:].max(axis=0)
        return self.sums(np.minimum(self.counts[0], most)[None])[:, :, 0]

    def sums(self, rows: NDArray[_Number]) -> NDArray[_Number]:
        """Sums over the n-grams of each sample and order.

        Args:
            rows: A number a row of `counts`, in any number of columns: (columns, rows).

        Returns:
            (samples, orders, columns)
        """
        added = [np.add.reduceat(column, self.starts) for column in rows]
        return np.array(added).reshape(len(rows), self.orders, -1).transpose(2, 1, 0)

    def first_positions(self) -> tuple[Integers, Integers]:
        """Order (from 0) and a position of each row's n-gram."""
        order, place = np.divmod(np.flatnonzero(self._changes), len(self.ids))
        return order, self._order[place]

    def _number(self, samples: Sequence[Texts]) -> list[int]:
        joined: list[int] = []
        for texts in samples:
            items = list(dict.fromkeys(chain(*texts)))
            number = dict(zip(items, range(len(items)), strict=True))
            for separator, text in enumerate(texts, len(items)):
                joined += map(number.__getitem__, text)
                joined.append(separator)
            self.items.append(items)
        return joined


def _sorted_positions(
    ids: Integers, sample: Integers, orders: int, bits: int
) -> tuple[Integers, NDArray[np.bool_]]:
    """Positions sorted by what starts there, and at which of them each order's n-gram is new."""
    if int(sample[-1]).bit_length() + bits * orders <= _KEY_BITS:
        return _sorted_packed(ids, sample, orders, bits)
    return _sorted_columns(ids, sample, orders)


def _sorted_packed(
    ids: Integers, sample: Integers, orders: int, bits: int
) -> tuple[Integers, NDArray[np.bool_]]:
    """The usual case: the sample and the longest n-gram fit into one integer."""
    shifts = range(bits * (orders - 1), -1, -bits)
    packed = sample << (bits * orders)
    packed |= ids << shifts[0]
    for ahead, shift in enumerate(shifts[1:], 1):
        packed[:-ahead] |= ids[ahead:] << shift
    order = packed.argsort()
    ordered = packed[order]
    changes = np.empty((orders, len(ids)), dtype=np.bool_)
    changes[:, 0] = True
    # Two n-grams of order n differ when the sample or any of their first n items does.
    limits = np.array([1 << shift for shift in shifts])[:, None]
    np.greater_equal(ordered[1:] ^ ordered[:-1], limits, out=changes[:, 1:])
    return order, changes


def _sorted_columns(
    ids: Integers, sample: Integers, orders: int
) -> tuple[Integers, NDArray[np.bool_]]:
    """The same for long texts with many different items."""
    columns = np.zeros((orders + 1, len(ids)), dtype=np.int64)
    columns[0] = sample
    for ahead in range(orders):
        columns[ahead + 1, : len(ids) - ahead] = ids[ahead:]
    order = np.lexsort(columns[::-1])
    differs = columns[:, order[1:]] != columns[:, order[:-1]]
    changes = np.ones((orders, len(ids)), dtype=np.bool_)
    changes[:, 1:] = np.logical_or.accumulate(differs, axis=0)[1:]
    return order, changes
