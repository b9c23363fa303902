"""One form for Japanese text before it is compared, and its words.

    normalize(text)    what all comparisons start from: one width, one kind of space and dash
    surface_form(text) a short answer without width, case, white space and closing full stop
    answer_form(text)  what is left of it when its packaging is taken off as well
    tokenize(text)     words, by fugashi (MeCab) with the UniDic of the unidic-lite package

Each form has a version that metric signatures carry: changing what a form does means changing it.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Sequence
from importlib.metadata import version

from vlmbench.text.cache import WordCache
from vlmbench.text.mecab import features, split_words, unidic

NORMALIZATION = "nfkc-ja1"
"""Version of `normalize`."""

ANSWER_FORM = "answer-ja3"
"""Version of `surface_form` and `answer_form`, which includes that of `normalize`."""

# NFKC would turn these into something that reads differently: an ellipsis into full stops, a
# free-standing voicing mark or accent into a space with a combining mark.
_KEPT_FROM_NFKC = "…‥゛゜´¨¯‾¸˘˙˚˛˜˝"
_NFKC_PIECES = re.compile(f"[^{_KEPT_FROM_NFKC}]+")

# Zero-width and directional marks, joiners, soft hyphens and variation selectors change the
# picture of a character and not the character; control characters are noise.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff]"
)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_DIGITS_THEN_POWER = re.compile("(?<=[0-9０-９])[²³¹⁰⁴-⁹]+")
_DIGITS_THEN_FRACTION = re.compile("(?<=[0-9０-９])(?=[¼-¾⅐-⅞])")
_SPACES = re.compile(r"\s+")
_LONG_VOWELS = re.compile("ー{2,}")
# What most short texts consist of stays as it is.
_NORMAL = re.compile("[!-~々-】〒〔-〛ぁ-ゖゝゞァ-ヺ・ーヽヾ一-鿿、。〃〜]*")
# Nearly all Japanese text has no other characters. Of these NFKC changes the width of some, and
# neighbors do not matter: five lines below do what the rest of `normalize` would.
_PLAIN = re.compile("[ -~\n\r\t\u3000-\u3003々-】〒〔-〛〜ぁ-ゖゝゞァ-ヺ・ーヽヾ一-鿿！-｝]*")
_BEFORE_NFKC = str.maketrans({"\uff5e": "\u301c", "\u223c": "\u301c"})
_AFTER_NFKC = str.maketrans(
    {
        "\u2044": "/",  # the slash inside a fraction character
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-"),
        **dict.fromkeys("\u2014\u2500", "\u2015"),
    }
)


def normalize(text: str) -> str:
    """The text in one width, with one kind of space and dash; applying it again changes nothing.

    Unicode NFKC, which makes full-width letters and digits half-width, half-width kana
    full-width, ㎏ kg and ① 1, with what Japanese needs besides:

    * … ‥ ゛ ゜ and free-standing accents stay (NFKC makes dots and spaces of them);
    * 〜 ～ ∼ are all 〜 (NFKC makes ～ an ASCII tilde and leaves 〜);
    * a superscript after a digit is a power and a fraction after a digit stands apart, so that
      10² is 10^2 and not 102;
    * hyphens, en dashes and minus signs are -, longer dashes and ruled lines ―;
    * a long-vowel mark is not repeated: すごーーい is すごーい;
    * white space of any kind is one space, none at the ends;
    * invisible characters (zero width, byte order mark, joiners, variation selectors, controls)
      vanish, so 葛󠄀 is 葛; half of a surrogate pair becomes U+FFFD.

    Case, punctuation and the choice between kana and kanji stay as they are.
    """
    if _NORMAL.fullmatch(text) and "ーー" not in text:
        return text
    if _PLAIN.fullmatch(text):
        text = unicodedata.normalize("NFKC", text)
        if "ーー" in text:
            text = _LONG_VOWELS.sub("ー", text)
        return " ".join(text.split())
    text = _INVISIBLE.sub("", _LONE_SURROGATE.sub("\ufffd", text))
    text = _DIGITS_THEN_POWER.sub(lambda power: "^" + power[0], text)
    text = _DIGITS_THEN_FRACTION.sub(" ", text).translate(_BEFORE_NFKC)
    text = _NFKC_PIECES.sub(lambda piece: unicodedata.normalize("NFKC", piece[0]), text)
    text = _LONG_VOWELS.sub("ー", text.translate(_AFTER_NFKC))
    return _SPACES.sub(" ", text).strip()


_PAIRS = dict(zip("「『([{【〔《〈<“‘\"'`*$_", "」』)]}】〕》〉>”’\"'`*$_", strict=True))
_FULL_STOPS = "。.、,!?…:;"
_LAYERS = 8
"""Most layers of packaging that are taken off; keeps hostile input from costing more."""
_LONGEST_PACKED = 2000
_LONGEST_KEPT = 200
"""Characters of a text whose form is kept in the cache."""
# The copula is taken off only where nothing else can be meant: だ and である end many words.
_COPULA = re.compile(
    "(?<=.)(?:でございます|でした|です|である|であります|(?<=[一-鿿々ァ-ヺー0-9a-z%])だ)(?:ね|よ)?$"
)
_HEADING = re.compile("#{1,6}(?=[^#])")
_LATEX = re.compile(r"\\(?:boxed|text|mathrm|mathbf|textbf)\{([^{}]*)\}")
# Pictures such as ✅ and 😊, not the symbols that carry a value (○ × △ ▲ ± ℃ ☎).
_EMOJI = "\U0001f000-\U0001faff\u2705\u2714\u2728\u274c\u2b50\u2764\u263a\u26a0"
_LEADING_EMOJI = re.compile(f"[{_EMOJI}]+(?=[^{_EMOJI}])")
_TRAILING_EMOJI = re.compile(f"(?<=[^{_EMOJI}])[{_EMOJI}]{{1,20}}$")


def surface_form(text: str) -> str:
    """What is compared when short answers must be the same text.

    `normalize`, then without case, without white space and without full stops and the like at
    the end, ~ as 〜 and ... as …; what consists of those only is left as it is.
    """
    form = normalize(normalize(text).casefold()).replace(" ", "")
    form = form.replace("~", "〜").replace("...", "…")
    return form.rstrip(_FULL_STOPS) or form


def answer_form(text: str) -> str:
    """What is compared when short answers are matched.

    `surface_form`; then, up to eight times: a pair of quotation marks, brackets, asterisks or
    dollar signs around the whole answer, \\boxed{} and the like, the # of a heading, emoji before
    and behind, full stops at its end, and a closing です, でした, である or でございます are taken
    off. Nothing inside the answer is touched, and what consists of packaging only is left as it
    is, and so is a text of more than 2,000 characters.
    """
    return _answer_form_of_short(text) if len(text) <= _LONGEST_KEPT else _answer_form(text)


def _answer_form(text: str) -> str:
    form = surface_form(text)
    if len(form) > _LONGEST_PACKED:
        return form
    for _ in range(_LAYERS):
        packed, form = form, _unpacked(form)
        if packed == form:
            break
    return form


_answer_form_of_short = functools.lru_cache(maxsize=1 << 14)(_answer_form)


def _unpacked(form: str) -> str:
    """The form without its outermost packaging."""
    form = form.rstrip(_FULL_STOPS) or form
    for mark in (_HEADING, _LEADING_EMOJI):
        if found := mark.match(form):
            form = form[found.end() :]
    form = _TRAILING_EMOJI.sub("", form[-30:]).join((form[:-30], ""))
    if (found := _LATEX.fullmatch(form)) and found[1]:
        form = found[1]
    if len(form) > 2 and _PAIRS.get(form[0]) == form[-1] and _encloses(form):
        form = form[1:-1]
    return _COPULA.sub("", form)


def _encloses(form: str) -> bool:
    """Whether the first character's partner is the last one, unlike in (a)と(b)."""
    opening, closing = form[0], form[-1]
    if opening == closing:
        return opening in "*_" or opening not in form[1:-1]
    depth = 0
    for position, character in enumerate(form):
        depth += (character == opening) - (character == closing)
        if depth == 0:
            return position == len(form) - 1
    return False


