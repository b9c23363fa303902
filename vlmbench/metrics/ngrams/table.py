"""What answers and their references share: n-grams of all orders from one sorting.

The texts of many samples stand one behind the other as small integers, with a separator of its
own behind each text. All positions are sorted by sample and by the run of items that starts
there. Then equal n-grams of every order stand side by side, and counting them takes a few
operations on arrays, however many there are. An n-gram that crosses a separator is like no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vlmbench.metrics.ngrams.encoding import EncodedTexts, Integers

_Number = TypeVar("_Number", np.int32, np.float64)

_KEY_BITS = 63


@dataclass(frozen=True)
class Rows:
    """The different n-grams of one order, a row each: those of the first sample, the second ..."""

    order: Integers
    """The positions of all n-grams, equal ones side by side."""
    places: Integers
    """Where in that order each row begins."""
    changes: NDArray[np.bool_]
    """At which places of that order the n-gram without its last item changes."""
    starts: Integers
    """The first row of each sample."""
    counts: NDArray[np.int32]
    """How often each n-gram occurs in each text of its sample: (texts, rows).

    A row for what crosses the end of a text has a single 1: it matches nothing."""

    @cached_property
    def positions(self) -> Integers:
        """Of each row, where its n-gram starts."""
        return self.order.take(self.places)

    @property
    def shorter(self) -> Integers:
        """The row of the n-gram without its last item, among those of the order before."""
        return self.changes.take(self.places).cumsum() - 1

    def sums(self, rows: NDArray[_Number]) -> NDArray[_Number]:
        """Sums over the n-grams of each sample: (columns, rows) -> (samples, columns)."""
        return np.array([np.add.reduceat(column, self.starts) for column in rows]).T


class NgramTable:
    """The n-grams of some samples, counted; nothing in it depends on which samples these are."""

    def __init__(self, texts: EncodedTexts, orders: int) -> None:
        """Count n-grams of order 1 to `orders`.

        Args:
            texts: Answer and references of each of at least one sample.
        """
        ids, distinct = texts.ids
        room = texts.sizes + 1
        separators = np.cumsum(room) - 1
        text_starts = np.cumsum(texts.n_texts) - texts.n_texts
        columns = np.arange(len(room)) - text_starts[texts.samples]
        self.ends: Integers = np.repeat(separators, room)
        """For each position, that of its text's separator."""
        is_item = np.ones(len(self.ends), dtype=np.bool_)
        is_item[separators] = False
        self.places: Integers = np.flatnonzero(is_item)
        """The position of each item of the texts; at the others are separators."""
        numbers = np.empty(len(self.ends), dtype=np.int64)
        numbers[self.places] = ids
        numbers[separators] = distinct[texts.samples] + columns
        sample = np.repeat(texts.samples, room)
        bits = int((distinct + texts.n_texts).max()).bit_length()
        order, changes = _sorted_positions(numbers, sample, orders, bits)
        before = _columns_before(np.repeat(columns, room)[order], int(texts.n_texts.max()))
        ends_of_samples = separators[text_starts + texts.n_texts - 1] + 1
        starts_of_samples = ends_of_samples - np.add.reduceat(room, text_starts)
        self.rows: list[Rows] = []
        """Those of each order."""
        for number, new in enumerate(changes):
            places = np.flatnonzero(new)
            ends = np.append(places, len(order))
            counts = np.array([np.diff(column.take(ends)) for column in before])
            of_samples = places.searchsorted(starts_of_samples)
            coarser = changes[max(number - 1, 0)]
            self.rows.append(Rows(order, places, coarser, of_samples, counts))

    def matches(self) -> Integers:
        """N-grams that the answer shares with each reference: (samples, orders, references)."""
        shared = [rows.sums(np.minimum(rows.counts[0], rows.counts[1:])) for rows in self.rows]
        return np.stack(shared, axis=1).astype(np.int64)

    def matches_with_any(self) -> Integers:
        """The same when an n-gram counts as in the reference that has it most often.

        Returns:
            (samples, orders)
        """
        shared = []
        for rows in self.rows:
            most = rows.counts[1:].max(axis=0)
            shared.append(rows.sums(np.minimum(rows.counts[0], most)[None])[:, 0])
        return np.stack(shared, axis=1).astype(np.int64)


def _columns_before(columns: Integers, width: int) -> NDArray[np.int32]:
    """How often each column comes up before each place, and in all: (columns, places + 1)."""
    before = np.zeros((width, len(columns) + 1), dtype=np.int32)
    for column in range(1, width):
        np.cumsum(columns == column, out=before[column, 1:])
    before[0] = np.arange(len(columns) + 1) - before.sum(axis=0)
    return before


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
    # Each sample's numbers rise where they are new: what is half in order is merged quickly.
    order = packed.argsort(kind="stable")
    ordered = packed.take(order)
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
