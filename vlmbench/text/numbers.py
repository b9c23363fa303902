"""Reading quantities in Japanese answers: a number with its unit.

    １２３   1,234   -0.5   ▲3   12%   5割   12.5億   3億2千万円   三百二十   ¥100   約81.2歳です
    令和5年   1時間30分   2分の1   半分   三つ   みっつ   ゼロ   1.2×10^5

Anything but a single number with at most a unit, such as a date or a sentence, is no quantity:
nothing is guessed.
"""

from __future__ import annotations

import functools
import math
import re
from dataclasses import dataclass

from vlmbench.text.eras import gregorian
from vlmbench.text.japanese import answer_form, normalize
from vlmbench.text.numerals import NUMERAL_CHARACTERS, improper, read_calculated, read_numeral
from vlmbench.text.units import BASES, COUNTERS, LABEL_UNITS, MEASURES, UNIT_NAMES

NUMBER_FORM = "number-ja6"
"""Version of `read_quantity`."""

_UNITS_OF_KANJI = LABEL_UNITS | COUNTERS | MEASURES | {"", "時間", "日間", "週間", "か月", "年間"}
_LONGEST = 40
"""Characters; anything longer is not a short answer."""
_LONGEST_RAW = 400
"""The same before white space and packaging go."""

_KANA_COUNTS = [
    "ひとつ",
    "ふたつ",
    "みっつ",
    "よっつ",
    "いつつ",
    "むっつ",
    "ななつ",
    "やっつ",
    "ここのつ",
]
_WORDS = {
    **dict.fromkeys(("ゼロ", "れい"), (0, "")),
    **dict.fromkeys(("半分", "半数", "half"), (50, "%")),
    **dict.fromkeys(("増減なし", "増減はなし", "増減はありません", "変化なし"), (0, "")),
    "半ダース": (6, "個"),
    **dict.fromkeys(("ひとり", "一人"), (1, "人")),
    **dict.fromkeys(("ふたり", "二人"), (2, "人")),
    **{word: (number, "個") for number, word in enumerate(_KANA_COUNTS, 1)},
}
_ENGLISH_WORDS = """zero one two three four five six seven eight nine ten eleven twelve thirteen
fourteen fifteen sixteen seventeen eighteen nineteen twenty"""
_ENGLISH_TENS = "none ten twenty thirty forty fifty sixty seventy eighty ninety hundred"
_ENGLISH = {
    **{word: 10 * number for number, word in enumerate(_ENGLISH_TENS.split())},
    **{word: number for number, word in enumerate(_ENGLISH_WORDS.split())},
}
_PREFIX = re.compile(
    "(?:およそ|おおよそ|だいたい|大体|ほぼ|約|合計で?|計|全部で|全体で|摂氏|≒|≈"
    f"|第(?=[{NUMERAL_CHARACTERS}]))"
)
_SUFFIX = re.compile("(?:くらい|ぐらい|ほど|程度|前後)$")
_SIGNS = {
    **dict.fromkeys(("-", "△", "▲", "マイナス", "氷点下", "零下"), -1),
    **dict.fromkeys(("+", "プラス"), 1),
}
_CHANGE = re.compile(
    "(?<=[%割倍ト])の?(?P<word>減少?|低下|下落|減りました|ダウン|マイナス|増加?|上昇|増えました|アップ|プラス)$"
)
_CHANGES = re.compile("[減増]|低下|下落|上昇")
"""What no unit has: 5万人減少."""
_LESS = ("減", "低", "下", "ダ", "マ")
_OLD_NUMERALS = str.maketrans("壱壹弐貳参參拾萬", "一一二二三三十万")
_DIGITS = str.maketrans("〇零一二三四五六七八九", "00123456789")
_SPEED = re.compile("^(?P<per>[時分秒]速|毎[時分秒])(?P<rest>.+)$")
_PER = {"時": "/h", "分": "/分", "秒": "/s"}
_SCALED = re.compile(
    "(?P<number>[0-9][0-9,.]*)(?P<scale>百万|千|十億)(?P<unit>円|人|ドル|トン|台|個|件|株)"
)
_SIGN = re.compile("|".join(map(re.escape, _SIGNS)))
_CURRENCY = re.compile("[¥$€£]")
_NUMERAL = re.compile(f"[{NUMERAL_CHARACTERS}.,]+")
_CALCULATED = re.compile(
    r"10\^[+-]?[0-9]{1,3}|[0-9]{1,15}(?:\.[0-9]{1,15})?(?:[×*x]10\^?[+-]?[0-9]{1,3}|e[+-]?[0-9]{1,3})"
    r"|[0-9.,]{1,12}/[0-9.,]{1,12}"
    f"|[{NUMERAL_CHARACTERS}]{{1,8}}分の[{NUMERAL_CHARACTERS}]{{1,8}}"
)
_UNIT = re.compile(r"[a-z]{1,3}\^?[23]|[^0-9\s.,ぁ-ん]{0,8}|つ|こ|切れ|か[所国月]")
_PART = f"[{NUMERAL_CHARACTERS}.]{{1,8}}"
_DURATION = re.compile(
    f"(?:(?P<h>{_PART})時間(?:(?P<half>半)$)?)?(?:(?P<m>{_PART})(?:分|$))?(?:(?P<s>{_PART})秒)?"
)
_TENTHS = re.compile(f"(?P<tenths>{_PART})割(?:(?P<percent>{_PART})分)?(?:(?P<mille>{_PART})厘)?")
_BOUND = re.compile("以上|以下|未満|以内|以降|以前|超|余り|弱|強|数|何")
_GOES_ON = re.compile(f"{_BOUND.pattern}|[√π]|を(?:超|上回|下回|割り込)")
_IDENTIFIER = re.compile("0[0-9]+")
_BARE_YEAR = re.compile("(?:19|20)[0-9]{2}")
_RANGE = re.compile("(?P<low>[^〜から~-]{1,20})(?:〜|~|-|から)(?P<high>[^〜から~-]{1,20})")
_ANY_UNIT = "|".join(
    sorted(map(re.escape, UNIT_NAMES.keys() | _UNITS_OF_KANJI - {""}), key=len, reverse=True)
)
_POINT = re.compile(
    "(?<![〇零一二三四五六七八九十百千万億兆・])(?P<whole>[〇零一二三四五六七八九十百千]{1,9})"
    "・(?P<part>[〇零一二三四五六七八九]{1,9})"
    # 一・二階 are two floors.
    f"(?![月日階番号章条位]|時(?!間)|年生)(?:(?=[万億兆]|{_ANY_UNIT})|(?![一-鿿ァ-ヺ・]))"
)
_IN_TEXT = re.compile(
    f"{_PART}時間(?:半|{_PART}分)(?:{_PART}秒)?|{_PART}分{_PART}秒|{_PART}分の{_PART}|"
    r"(?<![√.])(?:[-△▲+](?![0-9]{4}[-/])|マイナス)?[¥$]?"
    f"(?:[0-9][0-9,.]*[{NUMERAL_CHARACTERS}.,]*"
    f"|[{NUMERAL_CHARACTERS}]{{1,12}}(?=[つ個人匹頭羽本枚台軒件冊回円歳]))(?:{_ANY_UNIT})?"
    rf"|(?<![a-z])(?:{'|'.join(_ENGLISH)})(?![a-z])"
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its unit."""

    value: float
    """Finite; 億 and the like multiplied out, 割 as tens of per cent."""
    unit: str = ""
    """In its canonical spelling (円 for ¥, % for パーセント, 個 for つ); empty when left out."""
    numeral: str = ""
    """The number as written, in half-width characters: tells the year 2020 from 2,020."""

    @property
    def in_base_unit(self) -> tuple[float, str]:
        """Value and unit after conversion: 10 km are 10,000 m, 90 minutes 5,400 seconds."""
        base, factor = BASES.get(self.unit, (self.unit, 1.0))
        return self.value * factor, base

    @property
    def _in_percent(self) -> float:
        """The value, of a spoken fraction (4分の1) times 100."""
        return self.value * 100 if not self.unit and "分の" in self.numeral else self.value

    def close_to(self, other: Quantity, tolerance: float = 0.0) -> bool:
        """Whether the values differ by at most `tolerance` of the other one.

        A unit may be left out on one side; two units must be of one kind and are converted.
        """
        mine, theirs = self.value, other.value
        if {self.unit, other.unit} == {"", "%"}:
            # 4分の1 is 25 %, as 0.25 is not; 1/4 may be a date or a score.
            mine, theirs = self._in_percent, other._in_percent
        if self.unit and other.unit and self.unit != other.unit:
            (mine, unit), (theirs, expected) = self.in_base_unit, other.in_base_unit
            if unit != expected:
                return False
        # The factor lets 105 pass for 100 although 0.05 has no exact binary form.
        return abs(mine - theirs) <= max(tolerance * (1 + 1e-9), 1e-12) * abs(theirs)


@functools.lru_cache(maxsize=1 << 14)
def read_quantity(text: str) -> Quantity | None:
    """The quantity that a short answer consists of, None when it is anything else.

    Full-width digits, thousands commas, 万 億 兆, kanji numerals, signs (マイナス, ▲, △), a
    currency sign in front, years of an era, durations of several units, fractions, powers of ten,
    and words such as 約 and ほど around it are understood; packaging goes as in `answer_form`.
    A numeral in kanji alone needs a common unit or none behind it, so that 千葉 and 三重県 are
    names. A misplaced comma or a second decimal point makes it no number, and so does a bound
    (3人以上, 100円未満, 20数人).
    """
    if len(text) > _LONGEST_RAW or len(rest := answer_form(improper(normalize(text)))) > _LONGEST:
        return None
    rest = _in_usual_writing(rest)
    found = _PREFIX.match(rest)
    sign, rest = _sign(_SUFFIX.sub("", rest[found.end() :] if found else rest))
    if rest in _WORDS:
        value, unit = _WORDS[rest]
        return Quantity(float(sign * value), unit, str(value))
    if rest in _ENGLISH:
        return Quantity(float(sign * _ENGLISH[rest]), "", str(_ENGLISH[rest]))
    if (duration := _duration(rest)) is not None:
        return Quantity(sign * duration, "秒", rest)
    if (percent := _tenths(rest)) is not None:
        return Quantity(sign * percent, "%", rest)
    return _with_unit(gregorian(rest), sign)


def is_label(quantity: Quantity) -> bool:
    """Whether a number names something: a year, a date, a rank, or 0312345678 and 007."""
    bare_year = not quantity.unit and _BARE_YEAR.fullmatch(quantity.numeral)
    identifier = _IDENTIFIER.fullmatch(quantity.numeral)
    return bool(bare_year or identifier) or quantity.unit in LABEL_UNITS


def is_count(quantity: Quantity) -> bool:
    """Whether a number counts things."""
    return quantity.unit in COUNTERS


def read_range(text: str) -> tuple[Quantity, Quantity] | None:
    """Lower and upper end of a range such as 10〜20 or 10-20人; None if the text is no range.

    The first number takes the unit of the second when it has none.
    """
    if len(text) > _LONGEST_RAW:
        return None
    found = _RANGE.fullmatch(answer_form(text).removesuffix("まで"))
    if not found:
        return None
    low, high = read_quantity(found["low"]), read_quantity(found["high"])
    if not (low and high):
        return None
    return Quantity(low.value, low.unit or high.unit), Quantity(high.value, high.unit or low.unit)


def find_quantities(text: str) -> list[Quantity]:
    """The quantities in a sentence, in order.

    Numerals in kanji alone count before a common counter only (三匹, not 三重県), English number
    words as whole words. A bound such as 3人以上 is none. Takes text as `normalize` leaves it.
    """
    text = _with_points(gregorian(improper(text.casefold())))
    found = (
        read_quantity(match[0].rstrip(",."))
        for match in _IN_TEXT.finditer(text)
        if not _GOES_ON.match(text, match.end())
    )
    return [quantity for quantity in found if quantity]


def _with_points(text: str) -> str:
    """十二・五 as 12.5; 二・二六事件 and 一・二・三 are no decimals."""
    return _POINT.sub(_in_digits, text) if "・" in text else text


def _in_digits(decimal: re.Match[str]) -> str:
    whole = read_numeral(decimal["whole"])
    return decimal[0] if whole is None else f"{whole:.0f}.{decimal['part'].translate(_DIGITS)}"


def _in_usual_writing(form: str) -> str:
    """Old numerals, 三・五, 10%減 (-10%) and 時速60km (60km/h) as the rest is written."""
    form = form.translate(_OLD_NUMERALS)
    form = _with_points(form)
    if form[:1] == "¥":
        form = form.removesuffix("-")  # ¥1,000- as on price tags
    if change := _CHANGE.search(form):
        sign = "-" if change["word"].startswith(_LESS) else "+"
        return sign + form[: change.start()].lstrip("+-")
    if speed := _SPEED.match(form):
        return speed["rest"] + _PER[speed["per"].strip("速毎")]
    return form


def _with_unit(rest: str, sign: int) -> Quantity | None:
    currency = ""
    if found := _CURRENCY.match(rest):
        currency = found[0]
        sign_after, rest = _sign(rest[1:])
        sign *= sign_after
    if scaled := _SCALED.fullmatch(rest):
        value = read_numeral(scaled["number"])
        unit = scaled["scale"] + scaled["unit"]
        return None if value is None else Quantity(sign * value, unit, scaled["number"])
    if calculated := _CALCULATED.match(rest):
        value, numeral = read_calculated(calculated[0]), calculated[0]
    elif found := _NUMERAL.match(rest):
        numeral = found[0]
        value = read_numeral(numeral)
    else:
        return None
    unit = _unit(rest[len(numeral) :], currency)
    if value is None or unit is None or not math.isfinite(value):
        return None
    if unit not in _UNITS_OF_KANJI and not re.search("[0-9]", numeral):
        return None
    return Quantity(sign * value, unit, numeral)


def _sign(text: str) -> tuple[int, str]:
    found = _SIGN.match(text)
    return (_SIGNS[found[0]], text[found.end() :]) if found else (1, text)


def _unit(text: str, currency: str) -> str | None:
    """The unit in its canonical spelling; None when what follows the number is no unit."""
    if not _UNIT.fullmatch(text) or _BOUND.search(text) or _CHANGES.search(text):
        return None
    unit = UNIT_NAMES.get(text, text)
    if currency:
        return UNIT_NAMES[currency] if unit in ("", UNIT_NAMES[currency]) else None
    return unit


def _duration(text: str) -> float | None:
    """Seconds of a duration of at least two units: 1時間30分, 2分10秒, 1時間半."""
    found = _DURATION.fullmatch(text)
    if not found or sum(part is not None for part in found.groups()) < 2:
        return None
    half = 1800.0 if found["half"] else 0.0
    whole = _added((found["h"], 3600), (found["m"], 60), (found["s"], 1))
    return None if whole is None else half + whole


def _tenths(text: str) -> float | None:
    """Per cent of 3割, 3割5分 or 3割5分2厘."""
    found = _TENTHS.fullmatch(text)
    return (
        _added((found["tenths"], 10), (found["percent"], 1), (found["mille"], 0.1))
        if found
        else None
    )


def _added(*parts: tuple[str | None, float]) -> float | None:
    """The sum of numerals, each times what it is worth; None if one is malformed."""
    values = [(read_numeral(numeral), worth) for numeral, worth in parts if numeral]
    known = [value * worth for value, worth in values if value is not None]
    return sum(known) if len(known) == len(values) else None
