"""The words of a sentence that carry its content."""

from __future__ import annotations

import functools

from vlmbench.text.japanese import normalize
from vlmbench.text.mecab import features

_CONTENT = ("名詞", "動詞", "形容詞", "形状詞")
_EMPTY = frozenset({"為る", "居る", "有る", "成る", "事", "物", "様", "其れ", "此れ"})
"""Lemmas of verbs and nouns that only hold a sentence together."""


@functools.lru_cache(maxsize=1 << 12)
def content_words(text: str) -> frozenset[str]:
    """Dictionary forms of the nouns, verbs and adjectives of a text."""
    found = set()
    for word in features(normalize(text)):
        lemma = getattr(word, "lemma", None)
        if word.pos1 in _CONTENT and lemma and lemma not in _EMPTY:
            found.add(str(lemma))
    return frozenset(found)
