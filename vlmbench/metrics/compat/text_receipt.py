"""How llm-jp-eval-mm compares the JSON of a receipt (JaWildText)."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from typing import Any, NamedTuple

from vlmbench.metrics.compat.text_judge import closing_brace

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


class Agreement(NamedTuple):
    """How far two receipts agree, each from 0 to 1."""

    f1: float
    precision: float
    recall: float


def find_json(text: str) -> Any:
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


def agreement(gold: Any, predicted: Any) -> Agreement:
    """Precision, recall and F1 of "field: value" pairs; line items without order or link.

    Raises:
        AttributeError: One of them is JSON but no object, as in the original.
    """
    expected, found = _pairs(gold), _pairs(predicted)
    if not expected and not found:
        return Agreement(1.0, 1.0, 1.0)
    if not found:
        return Agreement(0.0, 0.0, 0.0)
    if not expected:
        return Agreement(0.0, 0.0, 1.0)
    common = (expected & found).total()
    precision, recall = common / found.total(), common / expected.total()
    if not common:
        return Agreement(0.0, 0.0, 0.0)
    return Agreement(2 * precision * recall / (precision + recall), precision, recall)


def same_field(gold: Any, predicted: Any, field: str) -> bool:
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
