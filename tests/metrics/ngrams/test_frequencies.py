from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmbench.metrics.ngrams.encoding import Integers, encode
from vlmbench.metrics.ngrams.frequencies import DocumentFrequencies, count_documents
from vlmbench.metrics.ngrams.table import NgramTable, Rows

TEXT = st.text("abcd", max_size=8)
DOCUMENTS = st.lists(st.lists(TEXT, min_size=1, max_size=3), min_size=1, max_size=5)


@given(documents=DOCUMENTS, sample=st.lists(TEXT, min_size=2, max_size=3))
@settings(max_examples=100, deadline=None)
def test_frequencies_are_those_of_sets(documents: list[list[str]], sample: list[str]) -> None:
    frequencies = count_documents([encode(documents)], 4)
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
    for order, (rows, found) in enumerate(looked_up(frequencies, sample), 1):
        joined = "\0".join(sample) + "\0"
        for position, count in zip(rows.positions.tolist(), found.tolist(), strict=True):
            ngram = joined[position : position + order]
            assert count == (1 if "\0" in ngram else max(1, expected[ngram]))


def looked_up(
    frequencies: DocumentFrequencies, sample: Sequence[Sequence[str]]
) -> list[tuple[Rows, Integers]]:
    """The n-grams of a sample with their frequencies, order by order."""
    texts = encode([sample])
    table = NgramTable(texts, 4)
    found = frequencies.of(table, frequencies.lines_of_words(texts))
    return list(zip(table.rows, found, strict=True))


def test_rare_ngrams_take_no_room() -> None:
    words = [[str(number) for number in range(1000)]]
    frequencies = count_documents([encode([words]), encode([[["0", "1"]]])], 4)
    assert dict(frequencies.words) == {"0": 0, "1": 1}
    assert [len(keys) for keys in frequencies.keys] == [1, 0, 0]


def test_no_documents() -> None:
    for frequencies in (count_documents([], 4), count_documents([encode([])], 4)):
        assert all(np.all(found == 1) for _, found in looked_up(frequencies, [["a", "b"]]))


def test_it_crosses_processes() -> None:
    frequencies = count_documents([encode([["ab", "b"], ["ab"]])], 4)
    copy = pickle.loads(pickle.dumps(frequencies))
    theirs, ours = looked_up(copy, ["ab", "b"]), looked_up(frequencies, ["ab", "b"])
    assert [found.tolist() for _, found in theirs] == [found.tolist() for _, found in ours]
