"""llm-jp-eval-mm's OCR and receipt scorers, quirks included (commit 9f450a5, April 2026)."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Literal

from vlmbench.metrics.base import Answer, metric
from vlmbench.metrics.compat.text_ccocr import character_counts, character_f1, micro_f1
from vlmbench.metrics.compat.text_failures import RAISED, unscored
from vlmbench.metrics.compat.text_receipt import FIELDS, agreement, find_json, same_field
from vlmbench.records import MetricScore, Scalar
from vlmbench.text.edits import edit_distance

_REPOSITORY = "llm-jp/llm-jp-eval-mm at 9f450a5"
_RUN_OF_SPACES = re.compile(r"[ \t]+")


def _identity(options: Mapping[str, Scalar]) -> Sequence[str]:
    return ["ref:llm-jp-eval-mm@9f450a5"]


@metric(
    bounds=(0, 1),
    compares="own",
    source=f"{_REPOSITORY}, jawildtext-handwriting-ocr",
    identity=_identity,
)
def handwriting_ocr(answer: Answer) -> float:
    """Mean character similarity, from 0 to 1, higher is better.

    One minus the edit distance over the reference's length, and 0 where the distance is longer.
    Both are compared after NFKC, in lower case, with "\\n" as a line feed, without white space at
    the ends of lines and with single spaces; line feeds count as characters, also at the end.
    Two empty texts score 1, an empty reference otherwise 0. The mean is over images and not over
    characters. With several references (the original takes one) the best counts.
    """
    prediction = _ocr_form(answer.prediction)
    return max(_similarity(prediction, _ocr_form(text)) for text in answer.references)


@metric(bounds=(0, 1), compares="own", source=f"{_REPOSITORY}, cc-ocr", identity=_identity)
def cc_ocr(answer: Answer) -> float:
    """Mean F1 of characters without regard to their order, from 0 to 1, higher is better.

    White space, ### and *** are deleted and letters made small; there is no NFKC, so that ＡＢＣ
    has nothing in common with ABC. Two empty texts score 0; a perfect one lacks about 1e-9. With
    several references (the original takes one) the best counts.
    """
    return max(
        character_f1(*counts) for counts in character_counts(answer.prediction, answer.references)
    )


@metric(
    bounds=(0, 1),
    compares="own",
    source=f"{_REPOSITORY}, cc-ocr",
    size=3,
    combine=lambda totals, n: micro_f1(totals),
    identity=_identity,
)
def cc_ocr_micro(answer: Answer) -> tuple[float, ...]:
    """F1 of the characters of all images together, from 0 to 1, higher is better.

    Characters as in cc_ocr.
    """
    return max(
        character_counts(answer.prediction, answer.references),
        key=lambda counts: character_f1(*counts),
    )


@metric(
    bounds=(0, 1),
    compares="own",
    source=f"{_REPOSITORY}, jawildtext-receipt-kie",
    identity=_identity,
)
def receipt_kie(
    answer: Answer,
    *,
    value: Literal[
        "f1",
        "precision",
        "recall",
        "store_name",
        "store_address",
        "receipt_id",
        "date",
        "time",
        "total_amount",
        "tax_amount",
    ] = "f1",
) -> MetricScore:
    """Mean agreement with a receipt's JSON, from 0 to 1, higher is better.

    The reference is a JSON object. In the answer, the first fence is read, else the first
    balanced {…}; without JSON the answer scores 0. "field: value" pairs are compared as a bag:
    values after NFKC, in lower case, without ¥ and commas, so that 280円 is not 280; line items
    have no order and no link from name to price. An answer whose JSON is not an object is
    unscored: the original raises.

    Args:
        value: F1 (the published number), precision or recall of the pairs, or whether one field
            is equal; then answers without JSON are left out, as in the original's details.
    """
    try:
        gold, found = json.loads(answer.references[0]), find_json(answer.prediction)
        if found is None:
            return MetricScore(unscored="no JSON found") if value in FIELDS else MetricScore((0.0,))
        if value in FIELDS:
            return MetricScore((float(same_field(gold, found, value)),))
        return MetricScore((getattr(agreement(gold, found), value),))
    except RAISED as problem:
        return unscored(problem)


def _ocr_form(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).replace("\\n", "\n").replace("\r\n", "\n")
    lines = (_RUN_OF_SPACES.sub(" ", line.strip()) for line in text.split("\n"))
    return "\n".join(lines).lower()


def _similarity(prediction: str, reference: str) -> float:
    if not reference:
        return float(not prediction)
    return max(0.0, 1.0 - edit_distance(reference, prediction) / len(reference))
