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
    **dict.fromkeys(("眠る", "居眠り"), "寝る"),
    "腰掛ける": "座る",
    "喋る": "話す",
}
"""Verbs and the words that say the same: 金利が上がる, 金利の上昇."""
_JAPANESE = re.compile("[ぁ-んァ-ヺ一-鿿]")
_ENGLISH = re.compile("[a-z]+")
_ENDING = re.compile("(?:ing|ed|es|s|e)$")
_ARTICLES = frozenset(
    ("a", "an", "the", "is", "are", "was", "were", "there", "it", "this", "that", "of", "image")
)


_POLITE = frozenset({"ます", "です", "だ", "た", "て", "居る", "有る", "為る", "は", "が", "を"})
"""Lemmas that say how, when or to whom something is said, and particles that change with it."""
_BEHIND_TE = frozenset({"行く", "来る", "仕舞う", "下さる"})
_SIDE = re.compile("の(?:ほう|方)(?=[がは])")
"""右の皿のほうが重い says of two what 右の皿が重い says."""
_MAY_DENY = re.compile("[なんずぬ]")
_NOT = frozenset({"ない", "無い", "ず", "ぬ"})


@functools.lru_cache(maxsize=1 << 12)
def _analyzed(text: str) -> tuple[tuple[str, str], ...]:
    """Part of speech and dictionary form of each word; "" where the dictionary has none."""
    words = features(normalize(text))
    return tuple((word.pos1, str(getattr(word, "lemma", None) or "")) for word in words)


@functools.lru_cache(maxsize=1 << 12)
def predicate(text: str) -> tuple[str, ...]:
    """Dictionary forms up to a text's last verb or adjective, () where it has none.

    Without politeness, tense and aspect, so that 変わりませんでした and 変わらない are the same.
    """
    if not _JAPANESE.search(text):
        return ()
    words = _analyzed(_SIDE.sub("", text))
    if not any(kind in ("動詞", "形容詞") for kind, _ in words):
        return ()
    found, before = list[str](), ("", "")
    for kind, lemma in words:
        helps = before[1] == "て" and lemma in _BEHIND_TE
        joins = lemma == "と" and before[0] in ("動詞", "形容詞", "助動詞")  # 沸くと、 not 犬と猫
        if kind != "補助記号" and lemma not in _POLITE and not helps and not joins:
            found.append("ない" if lemma in _NOT else _CHANGES.get(lemma, lemma))
        before = kind, lemma
    return tuple(found)


def is_negative(text: str) -> bool:
    """Whether what a text says last is denied: 寝ていません."""
    return bool(_MAY_DENY.search(text)) and predicate(text)[-1:] == ("ない",)


@functools.lru_cache(maxsize=1 << 12)
def content_words(text: str) -> frozenset[str]:
    """Dictionary forms of the nouns, verbs and adjectives of a text; stems of its English words."""
    english = {*_ENGLISH.findall(text.casefold())} - _ARTICLES
    found = {_ENDING.sub("", word) if len(word) > 3 else word for word in english}
    for kind, lemma in _analyzed(text):
        if kind in _CONTENT and lemma and lemma not in _EMPTY:
            found.add(_CHANGES.get(lemma, lemma))
    return frozenset(found)
