"""Years of Japanese eras: 令和6年 is 2024年."""

from __future__ import annotations

import re

from vlmbench.text.numerals import NUMERAL_CHARACTERS, read_numeral

_LAST_YEAR_BEFORE = {"明治": 1867, "大正": 1911, "昭和": 1925, "平成": 1988, "令和": 2018}
_LETTERS = dict(zip("mtshr", _LAST_YEAR_BEFORE, strict=True))
_ERA = re.compile(
    f"(?P<era>{'|'.join(_LAST_YEAR_BEFORE)})(?P<year>元|[{NUMERAL_CHARACTERS}]{{1,4}})年"
    r"|(?<![a-z0-9])(?P<letter>[mtshr])\.?(?P<short>[0-9]{1,2})"
    r"(?=年|[./-][0-9]{1,2}[./-][0-9]{1,2}(?![0-9]))",
    re.IGNORECASE,
)


def gregorian(text: str) -> str:
    """The text with years of 明治 and later eras in the Gregorian calendar.

    元年 is the first year. An era's letter counts as such before 年 or inside a whole date, so
    R6.5.3 is 2024.5.3. Takes half-width text (see `japanese.normalize`).
    """
    return _ERA.sub(_year, text)


_BARE = re.compile(
    r"(?:(?P<letter>[mtshr])\.?|(?P<kanji>[明大昭平令])[治正和成]?)(?P<year>元|[0-9]{1,2})年?"
)


def bare_era_year(form: str) -> int | None:
    """The year that an era's letter or first kanji and a number are by themselves: R6, H30, 令6."""
    found = _BARE.fullmatch(form)
    year = 0 if not found else 1 if found["year"] == "元" else int(found["year"])
    if not found or not year:
        return None
    kanji = found["kanji"]
    era = (
        _LETTERS[found["letter"]]
        if found["letter"]
        else next(e for e in _LAST_YEAR_BEFORE if e[0] == kanji)
    )
    return _LAST_YEAR_BEFORE[era] + year


def _year(found: re.Match[str]) -> str:
    if found["letter"]:
        era, year = _LETTERS[found["letter"].casefold()], float(found["short"])
        return f"{_LAST_YEAR_BEFORE[era] + int(year)}"
    known = 1.0 if found["year"] == "元" else read_numeral(found["year"])
    if known is None or not 0 < known < 100:
        return found[0]
    return f"{_LAST_YEAR_BEFORE[found['era']] + int(known)}年"
