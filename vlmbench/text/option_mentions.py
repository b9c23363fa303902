"""Where a text names options of a multiple-choice question, in whatever way.

B   （Ｂ）   イ   2番   選択肢2   三番目の選択肢   最初の選択肢   the third option   東京タワー
"""

from __future__ import annotations

import functools
import re
import string
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Literal, TypeAlias

from vlmbench.text.dates import BOUNDS, ClockPlace, find_clocks
from vlmbench.text.japanese import answer_form, normalize
from vlmbench.text.numbers import read_quantity

Kind: TypeAlias = Literal["latin", "kana", "number", "ordinal", "text"]

LETTERS = string.ascii_uppercase
KANA = "アイウエオカキクケコサシスセソタチツテト"
UNKNOWN_COUNT = 10
"""Number of options assumed when a question comes without them: labels A to J."""
OPEN = r"[「『(\[{【〔〈《<\"'`*$_ ]{0,6}"
CLOSE = r"[」』)\]}】〕〉》>\"'`*$_ ]{0,6}"

_DIGITS = "一二三四五六七八九"
_ENGLISH_ORDINALS = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
]
_CHOICE_WORD = "(?:の?(?:選択肢|答え|もの|候補)|(?=です|が正|だと|を選|にし)|(?=[。.]?$))"
_ORDINAL = re.compile(
    f"(?<![一-鿿])(?:(?P<end>下|後ろ|最後)から|(?:上から|前から)?)(?P<n>[1-9{_DIGITS}])(?:つ目|番目){_CHOICE_WORD}"
    f"|(?P<edge>最初|最後|先頭|末尾|(?:一番|いちばん|最も)[上下])の(?:選択肢|答え|候補|もの(?=が|です|を))"
    f"|第(?P<nth>[1-9{_DIGITS}])の?(?:選択肢|候補)"
    f"|選択肢の?(?P<kanji>[{_DIGITS}])(?![一-鿿])"
    f"|(?<![一-鿿])(?P<ban>[{_DIGITS[1:]}])番(?![一-鿿])"
    rf"|\bno\.? ?(?P<no>[1-9])(?![0-9])"
    rf"|\b(?:the )?(?P<word>{'|'.join(_ENGLISH_ORDINALS)}|last) (?:option|choice|one|answer)\b",
    re.IGNORECASE,
)
_PLACE_IN_PICTURE = re.compile("[左右手奥]前?から$")


@dataclass(frozen=True, slots=True)
class Mention:
    """A place in a text that names an option."""

    start: int
    end: int
    option: int
    kind: Kind


def option_mentions(text: str, choices: Sequence[str]) -> list[Mention]:
    """All mentions in their order; of two that overlap the longer one, of equal ones the label.

    Args:
        text: As `normalize` leaves it.
        choices: May be empty: labels up to J are understood then, and no texts.
    """
    count = len(choices) or UNKNOWN_COUNT
    clocks = _clocks(tuple(choices))
    found = [*_labels(text, count, choices, numeric=bool(clocks)), *_ordinals(text, count)]
    found += _texts(text, choices, {at for at, _ in clocks})
    if clocks:
        found += _times(text, clocks)
    found.sort(key=lambda one: (one.start - one.end, one.kind == "text", one.start))
    kept: list[Mention] = []
    taken = bytearray(len(text))
    for one in found:
        if not any(taken[one.start : one.end]):
            taken[one.start : one.end] = b"\1" * (one.end - one.start)
            kept.append(one)
    return sorted(kept, key=lambda one: one.start)


def _labels(text: str, count: int, choices: Sequence[str], *, numeric: bool) -> list[Mention]:
    numeric = numeric or any(map(read_quantity, choices))
    announced = _name_each_other(tuple(choices))
    found = [
        Mention(one.start(), one.end(), LETTERS.index(one[0].upper()), "latin")
        for one in _latin(min(count, 26)).finditer(text)
        if one[0].isascii()  # İ is an i to a pattern without case, and no letter of an option
        and not (announced and not _is_announced(text, one.start()))
    ]
    found += [
        Mention(one.start(), one.end(), KANA.index(one[0]), "kana")
        for one in _kana(min(count, 20)).finditer(text)
    ]
    pattern = _number(count, bare=not numeric, cued=numeric and not _has_small(choices))
    return found + [
        Mention(one.start(), one.end(), int(one["label"]) - 1, "number")
        for one in pattern.finditer(text)
    ]


