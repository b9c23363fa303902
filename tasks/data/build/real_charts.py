"""The charts of the `real` level: items of ja-chart and ja-multi-image, with their credits."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import version

from chart_answers import AskedChart, references
from chart_comparisons import Comparison
from chart_drawing import draw
from chart_spec import Strict
from credits import Credit

from vlmbench.train.synthetic.items import SuiteItem
from vlmbench.train.synthetic.resources import read_content


class Origin(Strict):
    """Where something in the charts comes from; the fields are those of a Credit."""

    title: str
    author: str
    package: str
    licence: str
    changes: str


class Source(Origin):
    """Where figures come from."""

    line: str
    """The small print under the chart."""


class Content(Strict):
    """content/charts.yaml."""

    sources: Mapping[str, Source]
    """By the key that charts name."""
    tools: Mapping[str, Origin]
    """What else the pictures owe something to."""
    variants: Mapping[str, tuple[str, ...]]
    """Other accepted names of an answer."""
    charts: tuple[AskedChart, ...]


class ComparisonContent(Strict):
    """content/chart_comparisons.yaml."""

    comparisons: tuple[Comparison, ...]


@lru_cache(maxsize=1)
def content() -> Content:
    """The charts and questions as written."""
    return Content.model_validate(read_content("charts"))


@lru_cache(maxsize=1)
def comparisons() -> tuple[Comparison, ...]:
    """The questions about several charts as written."""
    return ComparisonContent.model_validate(read_content("chart_comparisons")).comparisons


@lru_cache(maxsize=128)
def picture(key: str) -> bytes:
    """The PNG of the chart with this key; drawn once a process."""
    (chart,) = (chart for chart in content().charts if chart.key == key)
    small_print = (chart.note and f"注：{chart.note}　") + content().sources[chart.source].line
    return draw(chart, small_print)


def chart_items() -> list[SuiteItem]:
    """The real level of ja-chart: three questions about each chart that has questions."""
    variants = content().variants
    items = []
    for chart in content().charts:
        for number, question in enumerate(chart.questions, start=1):
            unit = question.unit or chart.unit_of(question.of)
            items.append(
                SuiteItem(
                    id=f"chart-{chart.key}-q{number}",
                    images=(picture(chart.key),),
                    question=f"{question.ask}{question.ending}",
                    references=references(question.answer(chart), unit, variants),
                    level="real",
                    kind=question.kind,
                    source=chart.source,
                )
            )
    return items


def comparison_items() -> list[SuiteItem]:
    """The charts' part of the real level of ja-multi-image."""
    charts = {chart.key: chart for chart in content().charts}
    items = []
    for comparison in comparisons():
        shown = [charts[key] for key in comparison.charts]
        items.append(
            SuiteItem(
                id=f"charts-{comparison.id}",
                images=tuple(picture(key) for key in comparison.charts),
                question=comparison.question,
                references=comparison.references(shown, content().variants),
                level="real",
                kind=comparison.kind,
                answer=comparison.answer_type,
                source=shown[0].source,
            )
        )
    return items


def credits() -> list[Credit]:
    """Who made the figures, the country names and the font of the charts."""
    origins: dict[str, Origin] = {**content().sources, **content().tools}
    return [
        Credit(
            key=key,
            title=origin.title,
            author=origin.author,
            package=origin.package,
            version=version(origin.package),
            licence=origin.licence,
            changes=origin.changes,
        )
        for key, origin in origins.items()
    ]
