"""ANLS and relaxed numbers as the harnesses share them."""

from __future__ import annotations

from collections.abc import Iterable

from vlmbench.metrics.base import Answer
from vlmbench.metrics.match import edit_similarity as edit_similarity
from vlmbench.text.edits import edit_distance

THRESHOLD = 0.5
"""Similarities below this are 0."""


def collapsed(text: str) -> str:
    """In lower case, with single spaces and none at the ends."""
    return " ".join(text.lower().split())


def raw_length_anls(answer: Answer) -> float:
    """The ANLS of lmms-eval and VLMEvalKit: the best similarity, and 0 below 0.5.

    One minus the distance of collapsed texts over the length of the raw ones in capitals: spaces
    at the ends therefore raise it, and a letter such as ß is two.
    """

    def similarity(reference: str) -> float:
        length = max(len(reference.upper()), len(answer.prediction.upper()))
        distance = edit_distance(collapsed(answer.prediction), collapsed(reference))
        return 1 - (distance / length if length else 0.0)

    best = max(map(similarity, answer.references))
    return best if best >= THRESHOLD else 0.0


def best_anls(prediction: str, references: Iterable[str]) -> float:
    """The best similarity of texts as they are, and 0 below 0.5."""
    best = max(edit_similarity(prediction, reference) for reference in references)
    return best if best >= THRESHOLD else 0.0


def package_anls(prediction: str, reference: str) -> float:
    """The similarity as the package anls has it, and 0 unless above 0.5.

    Of collapsed texts, over the greater length of their capitals.
    """
    prediction, reference = collapsed(prediction), collapsed(reference)
    length = max(len(prediction.upper()), len(reference.upper()))
    share = edit_distance(prediction, reference) / length if length else 0.0
    return 1 - share if share < THRESHOLD else 0.0


def relaxed_equal(prediction: str, reference: str, *, tolerance: float = 0.05) -> bool:
    """ChartQA's comparison: numbers within a part of the reference, other texts in lower case.

    A number is what Python's float() reads, so also １０４, 1_000 and inf, but not 1,000, －3 or
    100円; % divides by 100. A reference of 0 is compared as text: 0.0 is not 0.
    """
    number, expected = _relaxed_number(prediction), _relaxed_number(reference)
    if number is not None and expected:
        return abs(number - expected) / abs(expected) <= tolerance
    return prediction.lower() == reference.lower()


def _relaxed_number(text: str) -> float | None:
    try:
        return float(text.rstrip("%")) / 100.0 if text.endswith("%") else float(text)
    except ValueError:
        return None
