"""What two word sequences share, for single pairs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

_ORDERS = 4


def ngrams(words: Sequence[str], order: int) -> Counter[tuple[str, ...]]:
    """How often each run of `order` words occurs."""
    return Counter(zip(*(words[start:] for start in range(order)), strict=False))


def strict_sentence_bleu(words: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Sentence BLEU of orders 1 to 4 from 0 to 1, without effective order.

    As sacrebleu with smoothing "exp": orders without a match count 1/2, 1/4, ... of a match, and
    a sentence of fewer than four words, or without any common word, scores 0.
    """
    length = len(words)
    if length < _ORDERS:
        return 0.0
    logarithms, smoothing, any_match = 0.0, 1.0, False
    for order in range(1, _ORDERS + 1):
        most: Counter[tuple[str, ...]] = Counter()
        for reference in references:
            most |= ngrams(reference, order)
        matches: float = (ngrams(words, order) & most).total()
        any_match |= matches > 0
        if not matches:
            smoothing /= 2
            matches = smoothing
        logarithms += math.log(matches / (length - order + 1))
    closest = min(map(len, references), key=lambda other: (abs(other - length), other))
    penalty = min(0.0, 1 - closest / length)
    return math.exp(logarithms / _ORDERS + penalty) if any_match else 0.0
