"""Filters for templates: functions of plain values, as Parquet and JSON give them."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

from vlmbench.text.option_lists import with_options
from vlmbench.text.option_mentions import LETTERS

_MAX_LIST_TEXT = 100_000
"""Longer texts are not parsed as lists; Python's parser is not safe on deeply nested ones."""

_MAX_DEPTH = 50

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<sign>[],[()]|\.\.\.)"""
    r"""|(?P<word>[^\s,\[\]()'"]+))""",
    re.DOTALL,
)
"""A quoted text, a sign or a word (a number, None, nan) of a list that is written out."""


def as_list(value: Any) -> list[Any]:
    """The elements of a list, also of one stored as the text of a Python, JSON or numpy list.

    Any other value is a list of itself, and None an empty one. The text is parsed as a literal:
    nothing in it is evaluated. numpy writes no commas (['赤' 'レッド']).

    Raises:
        ValueError: The text is a numpy list that does not say all of its elements: one that numpy
            has cut short with ..., or one of several dimensions.
    """
    if value is None:
        return []
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, str) and value.strip().startswith("[") and len(value) <= _MAX_LIST_TEXT:
        text = value.strip()
        if _depth(text) > _MAX_DEPTH:  # newer Pythons would read it, and others then fail over it
            return [value]
        if (elements := _numpy_list(text)) is not None:
            return elements
        for parse in (ast.literal_eval, json.loads):
            try:
                elements = parse(text)
            except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
                continue
            if isinstance(elements, list):
                return elements
    return [value]


def _depth(text: str) -> int:
    """How many brackets are open at once."""
    steps = ((one == "[") - (one == "]") for one in text)
    return max(accumulate(steps), default=0)


def is_nan(value: Any) -> bool:
    """Whether a value is NaN, which is what pandas writes for a missing one."""
    return isinstance(value, float) and math.isnan(value)


def is_list_text(text: str) -> bool:
    """Whether a text is a list of texts as Python's or numpy's `str` writes it; JSON's is none."""
    written = text.strip()
    if not re.match(r"""\[\s*['"]|\[(array|np\.\w+)\(""", written) or not written.endswith("]"):
        return False
    try:
        json.loads(written)
    except (ValueError, RecursionError):
        try:
            return as_list(written) != [written]
        except ValueError:
            return True
    return False


def _numpy_list(text: str) -> list[Any] | None:
    """The elements that stand side by side without commas; None where it is no such list."""
    if not text.endswith("]"):
        return None
    if re.match(r"\[(array|np\.\w+)\(", text):
        raise ValueError(_CUT_LIST.format(text[:40]))
    inner = _tokens(text)[1:-1]
    signs = {one["sign"] for one in inner}
    elements = [one for one in inner if one["sign"] is None]
    quoted = any(one["text"] is not None for one in elements)
    words = [one["word"] for one in elements if one["text"] is None]
    # [赤 レッド] is a text in brackets.
    known = all(_is_number(one) or (quoted and one in _CONSTANTS) for one in words)
    if any(one["text"] and other["text"] for one, other in pairwise(inner)) and "," in signs:
        raise ValueError(f"the list {text[:40]!r} lacks a comma; write one between all elements")
    if len(inner) < 2 or not elements or not known or signs & {",", "("}:
        return None
    if signs != {None}:
        raise ValueError(_CUT_LIST.format(text[:40]))
    return [_element(one) for one in elements]


_CUT_LIST = (
    "the list {!r} was written by numpy, which left some of it out or nested it; write all "
    "elements with commas between them"
)
_CONSTANTS = ("None", "nan", "True", "False")


def _tokens(text: str) -> list[re.Match[str]]:
    """The tokens of a list's text; none if it is not made of them."""
    tokens, at = [], 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            return []
        tokens.append(found)
        at = found.end()
    return tokens


def _is_number(word: str | None) -> bool:
    return bool(word and re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", word))


def _element(token: re.Match[str]) -> Any:
    written = token["text"] or token["word"]
    if written == "nan":
        return None
    try:
        return ast.literal_eval(written)
    except (SyntaxError, ValueError):  # a backslash that escapes nothing, or zeros before a number
        return token["text"][1:-1] if token["text"] else written


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
