"""Texts of strangers for a terminal, which obeys control characters."""

from __future__ import annotations

import re

_OBEYED = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
"""Control characters but for line breaks and tabs, other line ends, and what turns the direction in
which a text is read."""


def visible(text: str) -> str:
    """The text with control characters written as in Python, so that it can only be read."""
    return _OBEYED.sub(_written, text)


def visible_line(text: str) -> str:
    """The same for what stands inside a sentence, such as a file's name: on one line."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def _written(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
