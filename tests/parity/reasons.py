"""Why our own forms disagree with a careful reader."""

from __future__ import annotations

from collections.abc import Iterable

from parity.checks import ParityRow
from vlmbench.text.japanese import normalize

_SURFACE = "the two are the same to a reader: "
_DASH = f"{_SURFACE}～ (U+FF5E) and 〜 (U+301C) are one character of Japanese text"
_INVISIBLE = f"{_SURFACE}a mark without width (byte order mark, zero width space) is not read"
_VARIANT = f"{_SURFACE}a variation selector changes the picture of a kanji, not the kanji"
_PACKED = "packaging is taken off: a closing です, quotation marks, Markdown, an emoji"
_HYPHEN = f"{_SURFACE}− (U+2212) and - are one sign in a telephone number"

READER = {
    **dict.fromkeys(("short/077", "short/199", "short/253"), _PACKED),
    **dict.fromkeys(("short/263", "short/264", "short/273"), _PACKED),
    "short/147": _DASH,
    "short/261": _INVISIBLE,
    "short/282": _VARIANT,
    "mcq/171": "the option is in English, the answer in Japanese: no dictionary is consulted",
    "open/033": "numbers are not rounded before they are compared; match.numeric has a tolerance",
    "ocr/039": _HYPHEN,
    "ocr/051": _VARIANT,
    "ocr/093": "the program adds 1e-9 to its denominators, and the reader's value has it too",
    "ocr/094": _INVISIBLE,
    "kie/23": "one object where a list belongs is read as a list of one, and its value is wrong",
}
"""By case: all that our own forms and a careful reader say differently."""


def reader_table(rows: Iterable[ParityRow]) -> str:
    """A Markdown line for each disagreement with a careful reader.

    All these cases are made by hand, so that their texts may be shown. A case without a reason is
    a KeyError: say it first.
    """
    lines = [
        "| metric | case | answer | right | ours | careful reader | reason |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        if row.against == "a careful reader":
            for found in row.exceptions:
                texts = [_quoted(found.prediction), _quoted(found.references[0])]
                values = [found.ours, found.theirs]
                cells = [f"`{row.metric}`", found.case, *texts, *values, READER[found.case]]
                lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A text that a table can show, with the code point of what looks like something else."""
    shown = "".join(
        one
        if one == " " or (normal := normalize(one)) == one
        else f"{one if normal else ''}[U+{ord(one):04X}]"
        for one in text
    )
    return "`" + (shown if len(shown) <= 40 else shown[:40] + "…").replace("|", "\\|") + "`"
