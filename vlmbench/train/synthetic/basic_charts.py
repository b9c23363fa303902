"""Bar charts of the basic level: two to five colored bars with real figures.

The figures are Gapminder's (life expectancy, population, GDP per person), frozen in
`content/statistics.json`. Charts for evaluation show the years in `HELD_OUT_YEARS`, charts for
training all others.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from vlmbench.tasks.prompt import IMAGE_PLACEHOLDER
from vlmbench.train.synthetic.questions import SyntheticQuestion, count_answers
from vlmbench.train.synthetic.resources import data_file
from vlmbench.train.synthetic.sprites import LETTERING, Sprites

if TYPE_CHECKING:
    import PIL.Image

WIDTH, HEIGHT = 224, 160
LEFT, TOP, BOTTOM = 30, 32, 142
"""Edges of the plotting area in pixels."""
HELD_OUT_YEARS = (1977, 1997)
NOTICEABLE = 0.06
"""Two bars are compared only if they differ by this share of the tallest."""


@dataclass(frozen=True, slots=True)
class BarColor:
    """A color of a bar with its Japanese names."""

    name: str
    adjective: str
    rgb: tuple[int, int, int]
    accept: tuple[str, ...] = ()

    @property
    def answers(self) -> tuple[str, ...]:
        """Every accepted name, best first."""
        return (self.name, *self.accept, f"{self.adjective}棒")


COLORS: tuple[BarColor, ...] = (
    BarColor("赤", "赤い", (214, 48, 49), ("赤色",)),
    BarColor("青", "青い", (38, 84, 214), ("青色",)),
    BarColor("緑", "緑の", (38, 150, 70), ("緑色",)),
    BarColor("黄色", "黄色い", (245, 214, 40), ("黄",)),
    BarColor("オレンジ", "オレンジの", (245, 138, 30), ("オレンジ色", "橙", "橙色")),
    BarColor("紫", "紫の", (132, 60, 180), ("紫色",)),
    BarColor("ピンク", "ピンクの", (250, 140, 190), ("ピンク色", "桃色")),
    BarColor("灰色", "灰色の", (140, 144, 150), ("グレー",)),
)


@dataclass(frozen=True, slots=True)
class ChartQuantity:
    """A statistic: `unit` follows a value, `decimals` is how it is rounded below ten."""

    key: str
    title: str
    unit: str
    decimals: int


QUANTITIES: tuple[ChartQuantity, ...] = (
    ChartQuantity("life_expectancy", "平均寿命（歳）", "歳", 0),
    ChartQuantity("population", "人口（百万人）", "百万人", 0),
    ChartQuantity("gdp_per_person", "一人当たりGDP（千ドル）", "千ドル", 1),
)


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar."""

    label: str
    value: float
    color: BarColor


@dataclass(frozen=True, slots=True)
class BarChart:
    """What is in a chart, before it is drawn."""

    quantity: ChartQuantity
    year: int
    bars: tuple[Bar, ...]
    printed: bool
    """Whether each value stands above its bar; otherwise it is read off the axis."""


@lru_cache(maxsize=1)
def statistics() -> dict[str, dict[str, dict[str, float]]]:
    """quantity -> year -> country name -> value, in the quantity's unit."""
    loaded: dict[str, dict[str, dict[str, float]]] = json.loads(
        data_file("content/statistics.json").read_text(encoding="utf-8")
    )
    return loaded


def words() -> list[str]:
    """Everything that a basic chart may need to write."""
    figures = statistics()
    countries = sorted(
        {name for years in figures.values() for row in years.values() for name in row}
    )
    titles = [f"{quantity.title}" for quantity in QUANTITIES]
    return [*titles, *countries, *"0123456789.", *(f"{year}年" for year in figures["population"])]


def years(*, held_out: bool) -> tuple[int, ...]:
    """The years of the evaluation charts, or those of the training charts."""
    known = (int(year) for year in statistics()["population"])
    return tuple(year for year in known if (year in HELD_OUT_YEARS) == held_out)


def random_chart(rng: random.Random, *, held_out: bool, bars: int | None = None) -> BarChart:
    """A chart of figures drawn by lot, whose bars are neither too tall nor too flat to read."""
    while True:
        quantity = rng.choice(QUANTITIES)
        year = rng.choice(years(held_out=held_out))
        figures = statistics()[quantity.key][str(year)]
        countries = rng.sample(sorted(figures), bars or rng.randint(2, 5))
        values = [_rounded(figures[name], quantity) for name in countries]
        if min(values) < 1 or max(values) > 12 * min(values):
            continue
        colors = rng.sample(COLORS, len(countries))
        chosen = tuple(map(Bar, countries, values, colors))
        return BarChart(quantity, year, chosen, printed=rng.random() < 0.6)


def _rounded(value: float, quantity: ChartQuantity) -> float:
    return round(value, quantity.decimals if value < 10 else 0)


def figure_text(value: float) -> str:
    """A value as it is printed: 83, 7.4."""
    return str(int(value)) if value == int(value) else str(value)


