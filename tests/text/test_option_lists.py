"""Options behind letters, taken apart and put together; expected values by hand."""

from __future__ import annotations

import pytest

from vlmbench.text.option_lists import unlabeled, with_options


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["(A) red", "(B) blue"], ["red", "blue"]),
        (["A. red", "B. blue"], ["red", "blue"]),
        (["A: red", "B) blue"], ["red", "blue"]),
        (["red", "blue"], ["red", "blue"]),
        (["A. red", "blue"], ["A. red", "blue"]),
        (["B. red", "A. blue"], ["B. red", "A. blue"]),
        (["A dog", "B movie"], ["A dog", "B movie"]),
        ([], []),
    ],
)
def test_unlabeled(options: list[str], expected: list[str]) -> None:
    assert unlabeled(options) == expected


QUERY = "Hint: give the letter.\nQuestion: Which?\nChoices:\n(A) red\n(B) blue\n(C) red"


@pytest.mark.parametrize(
    ("listed", "options", "expected"),
    [
        (["red", "blue"], ["blue", "red"], ["blue", "red"]),
        (["(A) red", "(B) blue"], ["blue", "red"], ["(A) blue", "(B) red"]),
        (["(A) red", "(B) blue"], ["red"], ["(A) red", "(B) blue"]),
        (QUERY, ["red", "blue", "red"], QUERY),
        (QUERY, ["blue", "red", "red"], QUERY.replace("(A) red\n(B) blue", "(A) blue\n(B) red")),
        (QUERY, [], QUERY),
        (QUERY, ["red", "blue", "pink"], QUERY),
        ("Which?\nA. x\nB. y\n短く。", ["y", "x"], "Which?\nA. y\nB. x\n短く。"),
        ("A. first line\nB. second\nWhich?\nA. x\nB. y", ["y", "x"],
         "A. first line\nB. second\nWhich?\nA. y\nB. x"),
        ("No options here.", ["x", "y"], "No options here."),
    ],
)  # fmt: skip
def test_with_options(
    listed: list[str] | str, options: list[str], expected: list[str] | str
) -> None:
    assert with_options(listed, options) == expected
