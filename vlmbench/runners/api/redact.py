"""Takes a key out of texts, in the forms in which a server may repeat it."""

from __future__ import annotations

import base64
import re
from functools import lru_cache

HIDDEN = "***"
_SHORTEST = 8
"""Characters of a key that can be told from ordinary words."""

LONGEST_WRITTEN = 24
"""Characters that one of the key may take where it is escaped, white space not counted."""
_BETWEEN = r"[\s\u00ad\u200b-\u200d\u2060\ufeff]*"
"""What hides between two characters: white space, and what no reader sees."""


def redacted(text: str, key: str | None) -> str:
    """The text without the key: as it is, in other case, in base64 or hexadecimal, reversed, with
    characters escaped as URLs, HTML or JSON have them or in full width, or with white space inside.
    """
    if not key or len(key) < _SHORTEST:
        return text
    return _pattern(key).sub(HIDDEN, text)


@lru_cache(maxsize=16)
def _pattern(key: str) -> re.Pattern[str]:
    written = [_written(one) for one in key]
    forms = [_BETWEEN.join(one) for one in (written, reversed(written))]
    forms.append(_BETWEEN.join(key.encode().hex()))
    plain = "|".join(forms)
    encoded = "|".join(_BETWEEN.join(map(re.escape, one)) for one in _base64_forms(key))
    return re.compile(f"(?i:{plain})|{encoded}")


def _written(character: str) -> str:
    """A pattern of the ways to write an ASCII character, some of which escape the escape.

    Repetitions are bounded, as a text of a million backslashes would cost a trillion steps.
    """
    code = ord(character)
    ways = [
        re.escape(character),
        re.escape(chr(code + 0xFEE0)),  # full width
        rf"(?:%(?:25){{0,3}}|\\{{1,4}}x|=){code:02x}",
        rf"&(?:amp;){{0,3}}#(?:0{{0,5}}{code}|x0{{0,5}}{code:x});?",
        rf"(?:\\{{1,4}}u|U\+|%u)(?:{code:04x}|\{{0{{0,5}}{code:x}\}})",
    ]
    return f"(?:{'|'.join(ways)})"


def _base64_forms(key: str) -> list[str]:
    """What stands in base64 wherever the key begins: three forms, without what its neighbors
    decide, in either alphabet."""
    forms = []
    for before in range(3):
        data = bytes(before) + key.encode()
        whole = base64.b64encode(data).decode().rstrip("=")
        start = 0 if before == 0 else before + 1
        inner = whole[start : len(whole) - (0 if len(data) % 3 == 0 else 1)]
        forms += [inner, inner.replace("+", "-").replace("/", "_")]
    return sorted(set(forms), key=len, reverse=True)
