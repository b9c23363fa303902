"""Fields and values of a JSON object in a model's answer, in a form to compare."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from vlmbench.text.dates import read_clock, read_date
from vlmbench.text.japanese import surface_form
from vlmbench.text.numbers import read_quantity
from vlmbench.text.reasoning import without_reasoning

RECORD_FORM = "record-ja1"
"""Version of `field_values`."""

_FENCE = re.compile(r"```[a-zA-Z]{0,12}[ \t]*\n?(.*?)(?:```|\Z)", re.DOTALL)
_ATTEMPTS = 20
"""Opening braces that are tried as the beginning of an object."""
_LARGEST_DEPTH = 20
_LEADING_ZERO = re.compile("0[0-9]")
_COUNTED = frozenset({"", "円", "個", "点", "本", "枚"})
"""Units that go without saying on a receipt."""

_decoder = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)


def read_object(text: str) -> dict[str, Any] | None:
    """The JSON object in an answer, None if there is none that can be parsed.

    Taken from the first code fence if the answer has one, else from the first place where an
    object begins and can be read; of a list, its first object. Numbers stay as they are written.
    """
    text = without_reasoning(text)
    if fenced := _FENCE.search(text):
        text = fenced[1]
    start = text.find("{")
    for _ in range(_ATTEMPTS):
        if start < 0:
            return None
        try:
            value, _end = _decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            start = text.find("{", start + 1)
            continue
        return value if isinstance(value, dict) else None
    return None


def field_values(record: dict[str, Any]) -> Counter[tuple[str, str]]:
    """How often each field has each value.

    Fields of nested objects are named by their path; the members of a list count under one
    path, in any order and unconnected with each other. Null and empty values count as absent.
    """
    found: Counter[tuple[str, str]] = Counter()
    _collect(record, "", found, 0)
    return found


def _collect(value: Any, path: str, found: Counter[tuple[str, str]], depth: int) -> None:
    if depth > _LARGEST_DEPTH:
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            _collect(inner, f"{path}.{name}", found, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _collect(inner, path, found, depth + 1)
    elif value is not None and (form := value_form(str(value))):
        found[path, form] += 1


def value_form(text: str) -> str:
    """One form for a value however it is written.

    Equal are 280円, ¥280 and 280; 令和6年5月3日 and 2024-05-03; 午後3時 and 15:00. A number
    that begins with 0, such as a receipt's, stays a text.
    """
    form = surface_form(text)
    if len(form) > 40:
        return form
    if date := read_date(form):
        return f"{date.year or 0:04d}-{date.month:02d}-{date.day or 0:02d}"
    if clock := read_clock(form):
        return f"{clock.hour:02d}:{clock.minute:02d}:{clock.second:02d}"
    if not _LEADING_ZERO.match(form) and (quantity := read_quantity(form)):
        unit = "" if quantity.unit in _COUNTED else quantity.unit
        return f"{quantity.value:.12g}{unit}"
    return form
