"""An answer beside its references, taken apart once for all metrics that compare them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Literal, TypeAlias

from vlmbench.text.japanese import normalise, tokenise
from vlmbench.text.ngrams import NgramTable
from vlmbench.text.sequences import common_subsequence_length

Unit: TypeAlias = Literal["words", "characters"]
"""What a text is a sequence of: fugashi words, or characters without white space."""

WORD_ORDERS = 4
CHARACTER_ORDERS = 6


class Comparison:
    """What an answer shares with its references, computed when it is asked for and then kept."""

    def __init__(
        self, answer: Sequence[str], references: Sequence[Sequence[str]], *, orders: int
    ) -> None:
        """Compare sequences of words or characters, by n-grams up to an order."""
        self.answer = answer
        self.references = references
        self.orders = orders

    @cached_property
    def ngrams(self) -> NgramTable:
        """The n-grams of all of them."""
        return NgramTable([self.answer, *self.references], self.orders)

    @cached_property
    def matches(self) -> list[list[int]]:
        """N-grams that answer and reference share, by order and reference."""
        return self.ngrams.matches()

    @cached_property
    def matches_with_any(self) -> list[int]:
        """N-grams that the answer shares with its references together, by order."""
        return self.ngrams.matches_with_any()

    @cached_property
    def subsequences(self) -> tuple[int, ...]:
        """Length of the longest common subsequence with each reference."""
        return tuple(common_subsequence_length(self.answer, text) for text in self.references)


def compare(prediction: str, references: tuple[str, ...], unit: Unit = "words") -> Comparison:
    """The comparison of normalised texts; the same object for the metrics of one answer."""
    return _compared(prediction, references, unit)


# Metrics are asked answer by answer: a few comparisons are all that is ever used again.
@lru_cache(maxsize=4)
def _compared(prediction: str, references: tuple[str, ...], unit: Unit) -> Comparison:
    take, orders = (tokenise, WORD_ORDERS) if unit == "words" else (characters, CHARACTER_ORDERS)
    return Comparison(take(prediction), [take(text) for text in references], orders=orders)


def characters(text: str) -> str:
    """The normalised text without white space."""
    return normalise(text).replace(" ", "")
