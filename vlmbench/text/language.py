"""Which language an answer is in, from its characters alone.

Made for one question: does a model that is asked in Japanese answer in Japanese, or does it drift
into Chinese or English? Kana tell Japanese from Chinese in any sentence. Without kana, what counts
are characters of only one of the two (of which the character sets of both countries know), words
of Chinese grammar, and length: a Japanese name may be all kanji, a Japanese sentence is not.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

Language: TypeAlias = Literal["ja", "zh", "en", "other"]

LANGUAGE_FORM = "lang-ja1"
"""Version of `language_of` and `count_scripts`."""

_KANA = re.compile("[ぁ-ゟァ-ヺーヽ-ヿ\u31f0-\u31ff\uff66-\uff9f]")
_HAN = re.compile("[々〆〇\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_LATIN = re.compile("[A-Za-zÀ-ÖØ-öø-ɏＡ-Ｚａ-ｚ]")
_LETTER = re.compile(r"[^\W\d_]")

_CHINESE_WORDS = frozenset("你您她它们們吗嗎呢吧没沒很啊哪怎么麼咱")
"""Pronouns and particles that Japanese does not have."""
_CHINESE_GRAMMAR = frozenset("的是了在不我他有这這个個")
"""Common in Chinese sentences, possible in Japanese words."""

_LATIN_WORD = re.compile(f"(?:{_LATIN.pattern})+")
_ENDS_IN_HIRAGANA = re.compile(r"[ぁ-ゖ][\W\d_]*\Z")
_PER_WORD = 1.8
"""Kanji and kana that correspond to about one Latin word."""
_SENTENCE = 12
"""Kanji without kana that no Japanese answer has, except in long proper names."""
_LEAST_KANA = 0.1
"""Share of kana below which a sentence with signs of Chinese is Chinese."""


@dataclass(frozen=True, slots=True)
class Scripts:
    """How many letters of each script a text has."""

    kana: int
    han: int
    latin: int
    other: int

    @property
    def letters(self) -> int:
        """Of all scripts."""
        return self.kana + self.han + self.latin + self.other


def count_scripts(text: str) -> Scripts:
    """The letters of a text by script; digits, punctuation and emoji are none."""
    kana, han, latin = (len(script.findall(text)) for script in (_KANA, _HAN, _LATIN))
    other = len(_LETTER.findall(_LATIN.sub("", _HAN.sub("", _KANA.sub("", text)))))
    return Scripts(kana, han, latin, other)


@functools.lru_cache(maxsize=1024)
def language_of(text: str) -> Language | None:
    """The language of a text: Japanese, Chinese, English (any in Latin letters) or another one.

    A text without letters, such as a number, is in none. Kanji alone are Japanese (東京都庁)
    unless something says Chinese. Mixed text is what most of its words are, where Latin ones weigh
    half if it ends in hiragana: a Japanese sentence about an iPhone Pro is Japanese.
    """
    scripts = count_scripts(text)
    if not scripts.letters:
        return None
    asian = (scripts.han + scripts.kana) / _PER_WORD
    latin = float(len(_LATIN_WORD.findall(text)))
    if _ends_in_hiragana(text):
        latin /= 2
    if scripts.other / _PER_WORD > max(asian, latin):
        return "other"
    if latin > asian:
        return "en"
    return "zh" if _is_chinese(text, scripts) else "ja"


def _ends_in_hiragana(text: str) -> bool:
    # Only the end is looked at: a search from the start would try every hiragana.
    return bool(_ENDS_IN_HIRAGANA.search(text[-20:]))


def _is_chinese(text: str, scripts: Scripts) -> bool:
    if scripts.kana >= _LEAST_KANA * (scripts.kana + scripts.han):
        return False
    han = set(_HAN.findall(text))
    if any(_knows("euc_jp", c) and not _knows("gb2312", c) and not _knows("big5", c) for c in han):
        return False
    if han & _CHINESE_WORDS or any(not _knows("euc_jp", character) for character in han):
        return True
    return scripts.han >= _SENTENCE or (scripts.han > 4 and len(han & _CHINESE_GRAMMAR) >= 2)


@functools.lru_cache(maxsize=1 << 15)
def _knows(character_set: str, character: str) -> bool:
    """Whether a national character set has the character; JIS X 0208 for "euc_jp"."""
    try:
        # Three bytes of EUC-JP are JIS X 0212, whose characters are not in use in Japan.
        return len(character.encode(character_set)) == 2
    except UnicodeEncodeError:
        return False
