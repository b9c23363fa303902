"""The words of a sentence that carry its content."""

from __future__ import annotations

import functools
import re

from vlmbench.text.japanese import normalize
from vlmbench.text.mecab import features

_CONTENT = ("名詞", "動詞", "形容詞", "形状詞")
_EMPTY = frozenset(
    {"為る", "因る", "依る", "拠る", "居る", "有る", "成る", "事", "物", "様", "其れ", "此れ"}
)
"""Lemmas of verbs and nouns that only hold a sentence together."""
_CHANGES = {
    **dict.fromkeys(("上がる", "上がり", "上げる", "高まる", "高める"), "上昇"),
    **dict.fromkeys(("下がる", "下がり", "下げる", "下落"), "低下"),
    **dict.fromkeys(("増える", "増やす", "増す"), "増加"),
    **dict.fromkeys(("減る", "減らす"), "減少"),
    **dict.fromkeys(("広がる", "広げる"), "拡大"),
    **dict.fromkeys(("縮む", "縮める", "縮まる"), "縮小"),
}
"""Verbs of change and the nouns that say the same: 金利が上がる, 金利の上昇."""
_ENGLISH = re.compile("[a-z]+")
_ENDING = re.compile("(?:ing|ed|es|s|e)$")
_ARTICLES = frozenset(
    ("a", "an", "the", "is", "are", "was", "were", "there", "it", "this", "that", "of", "image")
)


@functools.lru_cache(maxsize=1 << 12)
def content_words(text: str) -> frozenset[str]:
    """Dictionary forms of the nouns, verbs and adjectives of a text; stems of its English words."""
    english = {*_ENGLISH.findall(text.casefold())} - _ARTICLES
    found = {_ENDING.sub("", word) if len(word) > 3 else word for word in english}
    for word in features(normalize(text)):
        lemma = getattr(word, "lemma", None)
        if word.pos1 in _CONTENT and lemma and lemma not in _EMPTY:
            found.add(_CHANGES.get(lemma, str(lemma)))
    return frozenset(found)
