"""Help in lines that fit the terminal, where a Japanese character takes two of its columns."""

from __future__ import annotations

import argparse
import re
from unicodedata import east_asian_width

_PIECES = re.compile(r"[（「『]*(?:[!-~]+ ?|.)")
"""What no line is broken in: a word, or a Japanese character, and brackets that open before it."""
_NOT_FIRST = "、。，．・）」』：？！ー"
"""What no Japanese line begins with."""


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """As argparse lays help out; text that is not English is broken between any two characters."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return super()._split_lines(text, width) if text.isascii() else wrap(text, width)


def wrap(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` columns, but for punctuation that hangs at an end."""
    lines, used = [""], 0
    for piece in _PIECES.findall(text):
        size = columns(piece)
        if lines[-1] and used + columns(piece.rstrip()) > width and piece not in _NOT_FIRST:
            lines.append("")
            used = 0
        lines[-1] += piece
        used += size
    return [line.strip() for line in lines]


def columns(text: str) -> int:
    """How many columns of a terminal it takes."""
    return sum(2 if east_asian_width(one) in "WF" else 1 for one in text)
