"""Run records into the rows that the report shows: models by tasks, and the same by slice.

Every number here is copied from a run record. Two estimates stand in one column as equals only
when their metric signature, task, prompt, data and limit agree; a run that differs from the
column's majority is kept, told apart by the name of the differing field, and never ranked.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count

from vlmbench.compare.gate import COMPARED_FINGERPRINTS
from vlmbench.errors import VlmbenchError
from vlmbench.metrics.base import load_metric
from vlmbench.records import Estimate, RunRecord, Scalar, stable_hash
from vlmbench.report.axes import Axis, axis_of
from vlmbench.report.model_facts import ModelFacts, model_facts
from vlmbench.report.rendering import Words
from vlmbench.runs.directory import RunDir, safe_name
from vlmbench.scoring.aggregate import DIAGNOSTICS
from vlmbench.scoring.groups import chance_level


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
        return (*prints, ("limit", str(self.record.limit)), *signatures)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the leaderboard: one model, with at most one run of each task."""

    name: str
    """The model's name; numbered when several rows would bear it."""
    baseline: bool
    runs: Mapping[str, Run]
    """By task."""
    facts: ModelFacts = ModelFacts()


@dataclass(frozen=True, slots=True)
class TaskRuns:
    """All runs of one task."""

    name: str
    title: Words
    runs: tuple[Run, ...]
    reference: Run
    """A run whose identity most of the runs share; the others are compared with it."""
    headlines: tuple[str, ...]
    """The task's headline metrics."""
    metrics: tuple[str, ...]
    """All metrics of the task but diagnostics of answers, headline metrics first."""

    @property
    def slug(self) -> str:
        """A name for its files: its own unless that is no plain file name."""
        name = safe_name(self.name)
        plain = name == self.name and name.isascii()
        return name if plain else f"{name}-{stable_hash(self.name)[:8]}"

    def mismatch(self, run: Run) -> str | None:
        """The field in which a run differs from the majority, if any."""
        mine, other = dict(run.identity), dict(self.reference.identity)
        return next((name for name in {**other, **mine} if mine.get(name) != other.get(name)), None)

    @property
    def comparable(self) -> list[Run]:
        """The runs that may be ranked against one another."""
        return [run for run in self.runs if self.mismatch(run) is None]


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
class Leaderboard:
    """Models by the headline metrics of their tasks."""

    tasks: tuple[TaskRuns, ...]
    columns: tuple[MetricColumn, ...]
    models: tuple[Entry, ...]
    """Those with an overall score first, best first; then the others by name."""
    baselines: tuple[Entry, ...]
    overall: Overall

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

    field: str
    column: MetricColumn
    axis: Axis
    estimates: Mapping[Scalar, Mapping[str, Estimate]]
    """By slice value, then by the entry's name."""
    blind: str | None
    """Name of the blind baseline."""


@dataclass(frozen=True, slots=True)
class Overall:
    """One score over the tasks that most models have completed."""

    tasks: tuple[str, ...]
    """Names; empty if there are none that most share."""
    scores: Mapping[str, float]
    """By the entry's name: plain mean over the tasks of the chance-corrected headline values.
    Entries that lack one of the tasks have none."""


def build_leaderboard(runs: Sequence[Run]) -> Leaderboard:
    """Arrange runs as models by tasks."""
    names = sorted({run.record.task for run in runs})
    tasks = [_task_runs(name, [run for run in runs if run.record.task == name]) for name in names]
    columns = [column for task in tasks for column in task_columns(task) if column.headline]
    entries = _entries(runs)
    models = [entry for entry in entries if not entry.baseline]
    overall = overall_scores(entries, columns)

    def order(entry: Entry) -> tuple[float, list[float], str]:
        """Without an overall score the columns decide, the first one first."""
        values = [column.rankable(entry) for column in columns]
        worse = [
            math.inf if value is None else value if column.lower_is_better else -value
            for column, value in zip(columns, values, strict=True)
        ]
        return -overall.scores.get(entry.name, -math.inf), worse, entry.name

    ordered = sorted(entries, key=order)
    return Leaderboard(
        tuple(tasks),
        tuple(columns),
        tuple(entry for entry in ordered if entry in models),
        tuple(entry for entry in ordered if entry not in models),
        overall,
    )


