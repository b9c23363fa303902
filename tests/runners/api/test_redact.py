"""A key is taken out of texts in every form in which a server may repeat it."""

from __future__ import annotations

import base64
import json
import time
from urllib.parse import quote

import pytest

from vlmbench.runners.api.redact import redacted

KEY = "sk-Ab+0123/456789=xyz"


@pytest.mark.parametrize(
    "form",
    [
        KEY,
        KEY.upper(),
        KEY[:7] + "\n" + KEY[7:],
        " ".join(KEY),
        KEY[::-1],
        quote(KEY, safe=""),
        *(base64.b64encode(b"key:"[:n] + KEY.encode() + b"!" * m).decode()
          for n in range(4) for m in range(3)),
        base64.urlsafe_b64encode(KEY.encode()).decode(),
        "\n".join(base64.b64encode(KEY.encode()).decode()),
        "".join(f"%{ord(one):02X}" for one in KEY),
        "".join(f"%25{ord(one):02x}" for one in KEY),
        "".join(f"&#{ord(one)};" for one in KEY),
        "".join(f"&amp;#x{ord(one):X};" for one in KEY),
        json.dumps(KEY.replace(KEY[3:9], "".join(f"\\u{ord(one):04x}" for one in KEY[3:9]))),
        KEY.encode().hex(),
        KEY.encode().hex(" ").upper(),
        "\u200b".join(KEY),
        "".join(chr(ord(one) + 0xFEE0) for one in KEY),
    ],
)  # fmt: skip
def test_forms(form: str) -> None:
    hidden = redacted(f"鍵は{form}です", KEY)
    assert "***" in hidden and hidden.startswith("鍵は") and hidden.endswith("です")
    for part in (form[8:16], form[-16:-8]):
        assert part not in hidden


def test_other_texts_stay() -> None:
    for text in (
        "東京です。",
        "sk-Ab+0123/45678",
        "",
        "a" * 1000,
        base64.b64encode(b"x" * 99).decode(),
    ):
        assert redacted(text, KEY) == text
    assert redacted("none of it", "none") == "none of it"
    assert redacted("text", None) == "text"


@pytest.mark.parametrize("piece", ["s", " ", "%25", "\\", "&amp;", "&#0", "0", KEY[:-1], "s\n"])
def test_long_texts_are_searched_in_linear_time(piece: str) -> None:
    """A pattern whose repetitions overlap would take hours."""
    began = time.process_time()
    redacted(piece * (1_000_000 // len(piece)), KEY)
    assert time.process_time() - began < 10
