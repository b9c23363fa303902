"""Integers found among each other by where products of them point to, many at a time.

Sorting or bisecting them would take several times as long.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Integers: TypeAlias = NDArray[np.int64]

_MIXERS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F)
"""Odd numbers whose products with others have well-mixed upper bits."""


def first_equals(keys: Integers) -> Integers:
    """For each key the position of the first one that is equal.

    Each key goes into a cell of a table; equal keys meet in one cell. Where different keys meet,
    those that are not like the one in the cell try another cell.
    """
    shift = _shift(2 * len(keys))
    table = np.empty(1 << (64 - int(shift)), dtype=np.int64)
    found = left = np.arange(len(keys))
    mixed, own_keys = keys.view(np.uint64), keys
    while len(left):
        mixed = _mixed(mixed)
        cells = (mixed >> shift).view(np.int64)
        # Of several positions for one cell the last one written stays: backwards, the first.
        table[cells[::-1]] = left[::-1]
        here = table.take(cells)
        if left is found:
            found = here
        else:
            found[left] = here
        wrong = keys.take(here) != own_keys
        left, mixed, own_keys = left[wrong], mixed[wrong], own_keys[wrong]
    return found


class Lookup:
    """Finds integers among others that are known beforehand."""

    def __init__(self, keys: Integers) -> None:
        """Make a table of the keys, which are different and sorted."""
        self.keys = keys
        self._shift = _shift(4 * len(keys))
        cells = self._cells(keys)
        positions = np.arange(len(keys))
        self._table = np.zeros(1 << (64 - int(self._shift)), dtype=np.int64)
        self._table[cells] = positions
        # A cell holds one key; those that it has no room for are few, and bisected.
        self._others = np.flatnonzero(self._table.take(cells) != positions)
        self._is_full = np.zeros(len(self._table), dtype=np.bool_)
        self._is_full[cells[self._others]] = True

    def __len__(self) -> int:
        return len(self.keys)

    def __reduce__(self) -> tuple[type[Lookup], tuple[Integers]]:
        return Lookup, (self.keys,)

    def find(self, wanted: Integers) -> Integers:
        """Positions among the keys; -1 for what is none of them."""
        if not len(self.keys):
            return np.full(len(wanted), -1)
        cells = self._cells(wanted)
        found = self._table.take(cells)
        found[self.keys.take(found) != wanted] = -1
        unsure = np.flatnonzero(self._is_full.take(cells) & (found < 0))
        if len(unsure):
            sought = wanted.take(unsure)
            others = self.keys.take(self._others)
            places = np.minimum(others.searchsorted(sought), len(others) - 1)
            is_right = others.take(places) == sought
            found[unsure[is_right]] = self._others.take(places[is_right])
        return found

    def _cells(self, keys: Integers) -> Integers:
        return (_mixed(_mixed(keys)) >> self._shift).view(np.int64)


def _shift(cells: int) -> np.uint64:
    """How far a product is shifted to point into a table of at least so many cells."""
    return np.uint64(64 - max(4, cells.bit_length()))


def _mixed(numbers: Integers | NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Other numbers for the numbers, whose upper bits depend on all bits."""
    mixed = numbers.view(np.uint64) * np.uint64(_MIXERS[0])
    mixed ^= mixed >> np.uint64(32)
    mixed *= np.uint64(_MIXERS[1])
    return mixed
