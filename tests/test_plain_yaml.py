"""YAML from strangers: bombs, depth, doubled keys and odd tags end in a sentence, and quickly."""

from __future__ import annotations

import pytest

from vlmbench.plain_yaml import MAX_CHARACTERS, YamlProblem, load_yaml

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "problem", "line"),
    [
        (LAUGHS, "aliases written out", 6),
        ("[" * 100_000, "nested more than 50 deep", 1),
        ("".join("  " * depth + "a:\n" for depth in range(60)), "nested more than 50 deep", 51),
        ("a: 1\nb: 2\na: 3", "the key 'a' stands there twice", 3),
        ("a: {b: 1, c: 2, b: 3}", "the key 'b' stands there twice", 1),
        ("a: " + "9" * 5000, "not of its type", None),
        ("a: !!timestamp x", "not of its type", None),
        ("a: !!int x", "not of its type", None),
        ("a: !!python/object/apply:os.getcwd []", "constructor", 1),
        ("x: &x {y: *x}", "inside its own anchor", 1),
        ("- [1,\n- 2", "expected", 2),
        ("? {a: b}\n: c", "unhashable key", 1),
        ("a\x00b", "not allowed", None),
        ("a" * (MAX_CHARACTERS + 1), "more than 2,000,000", None),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_beyond_the_bounds(text: str, problem: str, line: int | None) -> None:
    with pytest.raises(YamlProblem, match=problem) as caught:
        load_yaml(text)
    assert caught.value.line == line


def test_ordinary_yaml_with_aliases_and_merges() -> None:
    text = "base: &base {a: 1, b: [x, y]}\none: {<<: *base, a: 2}\ntwo: *base\n日本: はい\n"
    assert load_yaml(text) == {
        "base": {"a": 1, "b": ["x", "y"]},
        "one": {"a": 2, "b": ["x", "y"]},
        "two": {"a": 1, "b": ["x", "y"]},
        "日本": "はい",
    }
    assert load_yaml("") is None
