from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmbench.metrics.ngrams.encoding import (
    EncodedTexts,
    encode,
    encode_characters,
    encode_words,
)

WORD = st.text("aあ漢😀", min_size=1, max_size=6)
LINES = st.lists(st.lists(WORD, max_size=5), min_size=1, max_size=7)


def decoded(texts: EncodedTexts) -> list[list[object]]:
    """The items of each text."""
    items = [texts.vocabulary[key] for key in texts.keys.tolist()]
    ends = np.cumsum(texts.sizes).tolist()
    return [items[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@given(lines=LINES)
@settings(max_examples=200, deadline=None)
def test_words_keep_their_places_and_equal_ones_their_key(lines: list[list[str]]) -> None:
    texts = encode_words([" ".join(words) for words in lines], np.array([len(lines)]))
    assert decoded(texts) == lines
    words = [word for line in lines for word in line]
    for word, key in zip(words, texts.keys.tolist(), strict=True):
        assert [other == key for other in texts.keys] == [other == word for other in words]


@given(lines=LINES)
@settings(max_examples=50, deadline=None)
def test_characters_are_those_of_the_words(lines: list[list[str]]) -> None:
    texts = encode_characters([" ".join(words) for words in lines], np.array([len(lines)]))
    assert decoded(texts) == [list("".join(words)) for words in lines]


@given(samples=st.lists(st.lists(st.text("abc", max_size=6), min_size=1, max_size=3), min_size=1))
@settings(max_examples=60, deadline=None)
def test_ids_count_the_items_before(samples: list[list[str]]) -> None:
    ids, distinct = encode(samples).ids
    expected = []
    for texts, number in zip(samples, distinct.tolist(), strict=True):
        items = list(dict.fromkeys("".join(texts)))
        assert number == len(items)
        expected += [items.index(item) for item in "".join(texts)]
    assert ids.tolist() == expected


@given(samples=st.lists(st.lists(st.text("abc", max_size=6), min_size=1, max_size=3)))
@settings(max_examples=60, deadline=None)
def test_batches_are_the_whole(samples: list[list[str]]) -> None:
    batches = list(encode(samples).batches(9, 3))
    assert [text for batch in batches for text in decoded(batch)] == decoded(encode(samples))
    assert all(len(batch.n_texts) <= 3 for batch in batches)
    assert [len(texts) for batch in batches for texts in batch.strings()] == list(map(len, samples))


def test_strings_are_equal_where_items_are() -> None:
    (first, second) = encode([["abca", "abda"], [["猫", "犬", "猫"], ["猫"]]]).strings()
    assert first == ["\0\1\2\0", "\0\1\3\0"]
    assert second == ["\4\5\4", "\4"]
