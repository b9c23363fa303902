from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmbench.text.numbers import find_quantities, read_quantity, read_range

# What a Japanese reader understands.
QUANTITIES = [
    ("１２３", 123, ""),
    ("1,234", 1234, ""),
    ("12，345", 12345, ""),
    ("-0.5", -0.5, ""),
    (".5", 0.5, ""),
    ("3.", 3, ""),
    ("▲3", -3, ""),
    ("マイナス3", -3, ""),
    ("12%", 12, "%"),
    ("１２．５％", 12.5, "%"),
    ("50パーセント", 50, "%"),
    ("5割", 50, "%"),
    ("12.5億", 1_250_000_000, ""),
    ("3億2千万円", 320_000_000, "円"),
    ("1万5千円", 15_000, "円"),
    ("100百万円", 100, "百万円"),
    ("5,000万人", 50_000_000, "人"),
    ("三百二十", 320, ""),
    ("二千二十四", 2024, ""),
    ("二〇二四年", 2024, "年"),
    ("三匹", 3, "匹"),
    ("￥１００", 100, "円"),
    ("-$5", -5, "ドル"),
    ("約81.2歳です。", 81.2, "歳"),
    ("およそ30人ほど", 30, "人"),
    ("3つ", 3, "個"),
    ("2箇所", 2, "か所"),
    ("25℃", 25, "度"),
    ("５㎡", 5, "m2"),
    ("1 234", 1234, ""),
    ("1/2", 0.5, ""),
    ("四分の三", 0.75, ""),
    ("1e5", 100_000, ""),
    ("1.2×10⁵", 120_000, ""),
    ("半分", 50, "%"),
    ("ゼロ", 0, ""),
    ("みっつ", 3, "個"),
    ("twelve", 12, ""),
    ("令和5年", 2023, "年"),
    ("1時間30分", 5400, "秒"),
    ("2分10秒", 130, "秒"),
    ("第3位", 3, "位"),
    ("500円玉", 500, "円玉"),
]

NOT_ONE_QUANTITY = [
    "",
    "東京",
    "千葉",
    "三重県",
    "四国",
    "2024年5月3日",
    "10〜20",
    "10:30",
    "1,23",
    "1.2.3",
    "1_000",
    "inf",
    "nan",
    "億",
    "1億億",
    "3匹の犬と2匹の猫",
    "1/0",
    "1e999",
    "一緒",
    "9" * 400,
]


@pytest.mark.parametrize(("text", "value", "unit"), QUANTITIES)
def test_read_quantity(text: str, value: float, unit: str) -> None:
    quantity = read_quantity(text)
    assert quantity is not None
    assert (quantity.value, quantity.unit) == (value, unit)


@pytest.mark.parametrize("text", NOT_ONE_QUANTITY)
def test_what_is_no_quantity_is_not_guessed(text: str) -> None:
    assert read_quantity(text) is None


@given(st.integers(-(10**15), 10**15))
def test_whole_numbers_survive_writing(number: int) -> None:
    for text in (str(number), f"{number:,}", f"約{number}円"):
        quantity = read_quantity(text)
        assert quantity is not None
        assert quantity.value == number


@given(st.text(st.sampled_from("0123456789.,一二十百千万億兆-円%年つか所約です"), max_size=20))
def test_any_mixture_is_a_finite_number_or_none(text: str) -> None:
    quantity = read_quantity(text)
    assert quantity is None or abs(quantity.value) < float("inf")


# (one, other, tolerance): by the metric system, and 100 yen are no dollars.
CLOSE = [
    ("10km", "10,000m", 0.0, True),
    ("1.5時間", "90分", 0.0, True),
    ("500ml", "0.5L", 0.0, True),
    ("10km", "10", 0.0, True),
    ("10km", "10kg", 0.0, False),
    ("100円", "100ドル", 0.5, False),
    ("105", "100", 0.05, True),
    ("106", "100", 0.05, False),
    ("0", "0.0", 0.0, True),
]

RANGES = [
    ("10〜20", (10, "", 20, "")),
    ("10～20人", (10, "人", 20, "人")),
    ("10%-20%", (10, "%", 20, "%")),
    ("3から5個まで", (3, "個", 5, "個")),
    ("10〜", None),
    ("東京〜大阪", None),
]

IN_SENTENCES = [
    ("犬が3匹と猫が2匹います", [3, 2]),
    ("売上は1,234億円でした。", [123_400_000_000]),
    ("There are three cats", [3]),
    ("三重県の千葉さん", []),
    ("三匹の犬", [3]),
    ("someone", []),
]


@pytest.mark.parametrize(("one", "other", "tolerance", "expected"), CLOSE)
def test_close_to(one: str, other: str, tolerance: float, expected: bool) -> None:
    first, second = read_quantity(one), read_quantity(other)
    assert first is not None
    assert second is not None
    assert first.close_to(second, tolerance) is expected


@pytest.mark.parametrize(("text", "expected"), RANGES)
def test_read_range(text: str, expected: tuple[float, str, float, str] | None) -> None:
    found = read_range(text)
    ends = found and (found[0].value, found[0].unit, found[1].value, found[1].unit)
    assert ends == expected


@pytest.mark.parametrize(("text", "values"), IN_SENTENCES)
def test_find_quantities(text: str, values: list[float]) -> None:
    assert [quantity.value for quantity in find_quantities(text)] == values
