"""Questions about one chart: each kind computes its answer from the table behind the picture."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, ClassVar, Literal, TypeAlias

from chart_spec import Chart, Strict
from pydantic import Field

Answer: TypeAlias = Decimal | str

FLAT, CHANGED = Decimal("0.03"), Decimal("0.05")
"""A trend within 3 % of the first figure is 横ばい, beyond 5 % it is 増加 or 減少."""


class Op(Strict):
    """One question; `of` names the column or row it is about, where there are several."""

    kind: ClassVar[str]
    """The slice it belongs to."""
    ending: ClassVar[str] = ""
    """How the answer shall look, added to what is asked."""

    ask: str
    of: str | None = None
    unit: str | None = None
    """Unit of the answer where it is not the chart's."""

    @abstractmethod
    def answer(self, chart: Chart) -> Answer:
        """The right answer.

        Raises:
            ValueError: The table has none, or more than one.
        """

    def line(self, chart: Chart) -> dict[str, Decimal]:
        """The figures it is about, by label."""
        return chart.table.line(self.of)


class NumberOp(Op):
    """A question whose answer is a number."""

    ending = "数値で答えてください。"


class Read(NumberOp):
    """The figure at a label."""

    op: Literal["read"]
    kind = "read"
    at: str

    def answer(self, chart: Chart) -> Answer:
        return self.line(chart)[self.at]


class Difference(NumberOp):
    """How far two figures are apart."""

    op: Literal["difference"]
    kind = "difference"
    between: tuple[str, str]

    def answer(self, chart: Chart) -> Answer:
        first, second = (self.line(chart)[label] for label in self.between)
        return abs(first - second)


class Total(NumberOp):
    """The sum of some figures."""

    op: Literal["sum"]
    kind = "sum"
    over: tuple[str, ...]

    def answer(self, chart: Chart) -> Answer:
        return sum((self.line(chart)[label] for label in self.over), Decimal(0))


class Count(NumberOp):
    """How many figures lie above or below a bound."""

    op: Literal["count"]
    kind = "count"
    above: Decimal | None = None
    below: Decimal | None = None

    def answer(self, chart: Chart) -> Answer:
        figures = self.line(chart).values()
        if self.above is not None:
            return Decimal(sum(figure > self.above for figure in figures))
        if self.below is not None:
            return Decimal(sum(figure < self.below for figure in figures))
        raise ValueError(f"{self.ask}: a count needs 'above' or 'below'")


class CountLarger(NumberOp):
    """In how many rows one column's figure is larger than another's."""

    op: Literal["count_larger"]
    kind = "count"
    larger: str
    than: str

    def answer(self, chart: Chart) -> Answer:
        high, low = chart.table.line(self.larger), chart.table.line(self.than)
        return Decimal(sum(high[label] > low[label] for label in high))


def ranked(line: Mapping[str, Decimal], rank: int, *, smallest: bool) -> str:
    """The label at a rank from the top or the bottom; ties are refused."""
    order = sorted(line, key=lambda label: line[label], reverse=not smallest)
    chosen = order[rank - 1]
    if sum(figure == line[chosen] for figure in line.values()) > 1:
        raise ValueError(f"{chosen} shares its figure with another label")
    return chosen


class Largest(Op):
    """The label of the largest figure, or of the second, third ... largest."""

    op: Literal["largest"]
    kind = "maximum"
    rank: int = 1

    def answer(self, chart: Chart) -> Answer:
        return ranked(self.line(chart), self.rank, smallest=False)


class Smallest(Op):
    """The label of the smallest figure, or of the second, third ... smallest."""

    op: Literal["smallest"]
    kind = "minimum"
    rank: int = 1

    def answer(self, chart: Chart) -> Answer:
        return ranked(self.line(chart), self.rank, smallest=True)


class Widest(Op):
    """The row in which two columns are furthest apart."""

    op: Literal["widest"]
    kind = "maximum"
    between: tuple[str, str]

    def answer(self, chart: Chart) -> Answer:
        one, other = (chart.table.line(name) for name in self.between)
        return ranked({label: abs(one[label] - other[label]) for label in one}, 1, smallest=False)


