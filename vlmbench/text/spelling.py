"""Forms in which different spellings of one Japanese word are equal."""

from __future__ import annotations

import functools
import re
import unicodedata

from vlmbench.text.japanese import answer_form, read_aloud
from vlmbench.text.kanji import new_forms
from vlmbench.text.numerals import read_numeral

_KATAKANA_TO_HIRAGANA = {code: code - 0x60 for code in range(0x30A1, 0x30F7)}
_SMALL_VOWELS = str.maketrans("ぁぃぅぇぉ", "あいうえお")
_V_SOUNDS = re.compile("ゔ([ぁぃぇぉ]?)")
_V_ROWS = {"ぁ": "ば", "ぃ": "び", "": "ぶ", "ぇ": "べ", "ぉ": "ぼ"}
# サーバー and サーバ: a long mark that ends a longer word in katakana. ビル and ビール differ.
_LAST_LONG_VOWEL = re.compile("(?<=[ァ-ヺー]{3})ー(?![ァ-ヺー])")
# インターフェイス and インターフェース, inside longer words in katakana.
_E_VOWEL = re.compile("(?<=[ァ-ヺー]{2}[ェケゲセゼテデネヘベペメレ])イ(?=[ァ-ヺー]|$)")
_ROMANS = ["i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x"]
_ROMAN = re.compile(f"第({'|'.join(_ROMANS)})(?=[章部節編回巻条項])")
# Between digits they mean something: 10-5, 1,234.
_JOINERS = re.compile("(?<![0-9])[-・= 、,/'’]+|[-・= 、,/'’]+(?![0-9])")
_COMBINING = re.compile("[\u0300-\u036f]")
_ADDRESS = re.compile("([0-9]{1,4})(?:丁目|番地?の?|号)(?=[0-9])|(?<=[0-9])(?:番地?|号)$")
_ORDINAL = re.compile(
    "第([一二三四五六七八九十]{1,3}?)(?=四半期|[^一二三四五六七八九十]|$)"
    "|(?<=[ぁ-ん])([一二三四五六七八九十]{1,3})(?=[番つ人回列段行個枚本]目)"
)
_POLITE = re.compile("(?<=[てで]い)ます$")
_SHOP = re.compile("屋さん$")
_KANA = re.compile("[ぁ-ゖァ-ヺー]+")
_NOT_KANJI = re.compile("[^一-鿿々]+")
_LONGEST = 60


@functools.lru_cache(maxsize=1 << 14)
def spelling_form(text: str) -> str:
    """The `answer_form` without what is a matter of spelling.

    Kanji in today's forms, katakana as hiragana, ヴ as ば び ぶ べ ぼ, small ぁ ぃ ぅ ぇ ぉ as
    large, no long mark at the end of a katakana word of three or more, no ・ - , between words,
    Latin letters without accents, 1丁目2番3号 as 1-2-3, 第一回 as 第1回, 右から二番目 as
    右から2番目, 寝ています as 寝ている, 魚屋さん as 魚屋.
    """
    form = _ADDRESS.sub(lambda found: f"{found[1]}-" if found[1] else "", answer_form(text))
    form = _ORDINAL.sub(_with_digits, form)
    form = _POLITE.sub("る", _SHOP.sub("屋", new_forms(form)))
    form = _ROMAN.sub(lambda found: f"第{_ROMANS.index(found[1]) + 1}", form)
    form = _E_VOWEL.sub("ー", form)
    form = _LAST_LONG_VOWEL.sub("", form).translate(_KATAKANA_TO_HIRAGANA)
    form = _V_SOUNDS.sub(lambda found: _V_ROWS[found[1]], form).translate(_SMALL_VOWELS)
    latin = unicodedata.normalize("NFD", form) if not form.isascii() else form
    if _COMBINING.search(latin):
        form = unicodedata.normalize("NFC", _COMBINING.sub("", latin))
    return _JOINERS.sub("", form) or form


def same_spelling(first: str, second: str) -> bool:
    """Whether two short answers are one word in two spellings.

    Equal in `spelling_form`; or read alike by the dictionary, and one of them has no other kanji
    than the other one, in its order (引っ越し, 引越し; 子ども, 子供; とうきょう, 東京). Two words
    in kanji that merely sound alike (橋, 箸) differ.
    """
    forms = spelling_form(first), spelling_form(second)
    if forms[0] == forms[1]:
        return True
    if not all(0 < len(form) <= _LONGEST for form in forms):
        return False
    in_kana = [bool(_KANA.fullmatch(form)) for form in forms]
    kanji = [_NOT_KANJI.sub("", form) for form in forms]
    if all(in_kana) or not any(kanji):
        return False
    if not (any(in_kana) or _all_in_order(*kanji) or _all_in_order(*reversed(kanji))):
        return False
    readings = [_reading(form) for form in forms]
    return readings[0] == readings[1] != ""


def _with_digits(ordinal: re.Match[str]) -> str:
    value = read_numeral(ordinal[1] or ordinal[2])
    before = "第" if ordinal[1] else ""
    return ordinal[0] if value is None else f"{before}{value:g}"


def _all_in_order(some: str, more: str) -> bool:
    """Whether all of some kanji are among more, in their order; no kanji are in none."""
    rest = iter(more)
    return bool(some) and all(kanji in rest for kanji in some)


def _reading(form: str) -> str:
    """The form in hiragana, empty where the dictionary does not know all of it."""
    if _KANA.fullmatch(form):
        return form
    return read_aloud(form).translate(_KATAKANA_TO_HIRAGANA)
