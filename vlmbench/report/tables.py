"""Run records into the rows that the report shows: models by tasks, and the same by slice.

Every number here is copied from a run record. Two estimates stand in one column as equals only
when their metric signature, task, prompt, data and limit agree; a run that differs from the
column's majority is kept, told apart by the name of the differing field, and never ranked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

import pandas as pd

from vlmbench.compare.gate.baseline import COMPARED_FINGERPRINTS
from vlmbench.errors import UsageError
from vlmbench.records import Estimate, RunRecord, Scalar
from vlmbench.runs.directory import RunDir, find_runs
from vlmbench.scoring.aggregate import DIAGNOSTICS


@dataclass(frozen=True, slots=True)
class Run:
    """A run directory and its record."""

    directory: RunDir
    record: RunRecord

    def overall(self, metric: str) -> Estimate | None:
        """A metric's estimate over the whole task."""
        whole = (e for e in self.record.estimates if e.slice is None)
        return next((e for e in whole if e.metric == metric), None)

    def clean(self, metric: str) -> Estimate | None:
        """A metric's estimate over the samples that training did not see, if it saw any."""
        return next((e for e in self.record.clean if e.metric == metric), None)

    @property
    def identity(self) -> tuple[tuple[str, str], ...]:
        """What must agree with another run of the task, as (field, value) pairs."""
        prints = [(name, self.record.fingerprints.get(name, "")) for name in COMPARED_FINGERPRINTS]
        signatures = sorted(
            (f"signature of {e.metric}", e.signature)
            for e in self.record.estimates
            if e.headline and e.slice is None
        )
        return (*prints, ("limit", f"{self.record.limit} {self.record.drawn}"), *signatures)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the leaderboard: one model, with at most one run of each task."""

    name: str
    """The model's name; numbered when several rows would bear it."""
    baseline: bool
    runs: Mapping[str, Run]
    """By task."""


@dataclass(frozen=True, slots=True)
class TaskRuns:
    """All runs of one task."""

    name: str
    title: str
    runs: tuple[Run, ...]
    reference: Run
    """A run whose identity most of the runs share; the others are compared with it."""

    def mismatch(self, run: Run) -> str | None:
        """The field in which a run differs from the majority, if any."""
        mine, other = dict(run.identity), dict(self.reference.identity)
        return next((name for name in {**other, **mine} if mine.get(name) != other.get(name)), None)

    @property
    def comparable(self) -> list[Run]:
        """The runs that may be ranked against one another."""
        return [run for run in self.runs if self.mismatch(run) is None]

    @property
    def headlines(self) -> tuple[str, ...]:
        """The task's headline metrics."""
        estimates = self.reference.record.estimates
        return tuple(e.metric for e in estimates if e.headline and e.slice is None)

    @property
    def metrics(self) -> tuple[str, ...]:
        """All metrics of the task but diagnostics of answers, headline metrics first."""
        # Each judge brings metrics of its own, and not every run has been before every judge.
        names = dict.fromkeys(
            e.metric
            for run in (self.reference, *self.runs)
            for e in run.record.estimates
            if e.slice is None and (e.headline or e.metric not in DIAGNOSTICS)
        )
        return tuple(sorted(names, key=lambda name: name not in self.headlines))


@dataclass(frozen=True, slots=True)
class MetricColumn:
    """One metric of one task."""

    task: TaskRuns
    metric: str
    headline: bool
    scale: float
    """Right end of the drawn axis, which starts at 0."""
    blind: Run | None
    """The blind baseline, which knows only the question."""
    signature: str
    """What most of the column's values depend on; others are not ranked."""

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

    def ranks(self, entries: Sequence[Entry]) -> pd.Series:
        """Rank by name, 1 for the best; NaN for an entry that may not be ranked."""
        values = pd.Series({entry.name: self.rankable(entry) for entry in entries}, dtype=float)
        return values.rank(method="min", ascending="-lower-is-better|" in self.signature)


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """Models by the headline metrics of their tasks."""

    tasks: tuple[TaskRuns, ...]
    columns: tuple[MetricColumn, ...]
    models: tuple[Entry, ...]
    """In the order of their mean rank over the columns."""
    baselines: tuple[Entry, ...]

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Models first, then baselines."""
        return (*self.models, *self.baselines)

    def of_task(self, task: str) -> list[Entry]:
        """The entries that ran a task."""
        return [entry for entry in self.entries if task in entry.runs]

    def best(self, column: MetricColumn) -> frozenset[str]:
        """Names of the models that no other model surpasses."""
        ranks = column.ranks(self.models)
        return frozenset(ranks.index[ranks == 1])


@dataclass(frozen=True, slots=True)
class SliceTable:
    """One column by the values of one slice field."""

    column: MetricColumn
    estimates: Mapping[Scalar, Mapping[str, Estimate]]
    """By slice value, then by the entry's name."""
    blind: str | None
    """Name of the blind baseline."""


def plain_runs(roots: Sequence[Path]) -> list[Run]:
    """Every run below `roots` that is no variant, in the order of its path.

    Raises:
        UsageError: No run is there, or a directory does not exist.
        JournalError: A run record is missing or damaged.
    """
    runs = [Run(directory, directory.read_record()) for directory in find_runs(roots)]
    plain = [run for run in runs if run.record.variant is None]
    if not plain:
        raise UsageError(
            f"{runs[0].directory.path} is a run of a variant ({runs[0].record.variant}), and the "
            "run of the task itself is not there; give the directory of both."
        )
    return plain


