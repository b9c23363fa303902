"""What a terminal would obey is written out."""

from __future__ import annotations

import pytest

from vlmbench.text.visible import visible, visible_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31m", "\\x1b[31m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("a\u202egpj.exe", "a\\u202egpj.exe"),
        ("a\rb", "a\\x0db"),
        ("東京　1\t2\n👨‍👩‍👧 é", "東京　1\t2\n👨‍👩‍👧 é"),
    ],
)
def test_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_name_with_line_breaks_stays_on_its_line() -> None:
    assert visible_line("a\nb\t\x1b") == "a\\nb\\t\\x1b"
