"""The package anls, quirks included (PyPI, version 0.0.2)."""

from __future__ import annotations

from vlmbench.metrics.base import Answer, metric, reproduces
from vlmbench.metrics.compat.text_anls import package_anls

_identity = reproduces("anls-0.0.2")


@metric(source="PyPI anls 0.0.2, anls_score", identity=_identity)
def anls(answer: Answer) -> float:
    """Mean normalized Levenshtein similarity to the nearest reference, higher is better.

    From 0 to 1. Texts in lower case with single spaces; lengths are those of the capitals. A
    similarity of 0.5 itself is 0, unlike in the other harnesses. Two empty texts score 1.
    """
    return max(package_anls(answer.prediction, reference) for reference in answer.references)
