"""Metrics that ask whether a short answer is right."""

from __future__ import annotations

from vlmbench.metrics.base import Answer, metric
from vlmbench.text.japanese import answer_form


@metric(bounds=(0, 1), compares="answers", source="vlmbench; the form is defined in answer_form")
def exact(answer: Answer) -> float:
    """Share of answers that equal one of their references once both are in answer form.

    Answer form is Unicode NFKC without case and white space, without quotation marks or brackets
    around the whole answer, without full stops and without a closing です, でした or である. There
    is no search inside the answer: 「答えは東京です」 is not 東京, and フライパン is not パン. An
    empty answer is right only if a reference is empty too. 0 is the worst, 1 the best value.
    """
    form = answer_form(answer.prediction)
    return float(any(form == answer_form(reference) for reference in answer.references))
