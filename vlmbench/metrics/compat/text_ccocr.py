"""CC-OCR's bag of characters, as all its implementations count it for Japanese."""

from __future__ import annotations

import re
from collections import Counter
from typing import TypeVar

from vlmbench.metrics.base import Answer
from vlmbench.stats import Floats

EPSILON = 1e-9
"""What the implementations add to every denominator."""

_SPACES = re.compile(r"\s+")


def characters(text: str) -> Counter[str]:
    """The small letters of a text without white space, ### and ***.

    A letter whose small form has two code points, such as İ, is one character.
    """
    text = text.strip().replace("\t", " ").replace("\n", " ")
    text = text.replace("###", "").replace("***", "")
    return Counter(character.lower() for character in _SPACES.sub("", text))


def best_counts(answer: Answer) -> tuple[float, float, float]:
    """Characters in common, of the reference and of the answer, for the reference of highest F1."""
    ours = characters(answer.prediction)
    golds = [characters(reference) for reference in answer.references]
    rows = [
        (float((gold & ours).total()), float(gold.total()), float(ours.total())) for gold in golds
    ]
    return max(rows, key=lambda row: _f1(*row))


def best_f1(answer: Answer) -> float:
    """F1 with the best reference."""
    return _f1(*best_counts(answer))


def micro_f1(totals: Floats) -> Floats:
    """F1 of summed `best_counts`, of shape (..., 3)."""
    return _f1(totals[..., 0], totals[..., 1], totals[..., 2])


_Number = TypeVar("_Number", float, Floats)


def _f1(common: _Number, reference: _Number, prediction: _Number) -> _Number:
    recall, precision = common / (reference + EPSILON), common / (prediction + EPSILON)
    return 2 * recall * precision / (recall + precision + EPSILON)
