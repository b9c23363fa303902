"""Counting what two sequences share; any hashable items, in practice words or characters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import TypeVar

_Item = TypeVar("_Item", bound=Hashable)

_BLOCK = 16_384
"""Items of the first sequence that one big integer covers; bounds the memory for long inputs."""


def ngram_counts(items: Sequence[_Item], order: int) -> Counter[tuple[_Item, ...]]:
    """How often each run of `order` items occurs; empty for sequences shorter than that."""
    return Counter(zip(*(items[start:] for start in range(order)), strict=False))


def common_subsequence_length(first: Sequence[_Item], second: Sequence[_Item]) -> int:
    """Length of the longest common subsequence.

    Bit-parallel: a column of the dynamic programme is one integer, in which a cleared bit marks a
    step up, so an item of `second` costs a few operations on integers. Columns longer than a
    block are cut, and the carry from block to block is kept for each item of `second`.

    Source: H. Hyyrö, Bit-parallel LCS-length computation revisited, AWOCA 2004.
    """
    start = _common_prefix(first, second)
    first, second = first[start:], second[start:]
    carries = bytearray(len(second))
    length = start
    for offset in range(0, len(first), _BLOCK):
        length += _block_length(first[offset : offset + _BLOCK], second, carries)
    return length


def _common_prefix(first: Sequence[_Item], second: Sequence[_Item]) -> int:
    position = 0
    for left, right in zip(first, second, strict=False):
        if left != right:
            break
        position += 1
    return position


def _block_length(block: Sequence[_Item], second: Sequence[_Item], carries: bytearray) -> int:
    """Steps up inside a block of rows; replaces the carries into it by those out of it."""
    rows: dict[_Item, int] = dict.fromkeys(second, 0)
    for position, item in enumerate(block):
        if item in rows:
            rows[item] |= 1 << position
    size = len(block)
    ones = (1 << size) - 1
    column = ones
    for position, item in enumerate(second):
        matching = rows[item]
        if matching or carries[position]:
            hits = column & matching
            added = column + hits + carries[position]
            carries[position] = added >> size
            column = (added & ones) | (column ^ hits)
    return size - column.bit_count()