def build_leaderboard(runs: Sequence[Run]) -> Leaderboard:
    """Arrange one or more runs as models by tasks."""
    names = sorted({run.record.task for run in runs})
    tasks = [_task_runs(name, [run for run in runs if run.record.task == name]) for name in names]
    columns = [column for task in tasks for column in task_columns(task) if column.headline]
    entries = _entries(runs)
    return Leaderboard(
        tuple(tasks),
        tuple(columns),
        _by_mean_rank([entry for entry in entries if not entry.baseline], columns),
        _by_mean_rank([entry for entry in entries if entry.baseline], columns),
    )


def task_columns(task: TaskRuns) -> list[MetricColumn]:
    """A column for each metric of a task, headline metrics first."""
    runs = task.comparable
    blind = next((run for run in runs if _is_blind(run.record)), None)
    # An oracle may lie beyond the axis: one perfect row must not squeeze all others into a corner.
    models = [run for run in runs if not is_baseline(run.record)] or runs
    columns = []
    for metric in task.metrics:
        headline = metric in task.headlines
        highs = [e.high for run in models if (e := run.overall(metric)) and e.high is not None]
        scale = axis_end(max(highs, default=1.0))
        signatures = Counter(e.signature for run in runs if (e := run.overall(metric)))
        signature = max(signatures, key=lambda one: signatures[one], default="")
        columns.append(MetricColumn(task, metric, headline, scale, blind, signature))
    return columns


def slice_tables(board: Leaderboard) -> dict[str, list[SliceTable]]:
    """For each slice field, a table for each column that has more than one value of it."""
    tables: dict[str, list[SliceTable]] = {}
    for column in board.columns:
        task = column.task.name
        runs = {entry.name: entry.runs[task] for entry in board.of_task(task)}
        blind = next((name for name, run in runs.items() if run is column.blind), None)
        for field, cells in _sliced(column, runs).items():
            if len(cells) > 1:
                ordered = sorted(cells.items(), key=lambda item: (type(item[0]).__name__, item[0]))
                tables.setdefault(field, []).append(SliceTable(column, dict(ordered), blind))
    return tables


def is_baseline(record: RunRecord) -> bool:
    """Whether the answers come from a rule instead of a model or a file of answers."""
    spec = record.model_spec
    return spec.get("runner") == "baseline" and spec.get("location") != "scripted"


def axis_end(highest: float) -> float:
    """The smallest of 1, 2, 5, 10, 20, 50 ... that is not below a value."""
    steps = (step * 10.0**power for power in range(9) for step in (1, 2, 5))
    return next((step for step in steps if step >= highest), highest)


def _is_blind(record: RunRecord) -> bool:
    return is_baseline(record) and record.model_spec.get("location") == "blind-majority"


def _task_runs(name: str, runs: Sequence[Run]) -> TaskRuns:
    identities = Counter(run.identity for run in runs)
    # The newest run breaks ties: it is most likely to be of the task as it is now.
    reference = max(runs, key=lambda run: (identities[run.identity], run.record.created))
    title = reference.record.task_spec.get("title") or name
    return TaskRuns(name, str(title), tuple(runs), reference)


def _entries(runs: Sequence[Run]) -> list[Entry]:
    """One entry a model; a second run of the same model and task opens another entry."""
    groups: dict[tuple[str, str], list[dict[str, Run]]] = {}
    for run in runs:
        record = run.record
        rows = groups.setdefault((record.model, _weights(record)), [])
        row = next((row for row in rows if record.task not in row), None)
        if row is None:
            row = {}
            rows.append(row)
        row[record.task] = run
    entries: dict[str, Entry] = {}
    for (name, _), rows in groups.items():
        for row in rows:
            labels = chain([name], (f"{name} ({number})" for number in count(2)))
            label = next(one for one in labels if one not in entries)
            baseline = is_baseline(next(iter(row.values())).record)
            entries[label] = Entry(label, baseline, row)
    return [*entries.values()]


def _weights(record: RunRecord) -> str:
    """What tells two models of one name apart. Answers from a file have no weights."""
    scripted = record.model_spec.get("location") == "scripted"
    return "" if scripted else record.fingerprints.get("model", "")


def _by_mean_rank(entries: Sequence[Entry], columns: Sequence[MetricColumn]) -> tuple[Entry, ...]:
    """Best first; an entry that lacks columns stands below those that have them."""
    by_column = {number: column.ranks(entries) for number, column in enumerate(columns)}
    ranks = pd.DataFrame(by_column, index=[entry.name for entry in entries])
    missing, mean = ranks.isna().sum(axis=1), ranks.mean(axis=1).fillna(0)

    def order(entry: Entry) -> tuple[int, float, str]:
        return missing[entry.name], mean[entry.name], entry.name

    return tuple(sorted(entries, key=order))


def _sliced(
    column: MetricColumn, runs: Mapping[str, Run]
) -> dict[str, dict[Scalar, dict[str, Estimate]]]:
    """A column's estimates by slice field, its value and the entry's name, of comparable runs."""
    found: dict[str, dict[Scalar, dict[str, Estimate]]] = {}
    for name, run in runs.items():
        if column.task.mismatch(run) is None:
            for one in run.record.estimates:
                if one.metric == column.metric and one.slice:
                    ((field, value),) = one.slice.items()
                    found.setdefault(field, {}).setdefault(value, {})[name] = one
    return found
