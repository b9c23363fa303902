from __future__ import annotations

import pytest

from vlmbench.text.dates import Clock, Date, read_clock, read_date
from vlmbench.text.eras import gregorian

# First years of the eras: 明治 1868, 大正 1912, 昭和 1926, 平成 1989, 令和 2019.
ERAS = [
    ("令和元年", "2019年"),
    ("令和6年5月", "2024年5月"),
    ("平成三十一年", "2019年"),
    ("昭和64年", "1989年"),
    ("大正15年", "1926年"),
    ("明治45年", "1912年"),
    ("R6.5.3", "2024.5.3"),
    ("H30年", "2018年"),
    ("S50", "S50"),
    ("JR6.5.3", "JR6.5.3"),
    ("令和", "令和"),
]

DATES = [
    ("2024年5月3日", Date(2024, 5, 3)),
    ("２０２４年５月３日（金）", Date(2024, 5, 3)),
    ("令和六年五月三日", Date(2024, 5, 3)),
    ("二〇二四年五月三日", Date(2024, 5, 3)),
    ("2024-05-03", Date(2024, 5, 3)),
    ("2024/5/3", Date(2024, 5, 3)),
    ("20240503", Date(2024, 5, 3)),
    ("R6.5.3", Date(2024, 5, 3)),
    ("May 3, 2024", Date(2024, 5, 3)),
    ("3 May 2024", Date(2024, 5, 3)),
    ("5月3日です。", Date(None, 5, 3)),
    ("2024年5月", Date(2024, 5, None)),
    ("April", Date(None, 4, None)),
    ("2024年", None),
    ("5/3", None),
    ("13月1日", None),
    ("2024年5月3日に開店", None),
    ("", None),
]

CLOCKS = [
    ("10:30", Clock(10, 30)),
    ("１０：３０", Clock(10, 30)),
    ("10時30分", Clock(10, 30)),
    ("午前10時半", Clock(10, 30)),
    ("午後3時", Clock(15, 0)),
    ("3:05 PM", Clock(15, 5)),
    ("午前12時", Clock(0, 0)),
    ("正午", Clock(12, 0)),
    ("十時三十分", Clock(10, 30)),
    ("10:75", None),
    ("99時", None),
    ("3時間", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "expected"), ERAS)
def test_gregorian(text: str, expected: str) -> None:
    assert gregorian(text) == expected


@pytest.mark.parametrize(("text", "expected"), DATES)
def test_read_date(text: str, expected: Date | None) -> None:
    assert read_date(text) == expected


@pytest.mark.parametrize(("text", "expected"), CLOCKS)
def test_read_clock(text: str, expected: Clock | None) -> None:
    assert read_clock(text) == expected


def test_a_full_date_specifies_a_day() -> None:
    assert Date(2024, 5, 3).specifies(Date(None, 5, 3))
    assert not Date(None, 5, 3).specifies(Date(2024, 5, 3))
