"""Run records arranged: the rows of the leaderboard, and the runs of each task.

Two runs compare only when task, prompt, data, limit and the signatures of the headline metrics
agree; a run that differs from the majority is kept, told apart by the name of the differing field.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, count

from vlmbench.compare.gate.baseline import COMPARED_FINGERPRINTS
from vlmbench.records import Estimate, RunRecord, stable_hash
from vlmbench.report.model_facts import ModelFacts, model_facts
from vlmbench.report.rendering import Words
from vlmbench.runs.directory import RunDir, safe_name
from vlmbench.scoring.aggregate import DIAGNOSTICS


@dataclass(frozen=True, slots=True)
class Run:
    """A run directory and its record."""

    directory: RunDir
    record: RunRecord
    """Without the estimates of slices: a leaderboard of thousands of runs reads none of them."""

    def whole_record(self) -> RunRecord:
        """The record with the estimates of slices, read anew."""
        return self.directory.read_record()

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
    facts: ModelFacts = field(default_factory=ModelFacts)


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
    mismatches: Mapping[RunDir, str]
    """The field in which a run differs from the majority, of the runs that do."""

    @property
    def slug(self) -> str:
        """A name for its files: its own unless that is no plain file name."""
        name = safe_name(self.name)
        plain = name == self.name and name.isascii()
        return name if plain else f"{name}-{stable_hash(self.name)[:8]}"

    def mismatch(self, run: Run) -> str | None:
        """The field in which a run differs from the majority, if any."""
        return self.mismatches.get(run.directory)

    @property
    def comparable(self) -> list[Run]:
        """The runs that may be ranked against one another."""
        return [run for run in self.runs if self.mismatch(run) is None]


def is_baseline(record: RunRecord) -> bool:
    """Whether the answers come from a rule instead of a model or a file of answers."""
    spec = record.model_spec
    return spec.get("runner") == "baseline" and spec.get("location") != "scripted"


def task_runs(name: str, runs: Sequence[Run]) -> TaskRuns:
    identity = {run.directory: run.identity for run in runs}
    identities = Counter(identity.values())
    # The newest run breaks ties: it is most likely to be of the task as it is now.
    reference = max(runs, key=lambda r: (identities[identity[r.directory]], r.record.created))
    mismatches = {
        directory: field
        for directory, one in identity.items()
        if (field := _differing(dict(one), dict(identity[reference.directory])))
    }
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
    # Judges by name: which run is read first depends on the second in which it was made.
    metrics = tuple(
        sorted(found, key=lambda one: (one not in headlines, one if "@" in one else ""))
    )
    title = Words(english, str(japanese))
    return TaskRuns(name, title, tuple(runs), reference, headlines, metrics, mismatches)


def _differing(mine: Mapping[str, str], other: Mapping[str, str]) -> str | None:
    return next((name for name in {**other, **mine} if mine.get(name) != other.get(name)), None)


def model_entries(runs: Sequence[Run]) -> list[Entry]:
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
