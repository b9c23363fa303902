"""What answers and their references share: n-grams of all orders from one sorting.

The texts of many samples stand one behind the other as small integers, with a separator of its
own behind each text. All positions are sorted by sample and by the run of items that starts
there. Then equal n-grams of every order stand side by side, and counting them takes a few
operations on arrays, however many there are. An n-gram that crosses a separator is like no other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from itertools import chain, count
from typing import TypeAlias, TypeVar, cast

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
        sizes = np.fromiter(map(len, chain.from_iterable(samples)), dtype=np.int64)
        widths = np.fromiter(map(len, samples), dtype=np.int64)
        text = np.repeat(np.arange(len(sizes)), sizes + 1)
        sample_of_text = np.repeat(np.arange(len(samples)), widths)
        self.sample: Integers = sample_of_text[text]
        """The sample of each position."""
        self.ends: Integers = (np.cumsum(sizes + 1) - 1)[text]
        """For each position, that of its text's separator."""
        column = text - (np.cumsum(widths) - widths)[self.sample]
        self.items, numbers = _numbered(samples)
        """The distinct items of all texts."""
        is_item = self.ends > np.arange(len(text))
        self.numbers: Integers = np.full(len(text), -1)
        """The item at each position, -1 for a separator."""
        self.numbers[is_item] = numbers
        ids, distinct = _numbers_in_samples(self.numbers, self.sample, len(self.items), is_item)
        ids = np.where(is_item, ids, distinct[self.sample] + column)
        bits = int((distinct + widths).max()).bit_length()
        self._order, self._changes = _sorted_positions(ids, self.sample, orders, bits)
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
        order, place = np.divmod(np.flatnonzero(self._changes), len(self.sample))
        return order, self._order[place]


def _numbered(samples: Sequence[Texts]) -> tuple[Sequence[Hashable], Integers]:
    """The distinct items, and the number of each item of the texts one behind the other."""
    texts = list(chain.from_iterable(samples))
    if all(isinstance(text, str) for text in texts):
        return _numbered_characters("".join(cast(list[str], texts)))
    number: defaultdict[Hashable, int] = defaultdict(count().__next__)
    numbers = np.fromiter(map(number.__getitem__, chain.from_iterable(texts)), np.int64)
    return list(number), numbers


def _numbered_characters(text: str) -> tuple[str, Integers]:
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    present = np.zeros(int(points.max(initial=0)) + 1, dtype=np.bool_)
    present[points] = True
    distinct = np.flatnonzero(present)
    return "".join(map(chr, distinct.tolist())), (present.cumsum() - 1)[points]


def _numbers_in_samples(
    numbers: Integers, sample: Integers, items: int, is_item: NDArray[np.bool_]
) -> tuple[Integers, Integers]:
    """Smaller numbers, which only tell the items of one sample apart.

    Returns:
        For each position, how many other items its sample has before that item's first one; and
        how many different items each sample has.
    """
    samples = int(sample[-1]) + 1
    cells = sample * (items + 1) + numbers
    positions = np.arange(len(numbers))
    first = np.empty(samples * (items + 1), dtype=np.int64)
    # Of several values for one cell the last one stays: backwards, the first position.
    first[cells[::-1]] = positions[::-1]
    first = first[cells]
    new = is_item & (first == positions)
    before = new.cumsum() - new
    starts = np.flatnonzero(np.diff(sample, prepend=-1))
    return before[first] - before[starts][sample], np.add.reduceat(new, starts, dtype=np.int64)


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
