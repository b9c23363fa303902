from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from vlmbench.metrics.ngrams.lcs import common_subsequence_length


def by_the_book(first: str, second: str) -> int:
    """The textbook table, row by row."""
    row = [0] * (len(second) + 1)
    for left in first:
        above, row = row, [0]
        for column, right in enumerate(second):
            row.append(above[column] + 1 if left == right else max(above[column + 1], row[-1]))
    return row[-1]


@given(first=st.text("abc", max_size=20), second=st.text("abc", max_size=20))
def test_length_equals_the_textbook_table(first: str, second: str) -> None:
    expected = by_the_book(first, second)
    assert common_subsequence_length(first, second) == expected
    words = [[f"word-{letter}" for letter in text] for text in (first, second)]
    assert common_subsequence_length(*words) == expected


def test_long_sequences_take_seconds_not_hours() -> None:
    first, second = "猫が犬を見た。" * 6000, "犬は猫の前だ。" * 6000
    start = time.process_time()
    assert common_subsequence_length(first, second) >= 2 * 6000
    assert time.process_time() - start < 5
