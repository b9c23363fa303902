from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmbench.text.language import count_scripts, language_of

# Labeled by hand.
CASES = [
    ("猫が箱の中で寝ています。", "ja"),
    ("東京都", "ja"),
    ("富士山", "ja"),
    ("国立西洋美術館", "ja"),
    ("独立行政法人国立美術館", "ja"),
    ("トヨタ自動車株式会社", "ja"),
    ("コーヒー", "ja"),
    ("ｺｰﾋｰ", "ja"),
    ("駅", "ja"),
    ("iPhone 15 Proです。", "ja"),
    ("JR東日本のE235系電車", "ja"),
    ("この写真には Red Bull Racing の車が写っています。", "ja"),
    ("The answer is 猫.", "en"),
    ("A cat is sleeping in a box.", "en"),
    ("ＡＢＣ", "en"),
    ("Un chat dort.", "en"),
    ("一只猫在箱子里睡觉。", "zh"),
    ("這張照片中有一隻貓。", "zh"),
    ("这是什么？", "zh"),
    ("图片中显示了一座红色的桥", "zh"),
    ("他在公園里打篮球", "zh"),
    ("照片中有一座紅色的大橋和很多人", "zh"),
    ("写真には猫がいます。图片中有一只猫。", "ja"),
    ("图片中显示了一座红色的桥，桥上有很多车辆，日本語のの", "zh"),
    ("고양이가 자고 있습니다.", "other"),
    ("Кошка спит.", "other"),
    ("42", None),
    ("", None),
    ("１２３。、！", None),
    ("😀", None),
]


@pytest.mark.parametrize(("text", "language"), CASES)
def test_language_of(text: str, language: str | None) -> None:
    assert language_of(text) == language


def test_count_scripts() -> None:
    scripts = count_scripts("ねこ猫ネコCatキャ々고1。")
    assert (scripts.kana, scripts.han, scripts.latin, scripts.other) == (6, 2, 3, 1)
    assert scripts.letters == 12


@given(st.text(st.characters(), max_size=50))
def test_any_text(text: str) -> None:
    assert language_of(text) in ("ja", "zh", "en", "other", None)


@pytest.mark.parametrize("unit", ["猫", "a", "の", "这", "1", "각"])
def test_long_text(unit: str) -> None:
    start = time.process_time()
    language_of(unit * 100_000)
    assert time.process_time() - start < 1
