"""One check: a metric of ours beside one run of a gold file."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from parity.gold import Case, cases_of, read_gold, run_of
from vlmbench.errors import DataError
from vlmbench.metrics.base import Metric, load_metric
from vlmbench.records import MetricScore, Scalar

TOLERANCE = 1e-9
"""Largest difference that agrees, absolute below 1 and relative above."""

RAISES = object()
"""The reference program raised or gave no finite number: ours must leave the item unscored."""

SKIPPED = object()
"""There is no definite value to compare with."""

Ours: TypeAlias = Callable[[Metric, MetricScore], Any]
Theirs: TypeAlias = Callable[[Case], Any]
Aggregate: TypeAlias = tuple[str, float, float]
"""What it is called, our value, theirs."""


def value_of_item(metric: Metric, score: MetricScore) -> Any:
    """The metric's value on one item alone."""
    return float(metric.combine(np.array(score.vector, dtype=float), 1))


def extracted(metric: Metric, score: MetricScore) -> Any:
    """What was read out of the answer."""
    return score.extracted


def counted_triple(metric: Metric, score: MetricScore) -> Any:
    """The part of the vector that has a 1 for this item, and two sums."""
    vector = score.vector or ()
    start = vector.index(1.0)
    return vector[start : start + 3]


def at(*path: str) -> Theirs:
    """The value at a path of an item's entry; RAISES for an exception or a non-finite number."""

    def follow(case: Case) -> Any:
        value: Any = case.entry
        for key in path:
            value = value[key]
            if isinstance(value, Mapping) and {"exception", "nan", "inf"} & value.keys():
                return RAISES
        return value

    return follow


expected = at("expected")


def sensible(case: Case) -> Any:
    """What a careful reader says: `sensible` where the reference is odd, else `expected`."""
    if not case.judged:
        return SKIPPED
    value = case.entry["sensible"] if case.entry.get("quirk") else expected(case)
    return SKIPPED if value is None or value is RAISES else value


@dataclass
class Scored:
    """The items of a run with our scores."""

    metric: Metric
    inputs: Mapping[str, Any]
    run: Mapping[str, Any]
    cases: Sequence[Case]
    scores: Sequence[MetricScore]
    scale: float

    def value(self, keep: Callable[[Case], bool] = lambda case: True) -> float:
        """The metric's value over the scored items among those kept, in the reference's scale."""
        vectors = [
            score.vector
            for case, score in zip(self.cases, self.scores, strict=True)
            if score.vector is not None and keep(case)
        ]
        if not vectors:
            return math.nan
        totals = np.array([math.fsum(column) for column in zip(*vectors, strict=True)])
        return self.scale * float(self.metric.combine(totals, len(vectors)))


Aggregates: TypeAlias = Callable[[Scored], Iterable[Aggregate]]


def overall(*paths: str) -> Aggregates:
    """Compares the value over all items with each corpus value that the run has at a path."""

    def compare(scored: Scored) -> Iterator[Aggregate]:
        flat = flatten(scored.run.get("corpus") or {})
        for path in paths:
            if path in flat:
                yield path, scored.value(), flat[path]

    return compare


MEAN = overall("mean", "reference_aggregate.overall")


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """The numbers of a nested mapping by their dotted paths."""
    flat: dict[str, float] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            flat[f"{prefix}{key}"] = value
    return flat


@dataclass(frozen=True, slots=True)
class Disagreement:
    """An item or aggregate on which ours and theirs differ."""

    case: str
    """The item's id, or the aggregate's name."""
    ours: str
    theirs: str
    prediction: str = ""
    references: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.case}: {self.ours}, reference {self.theirs}"


@dataclass(frozen=True)
class ParityRow:
    """A row of the report."""

    metric: str
    """With its options."""
    against: str
    """The program and version whose values are compared, or the careful reader's."""
    run: str
    """The gold file and the run in it."""
    items: int
    agreeing: int
    aggregates: int
    aggregates_agreeing: int
    exceptions: tuple[Disagreement, ...] = ()
    missing: str | None = None
    """Why nothing was compared."""


