from __future__ import annotations

import pytest

from vlmbench.text.edits import edit_distance

DISTANCES = [
    # Derived by hand: insert, delete, substitute.
    ("", "", 0),
    ("", "猫", 1),
    ("東京", "東京都", 1),
    ("東京都", "東京", 1),
    ("東京", "京都", 2),
    ("アメリカ", "アフリカ", 1),
    ("kitten", "sitting", 3),
    ("👍🏽", "👍", 1),  # code points, not pictures
    ("\ud800", "a", 1),  # half of a surrogate pair is a character like any other
]


@pytest.mark.parametrize(("first", "second", "expected"), DISTANCES)
def test_distance(first: str, second: str, expected: int) -> None:
    assert edit_distance(first, second) == edit_distance(second, first) == expected
