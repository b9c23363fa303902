"""The columns of tables: one metric of one task, whole or by slice.

Every number here is copied from a run record. Two estimates stand in one column as equals only
when their metric signatures agree, too; others are shown and never ranked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vlmbench.errors import VlmbenchError
from vlmbench.metrics.base import load_metric
from vlmbench.records import Estimate, RunRecord, Scalar
from vlmbench.report.axes import Axis, axis_of
from vlmbench.report.entries import Entry, Run, TaskRuns, is_baseline
from vlmbench.scoring.groups import chance_level


@dataclass(frozen=True, slots=True)
class MetricColumn:
    """One metric of one task."""

    task: TaskRuns
    metric: str
    headline: bool
    axis: Axis
    """What values are drawn on: it spans the values and intervals of the models that compare."""
    blind: Run | None
    """The blind baseline, which knows only the question."""
    signature: str
    """What most of the column's values depend on; others are not ranked."""
    ends: tuple[float, float] | None
    """The values of chance (or the worst one) and of a perfect model; None without a range."""

    @property
    def lower_is_better(self) -> bool:
        """Whether the value counts what is wrong."""
        return "-lower-is-better|" in self.signature

    @property
    def chance(self) -> Estimate | None:
        """What the blind baseline reaches."""
        return self.blind.overall(self.metric) if self.blind else None

    def estimate(self, entry: Entry) -> Estimate | None:
        """The entry's value in this column."""
        run = entry.runs.get(self.task.name)
        return run.overall(self.metric) if run else None

    def rankable(self, entry: Entry) -> float | None:
        """The entry's value, if it may be ranked against others: complete and comparable."""
        run = entry.runs.get(self.task.name)
        estimate = self.estimate(entry)
        if run is None or estimate is None or self.task.mismatch(run) is not None:
            return None
        if estimate.signature != self.signature:  # another judge of the same name
            return None
        return estimate.value if run.record.coverage.complete else None

    def corrected(self, value: float) -> float | None:
        """The value with chance at 0 and a perfect model at 1; None without a range."""
        if self.ends is None:
            return None
        zero, one = self.ends
        return (value - zero) / (one - zero)

    def best(self, entries: Iterable[Entry]) -> frozenset[str]:
        """Names of the entries that no other one surpasses in this column."""
        values = {entry.name: self.rankable(entry) for entry in entries}
        known = [value for value in values.values() if value is not None]
        best = (min if self.lower_is_better else max)(known, default=None)
        return frozenset(name for name, value in values.items() if value == best is not None)


@dataclass(frozen=True, slots=True)
class SliceTable:
    """One column by the values of one slice field."""

    field: str
    column: MetricColumn
    axis: Axis
    estimates: Mapping[Scalar, Mapping[str, Estimate]]
    """By slice value, then by the entry's name."""
    blind: str | None
    """Name of the blind baseline."""


def task_columns(task: TaskRuns) -> list[MetricColumn]:
    """A column for each metric of a task, headline metrics first."""
    runs = task.comparable
    blind = next((run for run in runs if _is_blind(run.record)), None)
    # An oracle may lie beyond the axis: one perfect row must not squeeze all others into a corner.
    models = [run for run in runs if not is_baseline(run.record)] or runs
    columns = []
    for metric in task.metrics:
        estimates = [e for run in models if (e := run.overall(metric))]
        signatures = Counter(e.signature for run in runs if (e := run.overall(metric)))
        signature = max(signatures, key=lambda one: signatures[one], default="")
        columns.append(
            MetricColumn(
                task=task,
                metric=metric,
                headline=metric in task.headlines,
                axis=axis_of(estimates),
                blind=blind,
                signature=signature,
                ends=_ends(task.reference.record, metric),
            )
        )
    return columns


def _ends(record: RunRecord, metric: str) -> tuple[float, float] | None:
    """The values that become 0 and 1 in an overall score, as in group scores."""
    uses = {use["id"] or use["use"]: use for use in record.task_spec.get("metrics", ())}
    if metric not in uses:
        return None
    try:
        loaded = load_metric(uses[metric]["use"], uses[metric]["options"])
    except VlmbenchError:  # of a plugin that is not installed here
        return None
    if loaded.bounds is None:
        return None
    worst, best = loaded.bounds
    if loaded.definition.lower_is_better:
        worst, best = best, worst
    overall = {one.metric: one for one in record.estimates if one.slice is None}
    chance = chance_level(uses[metric], uses, overall)
    worst = worst if chance is None else chance
    return (worst, best) if worst != best else None


def slice_tables(task: TaskRuns, entries: Sequence[Entry]) -> list[SliceTable]:
    """A table for each slice field and headline metric that has more than one value of it."""
    tables = []
    runs = {entry.name: entry.runs[task.name] for entry in entries}
    sliced = {
        name: [one for one in run.whole_record().estimates if one.slice]
        for name, run in runs.items()
        if task.mismatch(run) is None
    }
    for column in task_columns(task):
        if not column.headline:
            continue
        blind = next((one for one, run in runs.items() if run is column.blind), None)
        models = {entry.name for entry in entries if not entry.baseline} or {*runs}
        for name, cells in _sliced(column, sliced).items():
            if len(cells) > 1:
                ordered = sorted(cells.items(), key=lambda item: (type(item[0]).__name__, item[0]))
                shown = [e for by in cells.values() for name, e in by.items() if name in models]
                tables.append(SliceTable(name, column, axis_of(shown), dict(ordered), blind))
    return tables


def _sliced(
    column: MetricColumn, estimates: Mapping[str, Sequence[Estimate]]
) -> dict[str, dict[Scalar, dict[str, Estimate]]]:
    """A column's estimates by slice field, its value and the entry's name.

    Args:
        estimates: Of slices, by the entry's name.
    """
    found: dict[str, dict[Scalar, dict[str, Estimate]]] = {}
    for name, those in estimates.items():
        for one in those:
            if one.metric == column.metric and one.slice:
                ((field, value),) = one.slice.items()
                found.setdefault(field, {}).setdefault(value, {})[name] = one
    return found


def _is_blind(record: RunRecord) -> bool:
    return is_baseline(record) and record.model_spec.get("location") == "blind-majority"