@dataclass(frozen=True)
class Check:
    """Which metric is compared with which run, and how."""

    file: str
    run: str
    metric: str
    options: Mapping[str, Scalar] = field(default_factory=dict)
    theirs: Theirs = expected
    ours: Ours = value_of_item
    scale: float = 1.0
    """Ours times this is in the reference's scale."""
    aggregates: Aggregates = MEAN
    against: Literal["expected", "sensible"] = "expected"
    within: Callable[[Case], bool] = lambda case: True
    """Which of the run's items the check is for."""
    has_items: bool = True
    """Whether the run is of single texts; its sets alone are compared otherwise."""

    @cached_property
    def label(self) -> str:
        """The metric with its options."""
        options = ", ".join(f"{name}={value}" for name, value in self.options.items())
        return f"{self.metric} ({options})" if options else self.metric

    def row(self, gold: Path) -> ParityRow | None:
        """The result; None where the gold file lacks the run.

        Raises:
            DataError: The gold file cannot be read.
            UsageError: There is no such metric or option.
        """
        content = read_gold(gold, self.file)
        run = run_of(content, self.run)
        if run is None:
            return None
        cases = [case for case in cases_of(self.file, content, run) if self.within(case)]
        if not cases and self.has_items:
            raise DataError(
                f"The gold file {self.file}.json has no texts of the run {self.run} to score; give "
                "a folder whose files have their inputs."
            )
        scored = self._scored(content["inputs"], run, cases)
        items = list(self._items(scored))
        totals = self._totals(scored) if self.against == "expected" else []
        wrong = [item for item in items if item] + [
            Disagreement(name, repr(ours), repr(theirs))
            for name, ours, theirs in totals
            if not agree(ours, theirs)
        ]
        return ParityRow(
            metric=self.label,
            against=_program(run) if self.against == "expected" else "a careful reader",
            run=f"{self.file}: {self.run}",
            items=len(items),
            agreeing=items.count(None),
            aggregates=len(totals),
            aggregates_agreeing=sum(agree(ours, theirs) for _, ours, theirs in totals),
            exceptions=tuple(wrong),
        )

    def _totals(self, scored: Scored) -> list[Aggregate]:
        """Values over sets beside the program's; a set of which no item is there has none.

        Raises:
            DataError: What the sets are made of is not there.
        """
        try:
            return [total for total in self.aggregates(scored) if not math.isnan(total[1])]
        except (KeyError, ValueError, ZeroDivisionError) as problem:
            raise DataError(
                f"The gold file {self.file}.json lacks a part of what the values of {self.run} are "
                f"over ({type(problem).__name__}: {problem}); give a folder whose files are whole."
            ) from None

    def _scored(
        self, inputs: Mapping[str, Any], run: Mapping[str, Any], cases: Sequence[Case]
    ) -> Scored:
        metric = load_metric(self.metric, self.options)
        scores: dict[int, MetricScore] = {}
        for corpus in {case.corpus for case in cases}:
            inside = [index for index, case in enumerate(cases) if case.corpus == corpus]
            answers = [cases[index].answer for index in inside]
            ready = metric.prepare([answer.references for answer in answers])
            scores |= zip(inside, ready.score_all(answers), strict=True)
        in_order = [scores[index] for index in range(len(cases))]
        return Scored(metric, inputs, run, cases, in_order, self.scale)

    def _items(self, scored: Scored) -> Iterator[Disagreement | None]:
        """For each item None if it agrees, else what differs."""
        for case, score in zip(scored.cases, scored.scores, strict=True):
            theirs = self.theirs(case)
            if theirs is SKIPPED:
                continue
            unscored = score.vector is None
            ours = RAISES if unscored else self.ours(scored.metric, score)
            if not unscored and isinstance(ours, float):
                ours *= self.scale
            agrees = ours is theirs if RAISES in (ours, theirs) else agree(ours, theirs)
            yield (
                None
                if agrees
                else Disagreement(
                    case.id,
                    _shown(ours),
                    _shown(theirs),
                    case.answer.prediction,
                    case.answer.references,
                )
            )


def agree(ours: Any, theirs: Any) -> bool:
    """Whether two values are equal, numbers to the tolerance."""
    if isinstance(ours, tuple) and isinstance(theirs, tuple):
        return len(ours) == len(theirs) and all(map(agree, ours, theirs))
    if isinstance(ours, int | float) and isinstance(theirs, int | float):
        return math.isclose(ours, theirs, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(ours == theirs)


def _shown(value: Any) -> str:
    return "unscored" if value is RAISES else repr(value)


def _program(run: Mapping[str, Any]) -> str:
    """The package of a run, or those of its several values."""
    implementation = run.get("implementation", {})
    parts = [implementation, *implementation.values()]
    packages = [
        part["package"] for part in parts if isinstance(part, Mapping) and "package" in part
    ]
    return ", ".join(dict.fromkeys(map(str, packages)))
