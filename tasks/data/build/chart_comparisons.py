"""Questions about several charts at once; short answers are computed from their tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Literal, TypeAlias

from chart_answers import Answer, number_references, ranked
from chart_spec import Chart, Strict
from pydantic import Field

from vlmbench.tasks.prompt import IMAGE_PLACEHOLDER

KANJI = "一二三四"

Cell: TypeAlias = tuple[str | None, str]
"""Column (or row) and label of a figure; the column may be null where there is one."""


def place(chart_at: int) -> str:
    """How a question calls an image: 1枚目, 2枚目 ..."""
    return f"{chart_at + 1}枚目"


def _figures(charts: Sequence[Chart], cells: Sequence[Cell]) -> list[Decimal]:
    return [
        chart.table.line(line)[label] for chart, (line, label) in zip(charts, cells, strict=True)
    ]


class Which(Strict):
    """The chart whose figure is the largest or the smallest."""

    op: Literal["which"]
    cells: tuple[Cell, ...]
    smallest: bool = False

    def answer(self, charts: Sequence[Chart]) -> Answer:
        figures = _figures(charts, self.cells)
        by_place = {place(at): figure for at, figure in enumerate(figures)}
        return ranked(by_place, 1, smallest=self.smallest)


class WhichGrew(Strict):
    """The chart whose line rose the most between two labels."""

    op: Literal["which_grew"]
    start: str
    end: str

    def answer(self, charts: Sequence[Chart]) -> Answer:
        lines = [chart.table.line() for chart in charts]
        rises = {place(at): line[self.end] - line[self.start] for at, line in enumerate(lines)}
        return ranked(rises, 1, smallest=False)


class WhichVaries(Strict):
    """The chart in which largest and smallest figure are furthest apart."""

    op: Literal["which_varies"]

    def answer(self, charts: Sequence[Chart]) -> Answer:
        lines = [chart.table.line().values() for chart in charts]
        return ranked(
            {place(at): max(line) - min(line) for at, line in enumerate(lines)}, 1, smallest=False
        )


class Gap(Strict):
    """How far the figures of two charts are apart."""

    op: Literal["gap"]
    cells: tuple[Cell, Cell]
    unit: str

    def answer(self, charts: Sequence[Chart]) -> Answer:
        first, second = _figures(charts, self.cells)
        return abs(first - second)


class HowMany(Strict):
    """In how many charts a figure is above a bound."""

    op: Literal["how_many"]
    cells: tuple[Cell, ...]
    above: Decimal
    unit: str

    def answer(self, charts: Sequence[Chart]) -> Answer:
        return Decimal(sum(figure > self.above for figure in _figures(charts, self.cells)))


class RankOfTop(Strict):
    """The rank that the first chart's largest label has in the second chart."""

    op: Literal["rank_of_top"]
    unit: str

    def answer(self, charts: Sequence[Chart]) -> Answer:
        first, second = (chart.table.line() for chart in charts)
        figure = second[ranked(first, 1, smallest=False)]
        return Decimal(sum(other >= figure for other in second.values()))


class OnlyRise(Strict):
    """The only label whose figure is larger in the second chart than in the first."""

    op: Literal["only_rise"]

    def answer(self, charts: Sequence[Chart]) -> Answer:
        first, second = (chart.table.line() for chart in charts)
        (label,) = (name for name in first if second[name] > first[name])
        return label


class MostGained(Strict):
    """The label whose figure gained the most, or fell the most, from first to second chart."""

    op: Literal["most_gained"]
    fell: bool = False

    def answer(self, charts: Sequence[Chart]) -> Answer:
        first, second = (chart.table.line() for chart in charts)
        return ranked({name: second[name] - first[name] for name in first}, 1, smallest=self.fell)


class SameData(Strict):
    """Whether the charts show the same figures."""

    op: Literal["same_data"]

    def answer(self, charts: Sequence[Chart]) -> Answer:
        first, second = (chart.table.line() for chart in charts)
        return "はい" if first == second else "いいえ"


Short: TypeAlias = Annotated[
    Which | WhichGrew | WhichVaries | Gap | HowMany | RankOfTop | OnlyRise | MostGained | SameData,
    Field(discriminator="op"),
]


class Comparison(Strict):
    """One item: its charts, in the order in which they are shown, and what is asked."""

    id: str
    charts: tuple[str, ...] = Field(min_length=2, max_length=4)
    """Keys of the charts."""
    kind: str
    question: str
    short: Short | None = None
    open: tuple[str, str, str] | None = None
    """Three answers in different words; exactly one of `short` and `open` is given."""

    @property
    def answer_type(self) -> Literal["short", "open"]:
        """How answers are scored."""
        return "short" if self.short else "open"

    def references(
        self, charts: Sequence[Chart], variants: Mapping[str, tuple[str, ...]]
    ) -> tuple[str, ...]:
        """Accepted answers, best first.

        Raises:
            ValueError: The question has no answer, two kinds of answers, or misplaced marks.
        """
        marks = self.question.count(IMAGE_PLACEHOLDER)
        if marks not in (0, len(charts)) or (self.short is None) == (self.open is None):
            raise ValueError(f"{self.id}: one mark a chart or none, one of 'short' and 'open'")
        if self.open is not None:
            return self.open
        assert self.short is not None
        answer = self.short.answer(charts)
        if isinstance(answer, Decimal):
            return number_references(answer, getattr(self.short, "unit", ""))
        if answer.endswith("枚目"):
            kanji = KANJI[int(answer[0]) - 1]
            return answer, f"{kanji}枚目", f"{answer}のグラフ", f"{answer}の画像"
        return answer, *variants.get(answer, ())
