"""Reading a date or a time of day out of a short Japanese answer.

2024年5月3日   令和6年5月3日（金）   2024-05-03   R6.5.3   5月3日   May 3, 2024   午後3時   15:00
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from vlmbench.text.eras import gregorian
from vlmbench.text.japanese import answer_form
from vlmbench.text.numerals import NUMERAL_CHARACTERS, read_numeral

MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_LONGEST = 40
_NUMERAL = f"[{NUMERAL_CHARACTERS}]{{1,6}}"
_MONTH_NAME = "|".join(f"{name[:3]}(?:{name[3:]})?" for name in MONTHS)
_WEEKDAY = r"\(?[月火水木金土日](?:曜日?)?(?:・?祝日?)?\)?|\(?(?:祝日?|休)\)?"
_DATES = [
    re.compile(pattern)
    for pattern in (
        f"(?:(?P<y>{_NUMERAL})年)?(?P<m>{_NUMERAL})月(?:(?P<d>{_NUMERAL})日(?:{_WEEKDAY})?)?",
        r"(?P<y>[0-9]{4})([-/.])(?P<m>[0-9]{1,2})\2(?P<d>[0-9]{1,2})\.?"
        rf"(?:{_WEEKDAY})?(?:t?00:00(?::00)?)?",
        r"(?P<y>[0-9]{4})(?P<m>[01][0-9])(?P<d>[0-3][0-9])",
        r"(?P<y>(?:19|20)[0-9]{2})[-/](?P<m>0[1-9]|1[0-2])",
        r"(?P<y>(?:19|20)[0-9]{2})/(?P<m>[1-9])",
        rf"(?P<name>{_MONTH_NAME})\.?(?P<d>[0-9]{{1,2}})(?:st|nd|rd|th)?(?:,?(?P<y>[0-9]{{4}}))?",
        rf"(?P<d>[0-9]{{1,2}})(?:st|nd|rd|th)?(?P<name>{_MONTH_NAME})\.?,?(?P<y>[0-9]{{4}})?",
        rf"(?P<name>{_MONTH_NAME})\.?(?:,?(?P<y>[0-9]{{4}}))?",
    )
]
_CLOCK = re.compile(
    r"(?P<half>午前|午後|深夜|未明|早朝|朝|昼|夕方|夜|am|pm)?"
    rf"(?:(?P<h>[0-9]{{1,2}}):(?P<m>[0-9]{{2}})(?::(?P<s>[0-9]{{2}}))?"
    rf"|(?P<hour>{_NUMERAL})時(?:(?P<minute>{_NUMERAL}|半)分?)?(?P<exactly>ちょうど|頃|ごろ)?)"
    r"(?P<after>am|pm)?"
)
_IN_TEXT = re.compile(
    rf"(?:[一-鿿]{{2}}?(?:元|{_NUMERAL})年|(?<![0-9])[0-9]{{4}}年)?{_NUMERAL}月{_NUMERAL}日"
    rf"|(?:午前|午後)?(?:(?<![0-9:])[0-9]{{1,2}}:[0-9]{{2}}(?![0-9:])|{_NUMERAL}時(?!間)(?:{_NUMERAL}分|半)?)"
)
_CLOCK_IN_TEXT = re.compile(
    r"(?:(?:午前|午後|(?<![a-z])[ap]m) ?)?(?:(?<![0-9:])[0-9]{1,2}:[0-9]{2}(?![0-9:])"
    rf"|(?<![{NUMERAL_CHARACTERS}]){_NUMERAL}時(?!間)(?:{_NUMERAL}分|半)?)(?: ?[ap]\.?m\b\.?)?",
    re.IGNORECASE,
)
_HALF_NAMED = re.compile("午[前後]|[ap]\\.?m", re.IGNORECASE)
_DAYS = {"元日": "1月1日", "元旦": "1月1日", "大晦日": "12月31日", "大みそか": "12月31日"}
_NAMED_DAY = re.compile(f"(?:{'|'.join(_DAYS)})$")
BOUNDS = ("前", "以前", "以後", "以降", "過ぎ", "すぎ")
"""What follows a time of day that is not the one meant."""
_CLOCK_IN_WORDS = {"正午": (12, 0), "真夜中": (0, 0)}


@dataclass(frozen=True, slots=True)
class Date:
    """A day, a month, or a day without its year; at least the month is known."""

    year: int | None
    month: int
    day: int | None

    def specifies(self, other: Date) -> bool:
        """Whether this date includes everything that the other one specifies."""
        pairs = ((self.year, other.year), (self.month, other.month), (self.day, other.day))
        return all(theirs is None or mine == theirs for mine, theirs in pairs)


@dataclass(frozen=True, slots=True)
class Clock:
    """A time of day on 24 hours."""

    hour: int
    minute: int
    second: int = 0


def read_date(text: str) -> Date | None:
    """The date that a short answer consists of, None when it is anything else.

    Years may be of a Japanese era, numbers in kanji, months in English; a weekday is ignored.
    A year alone is a number with the unit 年 and no date; 5/3 may be a fraction and is none.
    """
    form = gregorian(_short(text)).replace("元年", "1年")
    form = _NAMED_DAY.sub(lambda day: _DAYS[day[0]], form)
    for pattern in _DATES:
        if found := pattern.fullmatch(form):
            return _date(found.groupdict())
    return None


def read_clock(text: str) -> Clock | None:
    """The time of day that a short answer consists of: 10:30, 午前10時30分, 午後3時半, 3 p.m."""
    form = _short(text).replace("a.m", "am").replace("p.m", "pm").removesuffix(".")
    if form in _CLOCK_IN_WORDS:
        return Clock(*_CLOCK_IN_WORDS[form])
    found = _CLOCK.fullmatch(form)
    if not found:
        return None
    half = found["half"] or found["after"]
    if not half and found["hour"] and not found["minute"]:
        return Clock(hour, 0) if (hour := _whole(found["hour"])) is not None and hour < 25 else None
    hour = _whole(found["h"] or found["hour"])
    minute = 30 if found["minute"] == "半" else _whole(found["m"] or found["minute"] or "0")
    if hour is None or minute is None or not (hour <= 24 and minute < 60):
        return None
    if half == "夜" and hour == 12:
        hour = 0
    elif half == "深夜" and hour == 11:
        hour = 23
    elif (half in ("午後", "夕方", "夜", "pm") and hour < 12) or (half == "昼" and hour < 6):
        hour += 12
    elif half in ("午前", "深夜", "am") and hour == 12:
        hour = 0
    return Clock(hour, minute, int(found["s"] or 0))


def find_moments(text: str) -> list[Date | Clock]:
    """The dates and times of day in a sentence, in order.

    A date there has at least a day; 3時15分前 is none of them. Takes text as `normalize` leaves it.
    """
    found = (
        read_date(match[0]) or read_clock(match[0])
        for match in _IN_TEXT.finditer(text)
        if not text.startswith(BOUNDS, match.end())
    )
    return [moment for moment in found if moment]


@dataclass(frozen=True, slots=True)
class ClockPlace:
    """A time of day and where it stands in a text."""

    start: int
    end: int
    clock: Clock
    half_named: bool
    """Whether it says 午前 or 午後."""

    def may_be(self, clock: Clock, *, half_named: bool) -> bool:
        """Whether it is that time where only one of the two says which half of the day is meant."""
        return (
            half_named != self.half_named
            and (self.clock.hour - clock.hour) % 12 == 0
            and (self.clock.minute, self.clock.second) == (clock.minute, clock.second)
        )


def find_clocks(text: str) -> list[ClockPlace]:
    """The times of day in a sentence, in order; takes text as `normalize` leaves it."""
    return [
        ClockPlace(one.start(), one.end(), clock, bool(_HALF_NAMED.search(one[0])))
        for one in _CLOCK_IN_TEXT.finditer(text)
        if not text.startswith(BOUNDS, one.end()) and (clock := read_clock(one[0]))
    ]


def _short(text: str) -> str:
    form = answer_form(text[: _LONGEST * 10])
    return form if len(form) <= _LONGEST else ""


def _date(parts: dict[str, str | None]) -> Date | None:
    name = parts.get("name")
    month = MONTHS.index(_month_name(name)) + 1 if name else _whole(parts["m"])
    year, day = _whole(parts.get("y")), _whole(parts.get("d"))
    if month is None or not 1 <= month <= 12 or (day is not None and not 1 <= day <= 31):
        return None
    return Date(year, month, day)


def _month_name(name: str) -> str:
    return next(month for month in MONTHS if month.startswith(name[:3]))


def _whole(numeral: str | None) -> int | None:
    value = read_numeral(numeral) if numeral else None
    return int(value) if value is not None else None
