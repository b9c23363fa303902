from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmbench.text import sequences
from vlmbench.text.sequences import common_subsequence_length, ngram_counts


def by_the_book(first: str, second: str) -> int:
    """The textbook table, row by row."""
    row = [0] * (len(second) + 1)
    for left in first:
        above, row = row, [0]
        for column, right in enumerate(second):
            row.append(above[column] + 1 if left == right else max(above[column + 1], row[-1]))
    return row[-1]


@pytest.mark.parametrize("block", [1, 3, 16_384])
@given(first=st.text("abc", max_size=20), second=st.text("abc", max_size=20))
def test_length_equals_the_textbook_table(block: int, first: str, second: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sequences, "_BLOCK", block)
        assert common_subsequence_length(first, second) == by_the_book(first, second)


def test_long_sequences_take_seconds_not_hours() -> None:
    first, second = "猫が犬を見た。" * 6000, "犬は猫の前だ。" * 6000
    start = time.perf_counter()
    assert common_subsequence_length(first, second) >= 2 * 6000
    assert time.perf_counter() - start < 5


def test_ngram_counts() -> None:
    assert ngram_counts("aba", 1) == {("a",): 2, ("b",): 1}
    assert ngram_counts("abab", 2) == {("a", "b"): 2, ("b", "a"): 1}
    assert ngram_counts("ab", 3) == {}