class Compare(Op):
    """Which of some labels has the larger (or smaller) figure."""

    op: Literal["compare"]
    kind = "compare"
    between: tuple[str, ...]
    smaller: bool = False

    def answer(self, chart: Chart) -> Answer:
        line = self.line(chart)
        return ranked({label: line[label] for label in self.between}, 1, smallest=self.smaller)


class Trend(Op):
    """Whether the figures rose, fell or stayed."""

    op: Literal["trend"]
    kind = "trend"
    ending = "「増加」「減少」「横ばい」のいずれかで答えてください。"
    start: str
    end: str

    def answer(self, chart: Chart) -> Answer:
        line = self.line(chart)
        change = (line[self.end] - line[self.start]) / line[self.start]
        if abs(change) <= FLAT:
            return "横ばい"
        if abs(change) < CHANGED:
            raise ValueError(f"{self.ask}: {change:.1%} is neither a trend nor none")
        return "増加" if change > 0 else "減少"


class Named(Op):
    """The label whose figure is given."""

    op: Literal["named"]
    kind = "label"
    value: Decimal

    def answer(self, chart: Chart) -> Answer:
        (label,) = (name for name, figure in self.line(chart).items() if figure == self.value)
        return label


class FirstAbove(Op):
    """The first row whose figure is above a bound or, with `other`, above another column's."""

    op: Literal["first_above"]
    kind = "label"
    bound: Decimal | None = None
    other: str | None = None

    def answer(self, chart: Chart) -> Answer:
        line = self.line(chart)
        bounds = chart.table.line(self.other) if self.other else dict.fromkeys(line, self.bound)
        return next(name for name, figure in line.items() if figure > (bounds[name] or 0))


class Changed(Op):
    """The only label whose figure rose, or fell, from one column or row to another."""

    op: Literal["changed"]
    kind = "label"
    start: str
    end: str
    way: Literal["up", "down"]

    def answer(self, chart: Chart) -> Answer:
        first, last = chart.table.line(self.start), chart.table.line(self.end)
        sign = 1 if self.way == "up" else -1
        (label,) = (name for name in first if sign * (last[name] - first[name]) > 0)
        return label


class Legend(Op):
    """The series drawn in a color."""

    op: Literal["legend"]
    kind = "label"
    color: str

    def answer(self, chart: Chart) -> Answer:
        names = [name for name, _ in chart.design.colors]
        return chart.table.columns[names.index(self.color)]


class Axis(Op):
    """What an axis shows, without its unit."""

    op: Literal["axis"]
    kind = "label"
    axis: Literal["x", "y"]

    def answer(self, chart: Chart) -> Answer:
        return (chart.x if self.axis == "x" else chart.y).partition("（")[0]


Question: TypeAlias = Annotated[
    Read
    | Difference
    | Total
    | Count
    | CountLarger
    | Largest
    | Smallest
    | Widest
    | Compare
    | Trend
    | Named
    | FirstAbove
    | Changed
    | Legend
    | Axis,
    Field(discriminator="op"),
]


class AskedChart(Chart):
    """A chart with its questions; a chart without any appears in comparisons only."""

    questions: tuple[Question, ...] = ()


def number_references(figure: Decimal, unit: str) -> tuple[str, ...]:
    """Plain digits, then with separators and unit, then with 億 and 万 where it has both."""
    plain = f"{figure:f}"
    forms = [plain, f"{plain}{unit}"]
    if figure >= 1000:
        forms += [f"{figure:,f}", f"{figure:,f}{unit}"]
    if unit.startswith("万") and figure >= 10_000:
        high, low = divmod(int(figure), 10_000)
        forms.append(f"{high}億{low}{unit}" if low else f"{high}億{unit[1:]}")
    return tuple(dict.fromkeys(forms))


def references(
    answer: Answer, unit: str, variants: Mapping[str, tuple[str, ...]]
) -> tuple[str, ...]:
    """All accepted forms of an answer, best first."""
    if isinstance(answer, Decimal):
        return number_references(answer, unit)
    return (answer, *variants.get(answer, ()))
