"""Run records into the rows that the report shows: models by tasks, and the same by slice.

Every number here is copied from a run record. Two estimates stand in one column as equals only
when their metric signature, task, prompt, data and limit agree; a run that differs from the
column's majority is kept, told apart by the name of the differing field, and never ranked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vlmbench.errors import UsageError
from vlmbench.records import Estimate, RunRecord, Scalar
from vlmbench.runs.directory import RunDir, find_runs
from vlmbench.scoring.aggregate import DIAGNOSTICS

COMPARED_FINGERPRINTS = ("task", "prompt", "data")
"""Fingerprints that two runs must share for their numbers to be comparable."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run directory and its record."""

    directory: RunDir
    record: RunRecord

    def overall(self, metric: str) -> Estimate | None:
        """A metric's estimate over the whole task."""
        whole = (e for e in self.record.estimates if e.slice is None)
        return next((e for e in whole if e.metric == metric), None)

    @property
    def identity(self) -> tuple[tuple[str, str], ...]:
        """What must agree with another run of the task, as (field, value) pairs."""
        prints = [(name, self.record.fingerprints.get(name, "")) for name in COMPARED_FINGERPRINTS]
        signatures = sorted(
            (f"signature of {e.metric}", e.signature)
            for e in self.record.estimates
            if e.headline and e.slice is None
        )
        return (*prints, ("limit", str(self.record.limit)), *signatures)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the leaderboard: one model, with at most one run of each task."""

    name: str
    """The model's name; numbered when several runs of one task bear it."""
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
class Column:
    """One metric of one task."""

    task: TaskRuns
    metric: str
    headline: bool
    scale: float
    """Right end of the drawn axis, which starts at 0."""

    @property
    def chance(self) -> Estimate | None:
        """What the blind baseline, which knows only the question, reaches."""
        runs = (run for run in self.task.comparable if _is_blind(run.record))
        return next((run.overall(self.metric) for run in runs), None)

    @property
    def signature(self) -> str:
        """What most of the column's values depend on; others are not ranked."""
        found = [run.overall(self.metric) for run in self.task.comparable]
        counts = Counter(one.signature for one in found if one is not None)
        return counts.most_common(1)[0][0] if counts else ""

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

    def is_best(self, entry: Entry, entries: Iterable[Entry]) -> bool:
        """Whether no entry has a better value."""
        value, own = self.rankable(entry), self.estimate(entry)
        if value is None or own is None:
            return False
        sign = -1 if "-lower-is-better|" in own.signature else 1
        values = (self.rankable(other) for other in entries)
        return not any(other is not None and sign * other > sign * value for other in values)


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """Models by the headline metrics of their tasks."""

    tasks: tuple[TaskRuns, ...]
    columns: tuple[Column, ...]
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


@dataclass(frozen=True, slots=True)
class SliceTable:
    """One column by the values of one slice field."""

    column: Column
    field: str
    values: tuple[Scalar, ...]
    estimates: Mapping[tuple[str, Scalar], Estimate]
    """By entry name and slice value."""
    chances: Mapping[Scalar, Estimate]
    """The blind baseline's, by slice value."""


def load_runs(roots: Sequence[Path]) -> list[Run]:
    """Every plain run below `roots`, in the order of its path; variants are no rows of their own.

    Raises:
        UsageError: No run is there, or a directory does not exist.
        JournalError: A run record is missing or damaged.
    """
    runs = [Run(directory, directory.read_record()) for directory in find_runs(roots)]
    plain = [run for run in runs if run.record.variant is None]
    if not plain:
        raise UsageError(
            f"{runs[0].directory.path} asked its task otherwise ({runs[0].record.variant}), and "
            "the run of the task itself is not there; give the directory of both."
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
        tuple(_by_mean_rank([entry for entry in entries if not entry.baseline], columns)),
        tuple(_by_mean_rank([entry for entry in entries if entry.baseline], columns)),
    )


def task_columns(task: TaskRuns) -> list[Column]:
    """A column for each metric of a task, headline metrics first."""
    return [
        Column(task, metric, metric in task.headlines, _scale(task.comparable, metric))
        for metric in task.metrics
    ]


def slice_tables(board: Leaderboard) -> dict[str, list[SliceTable]]:
    """For each slice field, a table for each column that has more than one value of it."""
    tables: dict[str, list[SliceTable]] = {}
    for column in board.columns:
        estimates = column.task.reference.record.estimates
        for name in dict.fromkeys(name for e in estimates if e.slice for name in e.slice):
            table = _slice_table(board, column, name)
            if len(table.values) > 1:
                tables.setdefault(name, []).append(table)
    return tables


def is_baseline(record: RunRecord) -> bool:
    """Whether the answers come from a rule instead of a model or a file of answers."""
    spec = record.model_spec
    return spec.get("runner") == "baseline" and spec.get("location") != "scripted"


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
    counts: Counter[str] = Counter()
    entries = []
    for (name, _), rows in groups.items():
        for row in rows:
            counts[name] += 1
            label = name if counts[name] == 1 else f"{name} ({counts[name]})"
            entries.append(Entry(label, is_baseline(next(iter(row.values())).record), row))
    return entries


def _weights(record: RunRecord) -> str:
    """What tells two models of one name apart. Answers from a file have no weights."""
    scripted = record.model_spec.get("location") == "scripted"
    return "" if scripted else record.fingerprints.get("model", "")


def _scale(runs: Sequence[Run], metric: str) -> float:
    """The smallest of 1, 2, 5, 10, 20, 50 ... that holds the models' intervals.

    An oracle may lie beyond it: one perfect row must not squeeze all others into a corner.
    """
    models = [run for run in runs if not is_baseline(run.record)] or list(runs)
    estimates = [estimate for run in models if (estimate := run.overall(metric))]
    highest = max((e.high for e in estimates if e.high is not None), default=1.0)
    steps = (step * 10.0**power for power in range(9) for step in (1, 2, 5))
    return next((step for step in steps if step >= highest), highest)


def _by_mean_rank(entries: Sequence[Entry], columns: Sequence[Column]) -> list[Entry]:
    """Best first; an entry that lacks columns stands below those that have them."""

    def order(entry: Entry) -> tuple[int, float, str]:
        ranks = [rank for column in columns if (rank := _rank(entry, entries, column)) is not None]
        return len(columns) - len(ranks), sum(ranks) / max(1, len(ranks)), entry.name

    return sorted(entries, key=order)


def _rank(entry: Entry, entries: Sequence[Entry], column: Column) -> int | None:
    value = column.rankable(entry)
    if value is None:
        return None
    others = (column.rankable(other) for other in entries)
    return 1 + sum(other is not None and other > value for other in others)


def _slice_table(board: Leaderboard, column: Column, name: str) -> SliceTable:
    estimates: dict[tuple[str, Scalar], Estimate] = {}
    chances: dict[Scalar, Estimate] = {}
    for entry in board.of_task(column.task.name):
        run = entry.runs[column.task.name]
        if column.task.mismatch(run) is not None:
            continue
        for value, estimate in _sliced(run, column.metric, name):
            estimates[entry.name, value] = estimate
            if _is_blind(run.record):
                chances[value] = estimate
    values = {value for _, value in estimates}
    ordered = sorted(values, key=lambda value: (type(value).__name__, value))
    return SliceTable(column, name, tuple(ordered), estimates, chances)


def _sliced(run: Run, metric: str, name: str) -> list[tuple[Scalar, Estimate]]:
    return [
        (e.slice[name], e)
        for e in run.record.estimates
        if e.metric == metric and e.slice and set(e.slice) == {name}
    ]