@functools.cache
def _latin(count: int) -> re.Pattern[str]:
    """A, B, C ... in either case; never a letter of a word, of A型 or of Aさん."""
    one = f"[A-{LETTERS[count - 1]}]"
    return re.compile(
        r"(?:(?<![A-Za-z0-9ァ-ヺー一-鿿.&°])(?<![a-z]['’])|(?<=多分)|(?<=選択肢)|(?<=回答)|(?<=解答)|(?<=正解)|(?<=答え)"
        f"|(?<=[一-鿿])(?={one}(?:です|が正|が適|を選|と判断|と考)))"
        f"{one}"
        r"(?![A-Za-z0-9]|['’][a-z]| ?(?:さん|君|くん|氏|型|社|店|駅|地点|棟|組|班|案|級|席|点|線|列"
        "|図|室|階)"
        # "A cat" and "I think" begin with a word, "A is right" with a label.
        r"|(?<=[AI]) (?!(?:is|are|or|and|was|because|fits|matches|seems|looks|would|must|can|shows"
        r"|appears|makes|has) )[a-z][a-z])",
        re.IGNORECASE,
    )


@functools.cache
def _kana(count: int) -> re.Pattern[str]:
    labels = KANA[:count]
    return re.compile(f"(?:(?<![ァ-ヺー一-鿿A-Za-z])|(?<=肢))[{labels}](?![ァ-ヺー一-鿿])")


_ANNOUNCED = re.compile(
    r"(?:^|\n|選択肢|答え|[回解]答|正[解答]|answer|option)(?:は|が|:| is)?\W{0,4}$", re.IGNORECASE
)


def _is_announced(text: str, start: int) -> bool:
    """Whether a label follows what announces one; a search from the beginning would be slow."""
    return bool(_ANNOUNCED.search(text, max(0, start - 20), start))


@functools.lru_cache(maxsize=1 << 8)
def _name_each_other(choices: tuple[str, ...]) -> bool:
    """Whether options speak of another one's letter, which names a thing then: AよりBが高い."""
    pattern = _latin(max(1, min(len(choices), 26)))
    return any(
        LETTERS.find(one[0].upper()) not in (at, -1)
        for at, choice in enumerate(choices)
        for one in pattern.finditer(choice)
    )


@functools.lru_cache(maxsize=1 << 8)
def _is_small(choice: str, count: int) -> bool:
    quantity = read_quantity(choice)
    return quantity is not None and not quantity.unit and quantity.value in range(1, count + 1)


def _has_small(choices: Sequence[str]) -> bool:
    """Whether an option is a number that may be a label as well: 3 beside four options."""
    return any(_is_small(choice, len(choices)) for choice in choices)


@functools.cache
def _number(count: int, *, bare: bool, cued: bool = False) -> re.Pattern[str]:
    one = "|".join(str(number) for number in range(count, 0, -1))
    unit = r"[0-9]|[.,][0-9]|\s?[^\s番がはをでだにとか、。,.:;)」\]】}*!?(\-のも目・|/→=…]"
    cue = rf"|(?:(?<=[答解]:)|(?<=答え:)|(?<=[答え解]は)|(?<=er: ))(?=(?:{one})(?:です)?\W*$)"
    marked = (
        ""
        if bare
        else rf"(?:(?<=選択肢)|(?<=選択肢[ :])|(?=(?:{one})番)|(?<=\()(?=(?:{one})\))"
        f"{cue if cued else ''})"
    )
    return re.compile(
        rf"(?<![0-9.,\-△▲¥$第約から])(?<!分の){marked}(?P<label>{one})(?!{unit})(?!番目|つ目)(?:番(?![一-鿿]))?"
    )


