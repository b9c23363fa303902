"""CC-OCR's bag of characters, as all its implementations count it for Japanese."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

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


def character_counts(
    prediction: str, references: Sequence[str]
) -> list[tuple[float, float, float]]:
    """Common characters, those of the reference and of the prediction, for each reference."""
    ours = characters(prediction)
    golds = [characters(reference) for reference in references]
    return [
        (float((gold & ours).total()), float(gold.total()), float(ours.total())) for gold in golds
    ]


def character_f1(common: float, reference: float, prediction: float) -> float:
    """F1 of counts, each denominator with its epsilon."""
    recall, precision = common / (reference + EPSILON), common / (prediction + EPSILON)
    return 2 * recall * precision / (recall + precision + EPSILON)


def micro_f1(totals: Floats) -> Floats:
    """F1 of summed counts, of shape (..., 3)."""
    common, reference, prediction = totals[..., 0], totals[..., 1], totals[..., 2]
    recall, precision = common / (reference + EPSILON), common / (prediction + EPSILON)
    value: Floats = 2 * recall * precision / (recall + precision + EPSILON)
    return value