def draw_chart(chart: BarChart, rng: random.Random, sprites: Sprites) -> PIL.Image.Image:
    """The RGB picture of a chart."""
    import PIL.Image
    import PIL.ImageDraw

    picture = PIL.Image.new("RGB", (WIDTH, HEIGHT), rng.choice(("white", "#fbfaf5", "#f4f8fb")))
    pen = PIL.ImageDraw.Draw(picture)
    _write(picture, sprites, f"{chart.quantity.title}", (4, 1))
    _write(picture, sprites, f"{chart.year}年", (WIDTH - 42, 1))
    step = _tick_step(max(bar.value for bar in chart.bars))
    top = step * -(-max(bar.value for bar in chart.bars) // step)
    scale = (BOTTOM - TOP) / top
    for tick in range(int(top / step) + 1):
        y = round(BOTTOM - tick * step * scale)
        pen.line((LEFT, y, WIDTH - 4, y), fill=(214, 214, 214))
        text = figure_text(tick * step)
        _write(picture, sprites, list(text), (LEFT - 4 - 6 * len(text), y - 7))
    pitch = (WIDTH - 6 - LEFT) / len(chart.bars)
    width = min(30, round(pitch * rng.uniform(0.55, 0.75)))
    for index, bar in enumerate(chart.bars):
        middle = round(LEFT + pitch * (index + 0.5))
        y = round(BOTTOM - bar.value * scale)
        box = (middle - width // 2, y, middle + width // 2, BOTTOM)
        pen.rectangle(box, fill=bar.color.rgb, outline=(60, 60, 60))
        label = sprites.get(LETTERING, bar.label)
        picture.paste(label, (middle - label.width // 2, BOTTOM + 3), label)
        if chart.printed:
            text = figure_text(bar.value)
            _write(picture, sprites, list(text), (middle - 3 * len(text), y - 14))
    return picture


def _tick_step(largest: float) -> float:
    power = 1.0
    while largest / power > 50:
        power *= 10
    while largest / power <= 5:
        power /= 10
    return next(step * power for step in (2, 5, 10) if largest / (step * power) <= 5)


def _write(
    picture: PIL.Image.Image, sprites: Sprites, text: str | list[str], at: tuple[int, int]
) -> None:
    x, y = at
    for piece in [text] if isinstance(text, str) else text:
        sprite = sprites.get(LETTERING, piece)
        picture.paste(sprite, (x, y), sprite)
        x += sprite.width - 1


def bars(chart: BarChart, rng: random.Random) -> SyntheticQuestion | None:
    """Counts the bars."""
    n = len(chart.bars)
    return SyntheticQuestion(
        "bars",
        f"{IMAGE_PLACEHOLDER}棒は何本ありますか。",
        (f"{n}", f"{n}本", *count_answers(n)[4:5]),
    )


def _extreme(chart: BarChart, sign: int) -> Bar | None:
    ranked = sorted(chart.bars, key=lambda bar: sign * bar.value)
    tallest = max(bar.value for bar in chart.bars)
    clear = abs(ranked[0].value - ranked[1].value) >= NOTICEABLE * tallest
    return ranked[0] if clear else None


def maximum(chart: BarChart, rng: random.Random) -> SyntheticQuestion | None:
    """Names the color of the tallest bar."""
    bar = _extreme(chart, -1)
    text = f"{IMAGE_PLACEHOLDER}いちばん高い棒は何色ですか。"
    return SyntheticQuestion("maximum", text, bar.color.answers) if bar else None


def minimum(chart: BarChart, rng: random.Random) -> SyntheticQuestion | None:
    """Names the color of the lowest bar."""
    bar = _extreme(chart, 1)
    text = f"{IMAGE_PLACEHOLDER}いちばん低い棒は何色ですか。"
    return SyntheticQuestion("minimum", text, bar.color.answers) if bar else None


def colour_at(chart: BarChart, rng: random.Random) -> SyntheticQuestion | None:
    """Names the color of the nth bar."""
    index = rng.randrange(len(chart.bars))
    text = f"{IMAGE_PLACEHOLDER}左から{index + 1}番目の棒は何色ですか。"
    return SyntheticQuestion("colour_at", text, chart.bars[index].color.answers)


def compare(chart: BarChart, rng: random.Random) -> SyntheticQuestion | None:
    """Asks which of two bars is taller."""
    one, other = rng.sample(chart.bars, 2)
    if abs(one.value - other.value) < NOTICEABLE * max(bar.value for bar in chart.bars):
        return None
    taller = max(one, other, key=lambda bar: bar.value)
    pair = f"{one.color.adjective}棒と{other.color.adjective}棒では、どちらが高いですか。"
    text = f"{IMAGE_PLACEHOLDER}{pair}"
    return SyntheticQuestion("compare", text, taller.color.answers)


def label(chart: BarChart, rng: random.Random) -> SyntheticQuestion | None:
    """Names the country of a bar."""
    bar = rng.choice(chart.bars)
    text = f"{IMAGE_PLACEHOLDER}{bar.color.adjective}棒はどこの国ですか。"
    return SyntheticQuestion("label", text, (bar.label,))


def value(chart: BarChart, rng: random.Random) -> SyntheticQuestion | None:
    """Reads a value, printed or not."""
    bar = rng.choice(chart.bars)
    if not chart.printed and bar.value < 0.4 * max(other.value for other in chart.bars):
        return None  # too low to be read off the axis within 5 %
    text = f"{IMAGE_PLACEHOLDER}{bar.color.adjective}棒の値はいくつですか。"
    digits = figure_text(bar.value)
    return SyntheticQuestion("value", text, (digits, f"{digits}{chart.quantity.unit}"))


ONE_CHART: dict[str, Callable[[BarChart, random.Random], SyntheticQuestion | None]] = {
    function.__name__: function
    for function in (bars, maximum, minimum, colour_at, compare, label, value)
}
"""Questions on one chart, by kind."""
