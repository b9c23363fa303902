from __future__ import annotations

import pytest

from vlmbench.errors import ConfigError, DataError
from vlmbench.tasks.where import parse_where

META = {"answer": "open", "kind": "what", "year": 2020, "none": None, "日本": True, "a b": 1.5}

TRUE = [
    "meta.answer == 'open'",
    'meta["answer"] == "open"',
    "meta.kind in ['what', 'where']",
    "meta.kind not in ('count',)",
    "not meta.answer == 'short'",
    "meta.kind == 'who' or meta.year >= 2000 and meta.year < 2021",
    "meta.none == None",
    "not (meta.none < 3 or meta.none > 3)",
    "meta.日本 == True",
    "meta['a b'] > -2",
    "  'what' == meta.kind  ",
]

REFUSED = [
    ("", "column 1"),
    ("meta.answer", "column 1"),
    ("meta.answer = 'open'", "column 13"),
    ("meta.日本 == 1 and f(1) == 1", "column 18"),
    ("meta.answer == open", "column 16"),
    ("meta.a == 1 and print('x')", "column 17"),
    ("__import__('os').system('true') == 0", "column 1"),
    ("meta.a.b == 1", "column 1"),
    ("meta.a == meta.b.__class__", "column 11"),
    ("meta[0] == 1", "column 1"),
    ("1 < meta.a < 3", "and"),
    ("meta.a is None", "=="),
    ("meta.a in 'abc'", "column 11"),
    ("meta.a == (lambda: 1)()", "column 11"),
    ("meta.a == f'{meta.a}'", "column 11"),
    ("meta.a == 1; 2", "column"),
    ("meta.a == '\x00'", "fails"),
    ("(" * 900, "fails"),
    ("not " * 240 + "meta.a == 1" + " " * 900, "shorten"),
]


@pytest.mark.parametrize("text", TRUE)
def test_a_condition_holds(text: str) -> None:
    assert parse_where(text)(META) is True
    assert parse_where(f"not ({text.strip()})")(META) is False


@pytest.mark.parametrize(("text", "hint"), REFUSED)
def test_anything_else_is_refused_with_its_place(text: str, hint: str) -> None:
    with pytest.raises(ConfigError, match="where") as error:
        parse_where(text)
    assert hint in str(error.value)


def test_an_unknown_field_suggests_the_near_one() -> None:
    with pytest.raises(DataError, match=r"meta\.anser.*Did you mean 'meta\.answer'"):
        parse_where("meta.anser == 'open'")(META)


def test_a_text_is_not_ordered_against_a_number() -> None:
    with pytest.raises(DataError, match="a text with a number"):
        parse_where("meta.kind > 3")(META)
