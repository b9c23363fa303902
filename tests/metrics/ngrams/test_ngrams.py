from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmbench.metrics.ngrams import comparison
from vlmbench.metrics.ngrams import table as ngrams
from vlmbench.metrics.ngrams.comparison import TextComparison
from vlmbench.metrics.ngrams.encoding import encode

TEXT = st.text("abcd", max_size=9)
SAMPLES = st.lists(st.lists(TEXT, min_size=2, max_size=4), min_size=1, max_size=5)


def counted(text: str, order: int) -> Counter[str]:
    """N-grams by the book."""
    return Counter(text[start : start + order] for start in range(len(text) - order + 1))


@pytest.mark.parametrize("key_bits", [63, 0], ids=["packed", "columns"])
@pytest.mark.parametrize("items", [1, 1 << 14], ids=["one by one", "together"])
@given(samples=SAMPLES)
@settings(max_examples=60, deadline=None)
def test_matches_are_those_of_counters(key_bits: int, items: int, samples: list[list[str]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ngrams, "_KEY_BITS", key_bits)
        patch.setattr(comparison, "_ITEMS", items)
        compared = TextComparison(encode(samples), orders=3)
        for row, (answer, *references) in enumerate(samples):
            for order in (1, 2, 3):
                ours = counted(answer, order)
                theirs = [counted(reference, order) for reference in references]
                both = [(ours & one).total() for one in theirs]
                most = theirs[0]
                for one in theirs:
                    most = most | one
                assert compared.matches[row, order - 1, : len(both)].tolist() == both
                assert compared.matches_with_any[row, order - 1] == (ours & most).total()
                assert compared.totals(order)[row, 0] == ours.total()


def test_missing_references_match_nothing() -> None:
    compared = TextComparison(encode([["ab", "ab", "b"], ["ab", "a"]]), orders=1)
    assert compared.lengths.tolist() == [[2, 2, 1], [2, 1, -1]]
    assert compared.matches[:, 0].tolist() == [[2, 1], [1, 0]]
    assert compared.subsequences.tolist() == [[2, 1], [1, 0]]


def test_long_texts_of_many_words_need_no_short_numbers() -> None:
    answer = [str(number) for number in range(20_000)]
    compared = TextComparison(encode([[answer, answer[::-1]], [["1"], ["1"]]]), orders=4)
    assert compared.matches[0].tolist() == [[20_000], [0], [0], [0]]
    assert compared.matches[1, 0].tolist() == [1]


def common_subsequence_length(first: str, second: str) -> int:
    """The textbook table, row by row."""
    row = [0] * (len(second) + 1)
    for left in first:
        above, row = row, [0]
        for column, right in enumerate(second):
            row.append(above[column] + 1 if left == right else max(above[column + 1], row[-1]))
    return row[-1]


@given(samples=SAMPLES)
@settings(max_examples=60, deadline=None)
def test_subsequences_are_those_of_the_textbook_table(samples: list[list[str]]) -> None:
    words = [[[f"word-{letter}" for letter in text] for text in texts] for texts in samples]
    for compared in (
        TextComparison(encode(samples), orders=1),
        TextComparison(encode(words), orders=1),
    ):
        for row, (answer, *references) in enumerate(samples):
            expected = [common_subsequence_length(answer, text) for text in references]
            assert compared.subsequences[row, : len(expected)].tolist() == expected
