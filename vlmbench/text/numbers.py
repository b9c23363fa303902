"""Reading one quantity out of a short Japanese answer.

    １２３   1,234   -0.5   ▲3   12%   5割   12.5億   3億2千万円   三百二十   ¥100   約81.2歳です

What is not one number with at most a unit, such as a date, a range or a sentence, is no quantity:
nothing is guessed.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from vlmbench.text.japanese import answer_form

NUMBER_FORM = "number-ja1"
"""Version of `read_quantity`."""

LABEL_UNITS = frozenset("年月日時位番号") | {"年度"}
"""Units of numbers that name something (a year, a rank) instead of measuring it."""

COUNTERS = frozenset("個人匹頭羽本枚台軒件冊回杯足着機隻両棟戸社校店箱袋皿輪株粒点組色県") | {
    "か所",
    "か国",
    "切れ",
    "種類",
    "都市",
}
"""Units of things that are counted one by one."""

_MEASURES = frozenset("%円歳度倍割秒分mgtl") | {"ドル", "cm", "mm", "km", "kg", "m2", "m3"}
_DURATIONS = frozenset({"時間", "日間", "週間", "か月", "年間"})
_UNITS_OF_KANJI = LABEL_UNITS | COUNTERS | _MEASURES | _DURATIONS | {""}
_UNIT_NAMES = {
    **dict.fromkeys(("つ", "こ", "コ"), "個"),
    **dict.fromkeys(("箇所", "ヶ所", "ケ所", "カ所"), "か所"),
    **dict.fromkeys(("箇国", "ヶ国", "ケ国", "カ国"), "か国"),
    **dict.fromkeys(("箇月", "ヶ月", "ケ月", "カ月"), "か月"),
    "名": "人",
    "才": "歳",
    "番目": "番",
    "パーセント": "%",
    "¥": "円",
    "$": "ドル",
    "°c": "度",
    "m^2": "m2",
    "m^3": "m3",
    "キロメートル": "km",
    "センチメートル": "cm",
    "センチ": "cm",
    "ミリメートル": "mm",
    "メートル": "m",
    "キログラム": "kg",
    "グラム": "g",
    "トン": "t",
}
_LONGEST = 40
"""Characters; anything longer is not a short answer."""

_PREFIX = re.compile("^(?:およそ|おおよそ|だいたい|大体|ほぼ|約|合計|計)")
_SUFFIX = re.compile("(?:くらい|ぐらい|ほど|程度|前後)$")
_SIGNS = {"-": -1, "△": -1, "▲": -1, "マイナス": -1, "+": 1, "プラス": 1}
_SIGN = re.compile("|".join(map(re.escape, _SIGNS)))
_CURRENCY = re.compile("[¥$]")
_NUMERAL = re.compile("[0-9〇零一二三四五六七八九十百千万億兆京.,]+")
_PART = re.compile(
    r"(?P<digits>[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?![0-9,.])"
    "|(?P<kanji>[〇零一二三四五六七八九]+)|(?P<small>[十百千])|(?P<large>[万億兆京])"
)
_UNIT = re.compile(r"m\^?[23]|[^0-9\s.,ぁ-ん]{0,8}|つ|こ|切れ|か[所国月]")
_KANJI_DIGITS = str.maketrans("〇零一二三四五六七八九", "00123456789")
_SMALL = {"十": 10, "百": 100, "千": 1000}
_LARGE = {"万": 10**4, "億": 10**8, "兆": 10**12, "京": 10**16}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its unit."""

    value: float
    """Finite; 億 and the like multiplied out, 割 as tens of per cent."""
    unit: str = ""
    """In one spelling (円 for ¥, % for パーセント, 個 for つ); empty when left out."""
    numeral: str = ""
    """The number as written, in half-width characters: tells the year 2020 from 2,020."""


def read_quantity(text: str) -> Quantity | None:
    """The one quantity that a short answer consists of, None when it is anything else.

    Full-width digits, thousands commas, 万 億 兆, kanji numerals, signs (マイナス, ▲, △), a
    currency sign in front, and words such as 約 and ほど around it are understood; packaging
    goes as in `answer_form`. A numeral in kanji alone needs a common unit or none behind it, so
    that 千葉 and 三重県 are names. A misplaced comma or a second decimal point makes it no number.
    """
    rest = answer_form(text)
    if len(rest) > _LONGEST:
        return None
    sign, rest = _sign(_SUFFIX.sub("", _PREFIX.sub("", rest)))
    currency = ""
    if found := _CURRENCY.match(rest):
        currency = found[0]
        sign_after, rest = _sign(rest[1:])
        sign *= sign_after
    numeral = _NUMERAL.match(rest)
    if not numeral:
        return None
    value = _value(numeral[0])
    unit = _unit(rest[numeral.end() :], currency)
    if value is None or unit is None or not math.isfinite(value):
        return None
    if unit not in _UNITS_OF_KANJI and not re.search("[0-9]", numeral[0]):
        return None
    if unit == "割":
        value, unit = value * 10, "%"
    return Quantity(sign * value, unit, numeral[0])


def _sign(text: str) -> tuple[int, str]:
    found = _SIGN.match(text)
    return (_SIGNS[found[0]], text[found.end() :]) if found else (1, text)


def _unit(text: str, currency: str) -> str | None:
    """The unit in one spelling; None when what follows the number is no unit."""
    if not _UNIT.fullmatch(text):
        return None
    unit = _UNIT_NAMES.get(text, text)
    if currency:
        return _UNIT_NAMES[currency] if unit in ("", _UNIT_NAMES[currency]) else None
    return unit


def _value(numeral: str) -> float | None:
    """The value of digits and numeral kanji in order, such as 3億2000万; None if malformed."""
    total = section = 0.0
    pending: float | None = None
    position, ceiling = 0, math.inf
    while position < len(numeral):
        part = _PART.match(numeral, position)
        if not part:
            return None
        position = part.end()
        if part["digits"] or part["kanji"]:
            if pending is not None:
                return None
            pending = float(part[0].replace(",", "").translate(_KANJI_DIGITS))
        elif part["small"]:
            section += (1.0 if pending is None else pending) * _SMALL[part[0]]
            pending = None
        else:
            power = _LARGE[part[0]]
            if power >= ceiling or (pending is None and not section):
                return None
            total += (section + (pending or 0.0)) * power
            section, pending, ceiling = 0.0, None, power
    return total + section + (pending or 0.0)
