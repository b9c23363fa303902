"""`where:` and `keep:`: jinja2's expressions, held to comparisons."""

from __future__ import annotations

import pytest

from vlmbench.errors import ConfigError, DataError
from vlmbench.tasks.conditions import compile_condition, parse_where

META = {"answer": "open", "kind": "what", "year": 2020, "none": None, "日本": True, "a b": 1.5}

TRUE = [
    "meta.answer == 'open'",
    'meta["answer"] == "open"',
    "meta.kind in ['what', 'where']",
    "meta.kind not in ('count',)",
    "not meta.answer == 'short'",
    "meta.kind == 'who' or meta.year >= 2000 and meta.year < 2021",
    "meta.none == None",
    "meta.none is none and meta.kind is not none",
    "not (meta.none < 3 or meta.none > 3)",
    "not (meta.none <= 'a' or meta.none >= 'a' or (meta.none < 3) == true)",
    "meta.日本 == True",
    "meta['a b'] > -2",
    "  'what' == meta.kind  ",
    "meta.kind | upper == 'WHAT'",
]

REFUSED = [
    ("", "Expected an expression"),
    ("meta.answer", "a comparison is expected"),
    ("meta.answer == 'open' or 'short'", "a comparison is expected, also on each side"),
    ("meta.answer = 'open'", "expected token 'end of the condition', got '='"),
    ("meta.日本 == 1 and f(1) == 1", "can be compared"),
    ("meta.answer == open", "'open' is neither meta.FIELD nor a quoted text"),
    ("row.answer == 'open'", "'row' is neither meta.FIELD nor a quoted text"),
    ("meta.a == 1 and print('x')", "a comparison is expected"),
    ("__import__('os').system('true') == 0", "can be compared"),
    ("meta.a == meta.b.__class__", "'__class__' is no field"),
    ("1 < meta.a < 3", "join two with 'and'"),
    ("meta.a is None", "No test named 'None'"),
    ("meta.a == (lambda: 1)()", "expected token"),
    ("meta.a == f'{meta.a}'", "end of the condition"),
    ("meta.a == 1; 2", "got ';'"),
    ("meta.a == 1 }}{{ meta.b", "more than one expression"),
    ("{{ meta.a == 1 }} x", "more than one expression"),
    ("(" * 900, "nested too deeply"),
    ("not " * 240 + "meta.a == 1", "nested too deeply"),
    ("meta.a == '" + "a" * 1000 + "'", "shorten"),
    # None of these is ever begun: the last would not end, and others take gigabytes.
    ("range(10**9) == 1", "can be compared"),
    ("meta.a == 'x' * 100000000000", "can be compared"),
    ("meta.a | center(10000000000) == 'x'", "can be compared"),
    ("meta.a == 10**10**10", "can be compared"),
]


@pytest.mark.parametrize("text", TRUE)
def test_a_condition_holds(text: str) -> None:
    assert parse_where(text)(META) is True
    assert parse_where(f"not ({text.strip()})")(META) is False
    assert parse_where(f"{{{{ {text} }}}}")(META) is True


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_anything_else_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=r"write it like meta\.answer == 'open'") as error:
        parse_where(text)
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["meta.anser == 'open'", "meta.anser is none", "meta.anser < 3"])
def test_an_unknown_field_suggests_the_near_one(text: str) -> None:
    with pytest.raises(DataError, match=r"meta\.anser.*Did you mean 'meta\.answer'"):
        parse_where(text)(META)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("meta.kind > 3", "a text with a number"),
        ("meta.kind in meta.none", "is not iterable"),
        ("meta.kind.part == 1", "has no attribute 'part'"),
        ("meta[0] == 1", "Unknown field"),
        ("meta.kind | interleave == ''", "'interleave' works in a prompt only"),
    ],
)
def test_what_a_sample_cannot_answer_is_a_sentence(text: str, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        parse_where(text)(META)


def test_a_condition_on_a_row() -> None:
    holds = compile_condition("{{ row['l2-category'] == 'Japanese' }}", "row")
    assert [holds({"l2-category": one}) for one in ("Japanese", "Korean")] == [True, False]
    with pytest.raises(DataError, match=r"row\.l2-category.*Did you mean 'row\.l2_category'"):
        holds({"l2_category": "Japanese"})