def tokenize(text: str) -> tuple[str, ...]:
    """The words of `normalize(text)`, punctuation included.

    Each distinct text is analyzed once while it stays in the cache, so that metrics share the
    work. Empty text has no words. Safe for any Unicode text and thread-safe. A text of more
    than 4,096 characters is analyzed in pieces.
    """
    return _words(text)


def lines_of_words(texts: Sequence[str]) -> list[str]:
    """`tokenize` of each text, as a line with one space between words."""
    return _words.lines(texts)


@functools.lru_cache(maxsize=1 << 14)
def read_aloud(text: str) -> str:
    """The dictionary's reading of `normalize(text)` in katakana.

    Empty if a word has none: digits, Latin letters, what the dictionary does not know.
    """
    readings = [str(getattr(feature, "kana", None) or "") for feature in features(normalize(text))]
    return "".join(readings) if all(readings) else ""


@functools.cache
def tokenizer_identity() -> str:
    """The tokenizer and its dictionary with versions, such as "fugashi-1.5.2/unidic-lite-1.0.8"."""
    return f"fugashi-{version('fugashi')}/unidic-lite-{version('unidic-lite')}"


def _analyzed(texts: Sequence[str]) -> list[str]:
    # Most texts are normal already, and one look at all is quicker than a look at each.
    joined = "".join(texts)
    if "ーー" in joined or not _NORMAL.fullmatch(joined):
        texts = list(map(normalize, texts))
    return split_words(unidic(), texts)


_words = WordCache(_analyzed)