def _ordinals(text: str, count: int) -> list[Mention]:
    found = []
    for one in _ORDINAL.finditer(text):
        number = _number_of(one, count)
        is_place = _PLACE_IN_PICTURE.search(text[: one.start()])
        if number is not None and 1 <= number <= count and not is_place:
            found.append(Mention(one.start(), one.end(), number - 1, "ordinal"))
    return found


def _number_of(found: re.Match[str], count: int) -> int | None:
    if word := found["word"]:
        word = word.casefold()
        if word == "last":
            return count
        return _ENGLISH_ORDINALS.index(word) + 1 if word in _ENGLISH_ORDINALS else None
    if edge := found["edge"]:
        return 1 if edge[-1] in "初頭上" else count
    digit = next(found[key] for key in ("n", "nth", "kanji", "ban", "no") if found[key])
    number = int(digit) if digit.isascii() else _DIGITS.index(digit) + 1
    return count + 1 - number if found["end"] else number


def _texts(text: str, choices: Sequence[str], times: Set[int]) -> list[Mention]:
    """The options' own texts, also where spaces, quotation marks or case differ."""
    if not choices:
        return []
    compact, places = _compact(text)
    found = []
    for position, choice in enumerate(choices):
        form = answer_form(choice)[:200]
        start = compact.find(form) if form else -1
        while start >= 0:
            end = start + len(form)
            first, last = places[start], places[end - 1] + 1
            bounded = position in times and text.startswith(BOUNDS, last)  # 8時15分前
            if not bounded and _stands_alone(
                text, first, last, form, is_number=read_quantity(choice) is not None
            ):
                found.append(Mention(first, last, position, "text"))
            start = compact.find(form, end)
    return found


def _times(text: str, clocks: Sequence[tuple[int, ClockPlace]]) -> list[Mention]:
    """The options that are times of day, in any writing: 11:15発 for 11時15分."""
    found = []
    for place in find_clocks(text):
        same = [at for at, one in clocks if one.clock == place.clock] or [
            at for at, one in clocks if place.may_be(one.clock, half_named=one.half_named)
        ]
        if len(same) == 1:
            end = place.end + text.startswith(("発", "着", "頃"), place.end)
            found.append(Mention(place.start, end, same[0], "text"))
    return found


@functools.lru_cache(maxsize=1 << 8)
def _clocks(choices: tuple[str, ...]) -> tuple[tuple[int, ClockPlace], ...]:
    """The options that are nothing but a time of day, with their positions."""
    if not any(mark in choice for choice in choices for mark in "時:："):
        return ()
    forms = [normalize(choice).strip() for choice in choices]
    return tuple(
        (at, places[0])
        for at, form in enumerate(forms)
        if (places := find_clocks(form)) and (places[0].start, places[0].end) == (0, len(form))
    )


@functools.lru_cache(maxsize=8)
def _compact(text: str) -> tuple[str, list[int]]:
    """The text without white space and case, and the place of each of its characters."""
    pairs = [
        (character, place)
        for place, original in enumerate(text)
        if not original.isspace()
        for character in original.casefold()
    ]
    return "".join(character for character, _ in pairs), [place for _, place in pairs]


def _stands_alone(text: str, start: int, end: int, form: str, *, is_number: bool) -> bool:
    """Whether an option's text is no part of a longer word or number."""
    before, after = text[start - 1 : start], text[end : end + 2]
    if is_number:
        return not _NUMBER_BEFORE.match(before) and not (
            form[-1].isdecimal() and _NUMBER_AFTER.match(after)
        )
    return not (
        (_is_latin(form[0]) and _is_latin(before)) or (_is_latin(form[-1]) and _is_latin(after[:1]))
    )


def _is_latin(character: str) -> bool:
    return character.isascii() and character.isalnum()


_NUMBER_BEFORE = re.compile(r"[0-9.,\-△▲¥$]")
_NUMBER_AFTER = re.compile(r"[0-9]|[.,][0-9]|[^\W0-9がはをにのとでだかもへやよ]")
"""What makes a number without a unit part of another one, or of one with a unit."""
