"""Takes a key out of texts, in the forms in which a server may repeat it."""

from __future__ import annotations

import base64
import re
from functools import lru_cache
from urllib.parse import quote

HIDDEN = "***"
_SHORTEST = 8
"""Characters of a key that can be told from ordinary words."""


def redacted(text: str, key: str | None) -> str:
    """The text without the key: as it is, in other case, in base64, percent-encoded, reversed,
    or with white space inside."""
    if not key or len(key) < _SHORTEST:
        return text
    return _pattern(key).sub(HIDDEN, text)


@lru_cache(maxsize=16)
def _pattern(key: str) -> re.Pattern[str]:
    spaced = r"\s*".join(map(re.escape, key))
    forms = [spaced, r"\s*".join(map(re.escape, reversed(key))), re.escape(quote(key, safe=""))]
    plain = "|".join(forms)
    encoded = "|".join(map(re.escape, _base64_forms(key)))
    return re.compile(f"(?i:{plain})|{encoded}")


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
