"""ANLS and relaxed numbers as the harnesses share them."""

from __future__ import annotations

from vlmbench.text.edits import edit_distance

THRESHOLD = 0.5
"""Similarities below this are 0."""


def collapsed(text: str) -> str:
    """In lower case, with single spaces and none at the ends."""
    return " ".join(text.lower().split())


def raw_length_similarity(prediction: str, reference: str) -> float:
    """One minus the distance of collapsed texts over the length of the raw ones in capitals.

    Spaces at the ends therefore raise it, and a letter such as ß is two.
    """
    length = max(len(reference.upper()), len(prediction.upper()))
    distance = edit_distance(collapsed(prediction), collapsed(reference))
    return 1 - (distance / length if length else 0.0)


def similarity(prediction: str, reference: str) -> float:
    """One minus the distance over the greater length; 1 for two empty texts."""
    length = max(len(prediction), len(reference))
    return 1 - edit_distance(prediction, reference) / length if length else 1.0


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
