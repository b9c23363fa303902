from __future__ import annotations

import pytest

from vlmbench.text.json_fields import field_values, read_object, value_form

OBJECTS = [
    ('{"a": 1}', {"a": "1"}),
    ('結果: {"a": "{x}"} です', {"a": "{x}"}),
    ('```json\n{"a": 1.50}\n```', {"a": "1.50"}),
    ('[{"a": 1}, {"a": 2}]', {"a": "1"}),
    ('{x} {"a": 1}', {"a": "1"}),
    ('```json\n{broken}\n```\n{"a": 1}', None),
    ('<think>{"b": 1}</think>{"a": 1}', {"a": "1"}),
    ('{"a": 1', None),
    ('"x"', None),
    ("読めません", None),
    ("", None),
    ('{"a":' * 10_000, None),
    ('{"a": ' + "1" * 10_000 + "}", {"a": "1" * 10_000}),
]

SAME_VALUES = [
    ("280円", "280"),
    ("¥1,280", "1280"),
    ("２８０", "280"),
    ("令和6年5月3日", "2024-05-03"),
    ("午後3時5分", "15:05"),
    ("スーパー　マルヤマ", "スーパーマルヤマ"),
]


@pytest.mark.parametrize(("text", "expected"), OBJECTS)
def test_read_object(text: str, expected: dict[str, str] | None) -> None:
    assert read_object(text) == expected


@pytest.mark.parametrize(("one", "other"), SAME_VALUES)
def test_values_are_equal_however_written(one: str, other: str) -> None:
    assert value_form(one) == value_form(other)


def test_a_number_with_a_leading_zero_is_a_text() -> None:
    assert value_form("0012") != value_form("12")


def test_fields_are_counted_by_path_and_empty_ones_are_absent() -> None:
    values = field_values({"a": None, "b": "", "c": [{"d": "x"}, {"d": "x"}], "e": {"f": "1円"}})
    assert values == {(".c.d", "x"): 2, (".e.f", "1"): 1}
