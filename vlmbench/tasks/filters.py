"""Filters for templates: functions of plain values, as Parquet and JSON give them."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from typing import Any

from vlmbench.text.option_lists import with_options
from vlmbench.text.option_mentions import LETTERS

_MAX_LIST_TEXT = 100_000
"""Longer texts are not parsed as lists; Python's parser is not safe on deeply nested ones."""


def as_list(value: Any) -> list[Any]:
    """The elements of a list, also of one stored as the text of a Python or JSON list.

    Any other value is a list of itself, and None an empty one. The text is parsed as a literal:
    nothing in it is evaluated.
    """
    if value is None:
        return []
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, str) and value.strip().startswith("[") and len(value) <= _MAX_LIST_TEXT:
        for parse in (ast.literal_eval, json.loads):
            try:
                elements = parse(value.strip())
            except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
                continue
            if isinstance(elements, list):
                return elements
    return [value]


def letter(position: Any) -> str:
    """The letter of an option by its position from 0, as a number or text; else the text itself.

    Parentheses around it are taken off: "(B)" is B.
    """
    text = str(position).strip().removeprefix("(").removesuffix(")")
    if text.isdecimal() and int(text) < len(LETTERS):
        return LETTERS[int(text)]
    return text


def lettered(options: Sequence[Any], separator: str = ". ") -> str:
    """A line an option, behind its letter: "A. 赤", "B. 青"."""
    return "\n".join(
        f"{name}{separator}{option}" for name, option in zip(LETTERS, options, strict=False)
    )


def plain_json(value: Any) -> str:
    """JSON on one line, with Japanese as it is."""
    return json.dumps(value, ensure_ascii=False)


def unwrapped(value: Any) -> Any:
    """A nested value in which each mapping with the key "value" is replaced by its value."""
    if isinstance(value, Mapping):
        if "value" in value:
            return unwrapped(value["value"])
        return {name: unwrapped(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [unwrapped(inner) for inner in value]
    return value


def reading_order(regions: Sequence[Mapping[str, Any]]) -> str:
    """The texts of regions {polygon, text}, a line each, from top to bottom and left to right.

    Sorted by the exact height of their centers and then by their distance from the left, as
    llm-jp-eval-mm does for JaWildText: slanted and vertical writing comes in an arbitrary order.
    """

    def center(region: Mapping[str, Any]) -> tuple[float, float]:
        points = region["polygon"]
        across, down = zip(*points, strict=True)
        return sum(down) / len(points), sum(across) / len(points)

    return "\n".join(str(region["text"]) for region in sorted(regions, key=center))


FILTERS = {
    "as_list": as_list,
    "letter": letter,
    "lettered": lettered,
    "plain_json": plain_json,
    "unwrapped": unwrapped,
    "with_options": with_options,
    "reading_order": reading_order,
}
"""By the name that templates use."""
