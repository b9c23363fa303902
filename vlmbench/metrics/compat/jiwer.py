"""The character error rate of the package jiwer, quirks included (PyPI, version 4.0.0)."""

from __future__ import annotations

from vlmbench.metrics.base import Answer, metric, reproduces
from vlmbench.metrics.ocr import error_rate
from vlmbench.text.edits import edit_distance

_identity = reproduces("jiwer-4.0.0")


@metric(
    bounds=None,
    source="PyPI jiwer 4.0.0, cer",
    size=2,
    combine=error_rate,
    lower_is_better=True,
    identity=_identity,
)
def cer(answer: Answer) -> tuple[float, float]:
    """Character error rate over all texts, from 0 without an upper end, lower is better.

    Edit distance in code points, white space inside included and at the ends not, over the
    number of the references' characters; all texts together. For an empty reference it is the
    number of characters of the answer. With several references (the original takes one) the
    lowest rate counts.
    """
    prediction = answer.prediction.strip()
    references = [reference.strip() for reference in answer.references]
    rows = [(edit_distance(text, prediction), len(text)) for text in references]
    edits, length = min(rows, key=lambda row: row[0] / max(row[1], 1))
    return float(edits), float(length)
