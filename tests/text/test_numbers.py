from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmbench.text.numbers import read_quantity

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
    ("100百万円", 100_000_000, "円"),
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
    "1/2",
    "1,23",
    "1.2.3",
    "1_000",
    "1e5",
    "inf",
    "nan",
    "億",
    "1億億",
    "3匹の犬と2匹の猫",
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
