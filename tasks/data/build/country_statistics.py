"""Real statistics out of pinned packages, as small tables with Japanese labels.

Each function of `TABLES` reads a file that a package ships (never the network), selects, converts
the units that Japanese readers do not use, and rounds half up. The rounded figures are the ones
that are drawn and asked for, so every answer is exact.
"""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from statistics import fmean
from typing import Any

from vlmbench.errors import DependencyError

Cells = Sequence[Sequence[Decimal]]

MEASURES: Mapping[str, tuple[str, Decimal, Decimal]] = {
    "平均寿命": ("lifeExp", Decimal(1), Decimal("0.1")),
    "人口": ("pop", Decimal(10_000), Decimal(1)),
    "1人当たりGDP": ("gdpPercap", Decimal(1), Decimal(1)),
}
"""Gapminder's columns: Japanese name -> (column, divisor, rounding)."""

CONTINENTS = {
    "Asia": "アジア",
    "Africa": "アフリカ",
    "Europe": "ヨーロッパ",
    "Americas": "南北アメリカ",
    "Oceania": "オセアニア",
}
WEATHERS = {"sun": "晴れ", "rain": "雨", "fog": "霧", "drizzle": "霧雨", "snow": "雪"}
ENERGIES = {
    "Fossil Fuels": "化石燃料",
    "Renewables": "再生可能エネルギー",
    "Nuclear Energy": "原子力",
}
SECTORS = {
    "construction": "建設業",
    "manufacturing": "製造業",
    "wholesale_trade": "卸売業",
    "retail_trade": "小売業",
    "transportation_and_warehousing": "運輸・倉庫業",
    "information": "情報産業",
    "financial_activities": "金融業",
    "education_and_health_services": "教育・医療",
    "leisure_and_hospitality": "娯楽・宿泊業",
    "government": "政府部門",
}
STATES = {
    "AK": "アラスカ州",
    "CA": "カリフォルニア州",
    "IL": "イリノイ州",
    "MI": "ミシガン州",
    "OK": "オクラホマ州",
    "TX": "テキサス州",
}
SITES = {
    "Crookston": "クルックストン",
    "Duluth": "ダルース",
    "Grand Rapids": "グランドラピッズ",
    "Morris": "モリス",
    "University Farm": "大学農場",
    "Waseca": "ワセカ",
}
SPECIES = {"setosa": "セトサ", "versicolor": "バーシカラー", "virginica": "バージニカ"}
PARTS = {
    "sepalLength": "がく片の長さ",
    "sepalWidth": "がく片の幅",
    "petalLength": "花弁の長さ",
    "petalWidth": "花弁の幅",
}
CITIES = {"seattle-temps.csv": "シアトル", "sf-temps.csv": "サンフランシスコ"}


@dataclass(frozen=True, slots=True)
class Table:
    """Figures behind a chart: `cells[r][c]` belongs to `rows[r]` and `columns[c]`."""

    rows: tuple[str, ...]
    """Categories, or positions along the horizontal axis."""
    columns: tuple[str, ...]
    """Series."""
    cells: tuple[tuple[Decimal, ...], ...]

    def turned(self) -> Table:
        """The same figures with rows and columns exchanged."""
        return Table(self.columns, self.rows, tuple(zip(*self.cells, strict=True)))

    def line(self, name: str | None = None) -> dict[str, Decimal]:
        """One column by row label, or one row by column label.

        Args:
            name: A column or row; may be left out where there is one column.

        Raises:
            KeyError: There is no such row or column.
        """
        if name is None and len(self.columns) == 1:
            name = self.columns[0]
        if name in self.columns:
            at = self.columns.index(name)
            return {row: cells[at] for row, cells in zip(self.rows, self.cells, strict=True)}
        if name in self.rows:
            return dict(zip(self.columns, self.cells[self.rows.index(name)], strict=True))
        raise KeyError(f"{name!r} is neither a column {self.columns} nor a row {self.rows}")


def round_half_up(value: float | Decimal, step: Decimal) -> Decimal:
    """`value` rounded to the decimals of `step`, halves away from zero (四捨五入)."""
    exact = value if isinstance(value, Decimal) else Decimal(repr(round(value, 9)))
    return exact.quantize(step, ROUND_HALF_UP)


def _table(rows: Iterable[str], columns: Iterable[str], cells: Cells) -> Table:
    return Table(tuple(rows), tuple(columns), tuple(tuple(line) for line in cells))


def _package_file(package: str, path: str) -> str:
    # The gapminder package cannot be imported with a recent setuptools, so its file is read as is.
    try:
        located = Path(str(distribution(package).locate_file(path)))
    except PackageNotFoundError as error:
        raise DependencyError(
            f"The charts of the embedded suite need the package '{package}'; "
            "install it with: pip install 'vlmbench-ja[build]'."
        ) from error
    return located.read_text(encoding="utf-8")


