"""The texts that the search of samples looks through: folded here, so that pages need not.

One file holds the texts of many samples, a line each. A page that was opened as a file may start
no worker and asks for each file on its own, so few large files, read once, are what makes a search
of 100,000 samples quick.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

_KATAKANA = {kana: kana + 0x60 for kana in range(0x3041, 0x3097)}
"""From hiragana."""

LARGEST = 250_000
"""Characters of a file that holds more than one sample: read in the time between two keystrokes."""


def folded(text: str) -> str:
    """What counts as equal becomes equal: forms of one width, letter case, hiragana and katakana.

    The same as `folded` of static/site.js. Lines become words of one line.
    """
    plain = unicodedata.normalize("NFKC", text).lower().translate(_KATAKANA)
    return " ".join(plain.split())


def search_files(texts: Iterable[str]) -> Iterator[tuple[int, str]]:
    """The files of texts that are in order: the place of each one's first text, and its lines."""
    first, lines, size = 0, list[str](), 0
    for text in texts:
        line = folded(text)
        if lines and size + len(line) > LARGEST:
            yield first, "\n".join(lines)
            first, lines, size = first + len(lines), [], 0
        lines.append(line)
        size += len(line) + 1
    if lines:
        yield first, "\n".join(lines)