def overall_scores(entries: Sequence[Entry], columns: Sequence[MetricColumn]) -> Overall:
    """The overall score of the entries that completed what most models completed.

    The tasks are those that more than half of the models that completed any task in a way that
    compares have completed so; while
    fewer than half of the models have all of these, the one that most of them lack is left out.
    So neither an extra task nor a missing one decides who is first.
    """
    done = {entry.name: task_values(entry, columns) for entry in entries}
    models = [entry.name for entry in entries if not entry.baseline and done[entry.name]]
    models = models or [name for name in done if done[name]]
    tasks = [task for task in dict.fromkeys(one.task.name for one in columns)]

    def having(task: str) -> int:
        return sum(task in done[name] for name in models)

    shared = [task for task in tasks if 2 * having(task) > len(models)]
    while shared and 2 * sum(done[name].keys() >= {*shared} for name in models) < len(models):
        shared.remove(min(shared, key=having))
    if not shared:
        return Overall((), {})
    scores = {
        name: sum(values[task] for task in shared) / len(shared)
        for name, values in done.items()
        if values.keys() >= {*shared}
    }
    return Overall(tuple(shared), scores)


def task_values(entry: Entry, columns: Sequence[MetricColumn]) -> dict[str, float]:
    """An entry's chance-corrected value of each task that it completed in a way that compares."""
    found: dict[str, list[tuple[float, int] | None]] = {}
    for column in columns:
        value, estimate = column.rankable(entry), column.estimate(entry)
        corrected = None if value is None else column.corrected(value)
        known = None if corrected is None or estimate is None else (corrected, estimate.n)
        found.setdefault(column.task.name, []).append(known)
    values = {}
    for task, parts in found.items():
        known = [part for part in parts if part is not None]
        if len(known) == len(parts):
            values[task] = sum(value * n for value, n in known) / sum(n for _, n in known)
    return values


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
    for column in task_columns(task):
        if not column.headline:
            continue
        runs = {entry.name: entry.runs[task.name] for entry in entries}
        blind = next((name for name, run in runs.items() if run is column.blind), None)
        models = {entry.name for entry in entries if not entry.baseline} or {*runs}
        for field, cells in _sliced(column, runs).items():
            if len(cells) > 1:
                ordered = sorted(cells.items(), key=lambda item: (type(item[0]).__name__, item[0]))
                shown = [e for by in cells.values() for name, e in by.items() if name in models]
                tables.append(SliceTable(field, column, axis_of(shown), dict(ordered), blind))
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
    record = reference.record
    english = str(record.task_spec.get("title") or name)
    japanese = (record.task_spec.get("ja") or {}).get("title") or english
    headlines = tuple(e.metric for e in record.estimates if e.headline and e.slice is None)
    # Each judge brings metrics of its own, and not every run has been before every judge.
    found = dict.fromkeys(
        e.metric
        for run in (reference, *runs)
        for e in run.record.estimates
        if e.slice is None and (e.headline or e.metric not in DIAGNOSTICS)
    )
    metrics = tuple(sorted(found, key=lambda one: one not in headlines))
    return TaskRuns(
        name, Words(english, str(japanese)), tuple(runs), reference, headlines, metrics
    )


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
            records = [run.record for run in row.values()]
            entries[label] = Entry(label, is_baseline(records[0]), row, model_facts(records))
    return _with_parents([*entries.values()])


def _with_parents(entries: Sequence[Entry]) -> list[Entry]:
    """The entries, each with the one that it was trained from."""
    names = {one: entry.name for entry in reversed(entries) for one in entry.facts.identity}

    def parent(facts: ModelFacts) -> str | None:
        return next((names[one] for one in facts.base if one in names), None)

    return [
        replace(entry, facts=replace(entry.facts, parent=parent(entry.facts))) for entry in entries
    ]


def _weights(record: RunRecord) -> str:
    """What tells two models of one name apart. Answers from a file have no weights."""
    scripted = record.model_spec.get("location") == "scripted"
    return "" if scripted else record.fingerprints.get("model", "")


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
