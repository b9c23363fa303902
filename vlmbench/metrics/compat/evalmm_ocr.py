"""llm-jp-eval-mm's OCR and receipt scorers, quirks included (commit 9f450a5, April 2026)."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from typing import Any, Literal, NamedTuple

from vlmbench.metrics.base import Answer, metric, reproduces
from vlmbench.metrics.compat.text_ccocr import best_counts, best_f1, micro_f1
from vlmbench.metrics.compat.text_failures import RAISED, unscored
from vlmbench.metrics.compat.text_judge import closing_brace
from vlmbench.records import MetricScore
from vlmbench.text.edits import edit_distance

_REPOSITORY = "llm-jp/llm-jp-eval-mm at 9f450a5"
FIELDS = (
    "store_name",
    "store_address",
    "receipt_id",
    "date",
    "time",
    "total_amount",
    "tax_amount",
)
_ITEM_FIELDS = ("item_name", "item_price", "item_quantity")
_DROPPED = re.compile("[¥￥,]")
_SPACES = re.compile(r"\s+")
_FENCE = "```"
_RUN_OF_SPACES = re.compile(r"[ \t]+")
_identity = reproduces("llm-jp-eval-mm@9f450a5")


@metric(source=f"{_REPOSITORY}, jawildtext-handwriting-ocr", identity=_identity)
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


@metric(source=f"{_REPOSITORY}, cc-ocr", identity=_identity)
def cc_ocr(answer: Answer) -> float:
    """Mean F1 of characters without regard to their order, from 0 to 1, higher is better.

    White space, ### and *** are deleted and letters made small; there is no NFKC, so that ＡＢＣ
    has nothing in common with ABC. Two empty texts score 0; a perfect one lacks about 1e-9. With
    several references (the original takes one) the best counts.
    """
    return best_f1(answer)


@metric(
    source=f"{_REPOSITORY}, cc-ocr",
    size=3,
    combine=lambda totals, n: micro_f1(totals),
    identity=_identity,
)
def cc_ocr_micro(answer: Answer) -> tuple[float, ...]:
    """F1 of the characters of all images together, from 0 to 1, higher is better.

    Characters as in cc_ocr.
    """
    return best_counts(answer)


@metric(source=f"{_REPOSITORY}, jawildtext-receipt-kie", identity=_identity)
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
        gold, found = json.loads(answer.references[0]), _find_json(answer.prediction)
        if found is None:
            return MetricScore(unscored="no JSON found") if value in FIELDS else MetricScore((0.0,))
        if value in FIELDS:
            return MetricScore((float(_same_field(gold, found, value)),))
        return MetricScore((getattr(_overlap(gold, found), value),))
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


class _Overlap(NamedTuple):
    """How far two receipts agree, each from 0 to 1."""

    f1: float
    precision: float
    recall: float


def _find_json(text: str) -> Any:
    """The value of the first fence, else of the first balanced {…}; None if neither is JSON.

    Raises:
        ValueError, RecursionError: JSON with a number too long or nested too deeply.
    """
    fenced = _fenced(text)
    if fenced is not None:
        try:
            return json.loads(fenced)
        except json.JSONDecodeError:
            pass
    start = text.find("{")
    end = closing_brace(text, start + 1) if start >= 0 else None
    if end is not None:
        try:
            return json.loads(text[start : end + 1])
        except json.JSONDecodeError:
            pass
    return None


def _overlap(gold: Any, predicted: Any) -> _Overlap:
    """Precision, recall and F1 of "field: value" pairs; line items without order or link.

    Raises:
        AttributeError: One of them is JSON but no object, as in the original.
    """
    expected, found = _pairs(gold), _pairs(predicted)
    if not expected and not found:
        return _Overlap(1.0, 1.0, 1.0)
    if not found:
        return _Overlap(0.0, 0.0, 0.0)
    if not expected:
        return _Overlap(0.0, 0.0, 1.0)
    common = (expected & found).total()
    precision, recall = common / found.total(), common / expected.total()
    if not common:
        return _Overlap(0.0, 0.0, 0.0)
    return _Overlap(2 * precision * recall / (precision + recall), precision, recall)


def _same_field(gold: Any, predicted: Any, field: str) -> bool:
    """Whether a field is equal; null reads "none" and differs from a missing field.

    Raises:
        AttributeError: One of them is JSON but no object, as in the original.
    """
    return _normal(gold.get(field, "")) == _normal(predicted.get(field, ""))


def _fenced(text: str) -> str | None:
    """What the first ``` … ``` encloses, without the word json behind the opening."""
    start = text.find(_FENCE)
    if start < 0:
        return None
    start += len(_FENCE)
    inside = start + len("json") if text.startswith("json", start) else start
    end = text.find(_FENCE, inside)
    return text[inside:end].strip() if end >= 0 else None


def _pairs(receipt: Any) -> Counter[str]:
    pairs = [(field, receipt.get(field)) for field in FIELDS]
    for item in receipt.get("line_items") or []:
        if isinstance(item, dict):
            pairs += [(f"line_items.{field}", item.get(field)) for field in _ITEM_FIELDS]
    normal = [(field, _normal(value)) for field, value in pairs if value is not None]
    return Counter(f"{field}:{value}" for field, value in normal if value)


def _normal(value: Any) -> str:
    text = unicodedata.normalize("NFKC", str(value)).lower().strip()
    return _SPACES.sub(" ", _DROPPED.sub("", text))
