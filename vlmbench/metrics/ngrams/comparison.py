"""Answers beside their references, taken apart once for all metrics that compare them.

Many at a time: what is computed for one answer does not depend on the others, but together they
take a fraction of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import starmap
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np

from vlmbench.metrics.ngrams.encoding import (
    EncodedTexts,
    Integers,
    encode_characters,
    encode_words,
)
from vlmbench.metrics.ngrams.table import NgramTable
from vlmbench.text.japanese import lines_of_words

Unit: TypeAlias = Literal["words", "characters"]
"""What a text is a sequence of: fugashi words, or characters without white space."""

_Pair: TypeAlias = tuple[str, tuple[str, ...]]
"""An answer and its references, at least one."""

WORD_ORDERS = 4
CHARACTER_ORDERS = 6

_ITEMS = 1 << 14
"""Words or characters of samples that are counted together, so that arrays stay in the cache."""
_SAMPLES = 1 << 8
"""Most samples that are counted together."""

_Result = TypeVar("_Result")


class TextComparison:
    """What answers share with their references, computed when it is asked for and then kept.

    Arrays have a row an answer. Answers with fewer references than others have empty columns:
    `lengths` says -1 there, and nothing matches.
    """

    def __init__(self, texts: EncodedTexts, *, orders: int, keep_tables: bool = True) -> None:
        """Compare sequences.

        Args:
            texts: For each sample the answer and its references, as words or characters.
            keep_tables: Whether n-grams are kept for what needs more than `matches`. Without
                them, the memory of each batch is used again for the next one.
        """
        self._keep_tables = keep_tables
        self.texts = texts
        self.orders = orders
        self._remembered: dict[str, tuple[object, Any]] = {}

    @property
    def lengths(self) -> Integers:
        """Items of the answer, then of each reference."""
        return self.texts.lengths

    @cached_property
    def tables(self) -> list[NgramTable]:
        """The n-grams, some samples at a time."""
        return list(self._make_tables())

    def _make_tables(self) -> Iterator[NgramTable]:
        return (NgramTable(batch, self.orders) for batch in self.texts.batches(_ITEMS, _SAMPLES))

    @cached_property
    def strings(self) -> list[list[Sequence[Hashable]]]:
        """The texts of each sample with one character an item."""
        return list(self.texts.strings())

    @cached_property
    def matches(self) -> Integers:
        """N-grams that answer and reference share: (samples, orders, references)."""
        whole = np.zeros((len(self.lengths), self.orders, self.lengths.shape[1] - 1), np.int64)
        row = 0
        for table in self.tables if self._keep_tables else self._make_tables():
            found = table.matches()
            whole[row : row + len(found), :, : found.shape[2]] = found
            row += len(found)
        return whole

    @cached_property
    def matches_with_any(self) -> Integers:
        """N-grams that the answer shares with its references together: (samples, orders)."""
        if self.lengths.shape[1] == 2:
            return self.matches[:, :, 0]
        return np.concatenate([table.matches_with_any() for table in self.tables])

    @cached_property
    def subsequences(self) -> Integers:
        """Length of the longest common subsequence: (samples, references)."""
        from rapidfuzz.distance import LCSseq

        whole = np.zeros((len(self.lengths), self.lengths.shape[1] - 1), np.int64)
        filled = self.lengths[:, 1:] >= 0
        pairs = ((texts[0], reference) for texts in self.strings for reference in texts[1:])
        whole[filled] = list(starmap(LCSseq.similarity, pairs))
        return whole

    def totals(self, order: int) -> Integers:
        """N-grams of an order that each text has, repetitions counted; -1 for a missing one."""
        return np.where(self.lengths < 0, -1, np.maximum(self.lengths - (order - 1), 0))

    def remember(self, name: str, owner: object, compute: Callable[[], _Result]) -> _Result:
        """What `compute` returned for the name before, or returns now.

        Args:
            owner: What it depends on beside the texts; for another one it is computed again.
        """
        known = self._remembered.get(name)
        if known is None or known[0] is not owner:
            known = self._remembered[name] = (owner, compute())
        result: _Result = known[1]
        return result


# Metrics are asked for the same answers one after the other: more is never used again.
@lru_cache(maxsize=4)
def compare_texts(pairs: tuple[_Pair, ...], unit: Unit) -> TextComparison:
    """The comparison of normalized texts; the same object for several metrics of equal pairs."""
    lines = lines_of_words([text for answer, others in pairs for text in (answer, *others)])
    n_texts = np.array([1 + len(others) for _, others in pairs])
    if unit == "characters":
        texts = encode_characters(lines, n_texts)
        return TextComparison(texts, orders=CHARACTER_ORDERS, keep_tables=False)
    return TextComparison(encode_words(_respaced(lines, n_texts), n_texts), orders=WORD_ORDERS)


def _respaced(lines: list[str], n_texts: Integers) -> list[str]:
    """The lines, where what white space alone tells from a reference has the reference's words."""
    letters = np.array([len(line) - line.count(" ") for line in lines])
    starts = np.repeat(np.cumsum(n_texts) - n_texts, n_texts)
    candidates = np.flatnonzero(letters == letters[starts])
    changed: dict[int, str] = {}
    for start, place in zip(starts[candidates].tolist(), candidates.tolist(), strict=True):
        answer, other = lines[start], lines[place]
        is_other = answer != other and answer.replace(" ", "") == other.replace(" ", "")
        if is_other and start not in changed:
            changed[start] = other
    for start, line in changed.items():
        lines[start] = line
    return lines
