"""Answers beside their references, taken apart once for all metrics that compare them.

Many at a time: what is computed for one answer does not depend on the others, but together they
take a fraction of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import chain, islice
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np

from vlmbench.text.japanese import tokenise_all
from vlmbench.text.ngrams import Integers, NgramTable, Texts
from vlmbench.text.sequences import common_subsequence_lengths

Unit: TypeAlias = Literal["words", "characters"]
"""What a text is a sequence of: fugashi words, or characters without white space."""

Pair: TypeAlias = tuple[str, tuple[str, ...]]
"""An answer and its references, at least one."""

WORD_ORDERS = 4
CHARACTER_ORDERS = 6

_ITEMS = 1 << 14
"""Words or characters of samples that are counted together, so that arrays stay in the cache."""
_SAMPLES = 1 << 8
"""Most samples that are counted together."""

_Result = TypeVar("_Result")


class Comparison:
    """What answers share with their references, computed when it is asked for and then kept.

    Arrays have a row an answer. Answers with fewer references than others have empty columns:
    `lengths` says -1 there, and nothing matches.
    """

    def __init__(self, samples: Sequence[Texts], *, orders: int) -> None:
        """Compare sequences.

        Args:
            samples: For each the answer and its references, as words or characters.
            orders: Highest order of n-grams.
        """
        self.samples = samples
        self.orders = orders
        self.lengths: Integers = _lengths(samples)
        """Items of the answer, then of each reference."""
        self._remembered: dict[str, tuple[object, Any]] = {}

    @cached_property
    def tables(self) -> list[NgramTable]:
        """The n-grams of all of them, some samples at a time."""
        return [NgramTable(part, self.orders) for part in _parts(self.samples)]

    @cached_property
    def matches(self) -> Integers:
        """N-grams that answer and reference share: (samples, orders, references)."""
        whole = np.zeros((len(self.samples), self.orders, self.lengths.shape[1] - 1), np.int64)
        row = 0
        for table in self.tables:
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
        whole = np.zeros((len(self.samples), self.lengths.shape[1] - 1), np.int64)
        filled = self.lengths[:, 1:] >= 0
        pairs = [(texts[0], reference) for texts in self.samples for reference in texts[1:]]
        whole[filled] = common_subsequence_lengths(pairs)
        return whole

    def totals(self, order: int) -> Integers:
        """N-grams of an order that each text has, repetitions counted; -1 for a missing one."""
        return np.where(self.lengths < 0, -1, np.maximum(self.lengths - (order - 1), 0))

    def remember(self, name: str, owner: object, compute: Callable[[], _Result]) -> _Result:
        """What `compute` returned for the name before, or returns now.

        Args:
            name: Of what is computed.
            owner: What it depends on beside the texts; for another one it is computed again.
            compute: Computes it.
        """
        known = self._remembered.get(name)
        if known is None or known[0] is not owner:
            known = self._remembered[name] = (owner, compute())
        result: _Result = known[1]
        return result


def compare(pairs: Sequence[Pair], unit: Unit = "words") -> Comparison:
    """The comparison of normalised texts; the same object for several metrics of equal pairs."""
    return _compared(tuple(pairs), unit)


# Metrics are asked for the same answers one after the other: more is never used again.
@lru_cache(maxsize=4)
def _compared(pairs: tuple[Pair, ...], unit: Unit) -> Comparison:
    words = iter(tokenise_all([text for answer, others in pairs for text in (answer, *others)]))
    samples = [list(islice(words, 1 + len(others))) for _, others in pairs]
    # Words are the text in pieces: no need to normalise it again.
    wholes = [list(map("".join, texts)) for texts in samples]
    if unit == "characters":
        return Comparison(wholes, orders=CHARACTER_ORDERS)
    for texts, (whole, *others) in zip(samples, wholes, strict=True):
        if whole in others:
            # What white space alone tells from a reference has the words of the reference.
            texts[0] = _respaced(whole, texts, others)
    return Comparison(samples, orders=WORD_ORDERS)


def _respaced(
    whole: str, texts: Sequence[tuple[str, ...]], others: Sequence[str]
) -> tuple[str, ...]:
    """The words of the first reference that differs from the answer in white space only."""
    answer, *references = texts
    same = (
        words
        for words, other in zip(references, others, strict=True)
        if other == whole and words != answer
    )
    return next(same, answer)


def _lengths(samples: Sequence[Texts]) -> Integers:
    widths = np.fromiter(map(len, samples), dtype=np.int64)
    sizes = np.fromiter(map(len, chain.from_iterable(samples)), dtype=np.int64)
    filled = np.arange(widths.max(initial=1)) < widths[:, None]
    lengths = np.full(filled.shape, -1)
    lengths[filled] = sizes
    return lengths


def _parts(samples: Sequence[Texts]) -> Iterator[Sequence[Texts]]:
    start = items = 0
    for position, texts in enumerate(samples):
        size = sum(map(len, texts))
        if position > start and (items + size > _ITEMS or position - start == _SAMPLES):
            yield samples[start:position]
            start, items = position, 0
        items += size
    yield samples[start:]
