from __future__ import annotations

import pickle
from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmbench.text.frequencies import count_documents
from vlmbench.text.ngrams import NgramTable

TEXT = st.text("abcd", max_size=8)
DOCUMENTS = st.lists(st.lists(TEXT, min_size=1, max_size=3), min_size=1, max_size=5)


@given(documents=DOCUMENTS, sample=st.lists(TEXT, min_size=2, max_size=3))
@settings(max_examples=100, deadline=None)
def test_frequencies_are_those_of_sets(documents: list[list[str]], sample: list[str]) -> None:
    frequencies = count_documents(documents, 4)
    assert frequencies.samples == len(documents)
    expected: Counter[str] = Counter()
    for texts in documents:
        expected.update(
            {
                text[start : start + order]
                for text in texts
                for order in (1, 2, 3, 4)
                for start in range(len(text) - order + 1)
            }
        )
    found = frequencies.of(NgramTable([sample], 4))
    position = 0
    for text in sample:
        for start in range(len(text)):
            for order in range(1, min(4, len(text) - start) + 1):
                known = max(1, expected[text[start : start + order]])
                assert found[order - 1, position + start] == known
        position += len(text) + 1


def test_rare_ngrams_take_no_room() -> None:
    words = [[str(number) for number in range(1000)]]
    frequencies = count_documents([words, [["0", "1"]]], 4)
    assert dict(frequencies.words) == {"0": 0, "1": 1}
    assert [len(keys) for keys in frequencies.keys] == [1, 0, 0]


def test_no_documents() -> None:
    frequencies = count_documents([], 4)
    assert np.all(frequencies.of(NgramTable([["a", "b"]], 4)) == 1)


def test_it_crosses_processes() -> None:
    frequencies = count_documents([["ab", "b"], ["ab"]], 4)
    copy = pickle.loads(pickle.dumps(frequencies))
    table = NgramTable([["ab", "b"]], 4)
    assert np.array_equal(copy.of(table), frequencies.of(table))