@lru_cache(maxsize=16)
def _csv(package: str, path: str) -> tuple[dict[str, str], ...]:
    return tuple(csv.DictReader(io.StringIO(_package_file(package, path))))


def _vega(name: str) -> tuple[dict[str, str], ...]:
    path = f"vega_datasets/_data/{name}"
    if name.endswith(".csv"):
        return _csv("vega-datasets", path)
    records: list[dict[str, Any]] = json.loads(_package_file("vega-datasets", path))
    return tuple({key: str(value) for key, value in record.items()} for record in records)


@lru_cache(maxsize=1)
def gapminder() -> dict[tuple[str, int], dict[str, str]]:
    """The rows of the `gapminder` package by English country name and year."""
    rows = _csv("gapminder", "gapminder/gapminder.csv")
    return {(row["country"], int(row["year"])): row for row in rows}


@lru_cache(maxsize=1)
def _countries() -> dict[str, str]:
    """Gapminder's English country name by its everyday Japanese name."""
    from babel import Locale

    english, japanese = Locale("en").territories, Locale("ja").territories
    code_of = {english[code]: code for code in map(str, english) if len(code) == 2}
    code_of |= {"Korea, Rep.": "KR", "Slovak Republic": "SK", "Turkey": "TR"}
    known = {country for country, _ in gapminder()}
    names = {japanese[code_of[country]]: country for country in known if country in code_of}
    names["アメリカ"] = names.pop(japanese["US"])
    return names


def _measured(country: str, year: int, measure: str) -> Decimal:
    column, divisor, step = MEASURES[measure]
    row = gapminder()[_countries()[country], year]
    return round_half_up(Decimal(row[column]) / divisor, step)


def countries(*, measure: str, countries: Sequence[str], years: Sequence[int]) -> Table:
    """One measure: a row a country, a column a year."""
    cells = [[_measured(country, year, measure) for year in years] for country in countries]
    return _table(countries, (f"{year}年" for year in years), cells)


def profiles(*, measures: Sequence[str], countries: Sequence[str], year: int) -> Table:
    """Several measures of one year: a row a country, a column a measure."""
    cells = [[_measured(country, year, measure) for measure in measures] for country in countries]
    return _table(countries, measures, cells)


def history(*, country: str, measures: Sequence[str], years: Sequence[int]) -> Table:
    """Several measures of one country: a row a year, a column a measure."""
    cells = [[_measured(country, year, measure) for measure in measures] for year in years]
    return _table((f"{year}年" for year in years), measures, cells)


def continent_population(*, years: Sequence[int], continents: Sequence[str]) -> Table:
    """Population of Gapminder's 142 countries in 億人: a row a continent, a column a year."""
    sums: dict[tuple[str, int], int] = defaultdict(int)
    for (_, year), row in gapminder().items():
        sums[CONTINENTS[row["continent"]], year] += int(row["pop"])
    step, unit = Decimal("0.1"), Decimal(100_000_000)
    cells = [
        [round_half_up(sums[name, year] / unit, step) for year in years] for name in continents
    ]
    return _table(continents, (f"{year}年" for year in years), cells)


def _daily_weather(years: Iterable[int]) -> list[dict[str, str]]:
    wanted = {str(year) for year in years}
    return [row for row in _vega("seattle-weather.csv") if row["date"][:4] in wanted]


def rainfall(*, years: Sequence[int], months: Sequence[int]) -> Table:
    """Seattle's precipitation in mm: a row a month, a column a year."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in _daily_weather(years):
        sums[row["date"][:7]] += Decimal(row["precipitation"])
    cells = [
        [round_half_up(sums[f"{year}/{month:02}"], Decimal(1)) for year in years]
        for month in months
    ]
    return _table((f"{month}月" for month in months), (f"{year}年" for year in years), cells)


def rainy_days(*, year: int, months: Sequence[int]) -> Table:
    """Days with any precipitation in Seattle: a row a month."""
    counts: dict[int, int] = defaultdict(int)
    for row in _daily_weather([year]):
        counts[int(row["date"][5:7])] += Decimal(row["precipitation"]) > 0
    cells = [[Decimal(counts[month])] for month in months]
    return _table((f"{month}月" for month in months), ("降水日数",), cells)


def weather_days(*, years: Sequence[int], weathers: Sequence[str]) -> Table:
    """Days by recorded weather in Seattle: a row a kind of weather, a column a year."""
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for row in _daily_weather(years):
        counts[WEATHERS[row["weather"]], row["date"][:4]] += 1
    cells = [[Decimal(counts[name, str(year)]) for year in years] for name in weathers]
    return _table(weathers, (f"{year}年" for year in years), cells)


def climate(*, year: int, months: Sequence[int]) -> Table:
    """Seattle's mean daily maximum (°C) and precipitation (mm): a row a month."""
    highs: dict[int, list[float]] = defaultdict(list)
    for row in _daily_weather([year]):
        highs[int(row["date"][5:7])].append(float(row["temp_max"]))
    rain = rainfall(years=[year], months=months).line()
    cells = [
        [round_half_up(fmean(highs[month]), Decimal("0.1")), rain[f"{month}月"]] for month in months
    ]
    return _table((f"{month}月" for month in months), ("最高気温", "降水量"), cells)


