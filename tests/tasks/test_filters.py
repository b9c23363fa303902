"""What templates do to lists, letters and structs."""

from __future__ import annotations

from typing import Any

import pytest

from vlmbench.tasks.filters import as_list, letter, lettered, plain_json, reading_order, unwrapped


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["a", "b"], ["a", "b"]),
        (("a",), ["a"]),
        (None, []),
        ("['赤', '青']", ["赤", "青"]),
        ('["赤", "青"]', ["赤", "青"]),
        ('["赤", null]', ["赤", None]),
        ("[]", []),
        ("12", ["12"]),
        (12, [12]),
        ("[1, 2", ["[1, 2"]),
        ("[__import__('os').getcwd()]", ["[__import__('os').getcwd()]"]),
        ("[" * 5000 + "]" * 5000, ["[" * 5000 + "]" * 5000]),
    ],
)
def test_as_list(value: Any, expected: list[Any]) -> None:
    assert as_list(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, "A"), ("3", "D"), ("B", "B"), ("(C)", "C"), (99, "99"), (" A ", "A")],
)
def test_letter(value: Any, expected: str) -> None:
    assert letter(value) == expected


def test_lettered() -> None:
    assert lettered(["赤", "青"]) == "A. 赤\nB. 青"


def test_json_of_a_wrapped_struct() -> None:
    wrapped = {"name": {"value": "山田屋"}, "lines": [{"price": {"value": None}}]}
    assert plain_json(unwrapped(wrapped)) == '{"name": "山田屋", "lines": [{"price": null}]}'


def test_reading_order() -> None:
    def region(text: str, x: float, y: float) -> dict[str, Any]:
        return {"text": text, "polygon": [[x, y], [x + 2, y + 2]]}

    regions = [region("c", 0, 9), region("b", 5, 1), region("a", 0, 1)]
    assert reading_order(regions) == "a\nb\nc"
