"""The value of a number in digits or kanji, without unit or sign.

1,234   12.5億   3億2000万   三百二十   二〇二四   1.2×10^5   3/4
"""

from __future__ import annotations

import math
import re

NUMERAL_CHARACTERS = "0-9〇零一二三四五六七八九十百千万億兆京"
"""For a class in a regular expression: what a numeral without points and commas consists of."""

_PART = re.compile(
    r"(?P<digits>[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?![0-9,.])"
    "|(?P<kanji>[〇零一二三四五六七八九]+)|(?P<small>[十百千])|(?P<large>[万億兆京])"
)
_SCIENTIFIC = re.compile(
    r"10\^(?P<alone>[+-]?[0-9]{1,3})"
    r"|(?P<factor>[0-9]{1,15}(?:\.[0-9]{1,15})?)(?:[×*x]10\^?(?P<power>[+-]?[0-9]{1,3})"
    r"|e(?P<exponent>[+-]?[0-9]{1,3}))"
)
_FRACTION = re.compile(r"(?P<over>[0-9.,]{1,12})/(?P<under>[0-9.,]{1,12})")
_KANJI_FRACTION = re.compile(
    f"(?P<under>[{NUMERAL_CHARACTERS}]{{1,8}})分の(?P<over>[{NUMERAL_CHARACTERS}]{{1,8}})"
)
_KANJI_DIGITS = str.maketrans("〇零一二三四五六七八九", "00123456789")
_SMALL = {"十": 10, "百": 100, "千": 1000}
_LARGE = {"万": 10**4, "億": 10**8, "兆": 10**12, "京": 10**16}


def read_numeral(numeral: str) -> float | None:
    """The value of digits and numeral kanji in order; None if malformed.

    Takes half-width text (see `japanese.normalize`). A comma must stand before three digits, a
    point must have digits behind it unless it ends the number.
    """
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
    return total + section + (pending or 0.0) if numeral else None


_MIXED = re.compile(r"(?<![0-9.,/])([0-9]{1,6}) ([0-9]{1,3})/([0-9]{1,3})(?![0-9/])")


def improper(text: str) -> str:
    """1 1/2 as 3/2: without the white space the digits would become 11/2."""
    return _MIXED.sub(lambda one: f"{int(one[1]) * int(one[3]) + int(one[2])}/{one[3]}", text)


def read_calculated(text: str) -> float | None:
    """The value of a power of ten (1.2×10^5, 1.2e5) or a fraction (3/4, 四分の三), else None."""
    if found := _SCIENTIFIC.fullmatch(text):
        power = int(found["power"] or found["exponent"] or found["alone"])
        value = float(f"{found['factor'] or 1}e{power}")
        return value if math.isfinite(value) else None
    if found := _FRACTION.fullmatch(text) or _KANJI_FRACTION.fullmatch(text):
        over, under = read_numeral(found["over"]), read_numeral(found["under"])
        return over / under if over is not None and under else None
    return None