def temperatures(*, cities: Sequence[str], months: Sequence[int]) -> Table:
    """Mean temperature of 2010 in °C: a row a month, a column a city."""
    files = {city: name for name, city in CITIES.items()}
    means: dict[tuple[str, int], list[float]] = defaultdict(list)
    for city in cities:
        for row in _vega(files[city]):
            month = int(row["date"][5:7])
            means[city, month].append((float(row["temp"]) - 32) * 5 / 9)
    cells = [
        [round_half_up(fmean(means[city, month]), Decimal("0.1")) for city in cities]
        for month in months
    ]
    return _table((f"{month}月" for month in months), cities, cells)


def electricity(*, years: Sequence[int], sources: Sequence[str], share: bool = False) -> Table:
    """Iowa's net generation in 億kWh, or its share in %: a row a source, a column a year."""
    # A thousand megawatt-hours, the table's unit, are a million kilowatt-hours.
    found = {
        (ENERGIES[row["source"]], int(row["year"][:4])): Decimal(row["net_generation"]) / 100
        for row in _vega("iowa-electricity.csv")
    }
    step = Decimal("0.1") if share else Decimal(1)
    cells = []
    for name in sources:
        amounts = [found[name, year] for year in years]
        totals = [sum((found[each, y] for each in ENERGIES.values()), Decimal(0)) for y in years]
        parts = [amount / total * 100 for amount, total in zip(amounts, totals, strict=True)]
        cells.append([round_half_up(figure, step) for figure in (parts if share else amounts)])
    return _table(sources, (f"{year}年" for year in years), cells)


def employment(*, sectors: Sequence[str], years: Sequence[int]) -> Table:
    """Employees in the USA in January, in 万人: a row a sector, a column a year."""
    columns = {name: column for column, name in SECTORS.items()}
    rows = _vega("us-employment.csv")
    january = {int(row["month"][:4]): row for row in rows if row["month"].endswith("-01-01")}
    cells = [
        [round_half_up(Decimal(january[year][columns[name]]) / 10, Decimal(1)) for year in years]
        for name in sectors
    ]
    return _table(sectors, (f"{year}年" for year in years), cells)


def airports(*, states: Sequence[str]) -> Table:
    """Airports listed for states of the USA: a row a state."""
    counts: dict[str, int] = defaultdict(int)
    for row in _vega("airports.csv"):
        counts[STATES.get(row["state"], "")] += 1
    return _table(states, ("空港の数",), [[Decimal(counts[state])] for state in states])


def wheat(*, years: Sequence[int]) -> Table:
    """Playfair's price of wheat in shillings a quarter: a row a year."""
    prices = {int(row["year"]): Decimal(row["wheat"]) for row in _vega("wheat.json")}
    return _table((f"{year}年" for year in years), ("小麦の価格",), [[prices[y]] for y in years])


def barley(*, sites: Sequence[str], years: Sequence[int]) -> Table:
    """Mean yield of ten varieties, bushels an acre: a row a site, a column a year."""
    yields: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in _vega("barley.json"):
        yields[SITES[row["site"]], row["year"]].append(float(row["yield"]))
    cells = [
        [round_half_up(fmean(yields[site, str(year)]), Decimal("0.1")) for year in years]
        for site in sites
    ]
    return _table(sites, (f"{year}年" for year in years), cells)


def iris() -> Table:
    """Mean measures of 50 flowers each in cm: a row a species, a column a part."""
    lengths: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in _vega("iris.json"):
        for column, name in PARTS.items():
            lengths[SPECIES[row["species"]], name].append(float(row[column]))
    cells = [
        [round_half_up(fmean(lengths[name, part]), Decimal("0.1")) for part in PARTS.values()]
        for name in SPECIES.values()
    ]
    return _table(SPECIES.values(), PARTS.values(), cells)


TABLES: Mapping[str, Callable[..., Table]] = {
    function.__name__: function
    for function in (
        countries,
        profiles,
        history,
        continent_population,
        rainfall,
        rainy_days,
        weather_days,
        climate,
        temperatures,
        electricity,
        employment,
        airports,
        wheat,
        barley,
        iris,
    )
}
"""Every table by the name that charts.yaml uses."""
