"""Published scores beside ours: only where benchmark, metric and harness are the same.

`published.json` holds numbers that others published, as facts with their sources: a table for each
benchmark, metric, harness, judge and source. A task says which of its metrics computes what a
harness publishes (`published:` beside the metric). Everything else is named with what differs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from vlmbench.records import Estimate, RunRecord
from vlmbench.runs.directory import find_runs
from vlmbench.schema import Strict, parse

if TYPE_CHECKING:
    import pandas as pd

FILE = Path(__file__).with_name("published.json")

PUBLISHED_COLUMNS = (
    "task",
    "metric",
    "harness",
    "model",
    "value",
    "low",
    "high",
    "ours",
    "source",
    "link",
    "caveats",
)

BENCHMARKS = {"yj-captions": "yj-captions-26k"}
"""Tasks that the published numbers call otherwise."""

REFERENCE_TOKENS = {"llm-jp-eval-mm": 256}
"""What a harness lets a model answer unless told otherwise, on all tasks."""

IMAGES_FIRST = ("llm-jp-eval-mm",)
"""Harnesses that put all images before the text."""


class PublishedSource(Strict):
    """Where numbers were published."""

    repo: str | None = None
    path: str | None = None
    commit: str | None = None
    url: str | None = None
    last_changed: str | None = None

    @property
    def link(self) -> str:
        """Where the numbers can be read."""
        if self.url is not None:
            return self.url
        return f"https://github.com/{self.repo}/blob/{self.commit or 'HEAD'}/{self.path}"

    def __str__(self) -> str:
        if self.url is not None:
            return self.url
        commit = f"@{self.commit[:7]}" if self.commit else ""
        return f"{self.repo}{commit} {self.path}"


class Table(Strict):
    """Scores of several models that one source publishes side by side."""

    benchmark: str
    subset: str | None = None
    metric: str
    scale: str
    judge: str | None = None
    harness: str
    published: str | None = None
    """The day, where it is known."""
    source: str
    source_id: str
    scores: dict[str, float]


class PublishedFile(Strict):
    """What `published.json` holds."""

    sources: dict[str, PublishedSource]
    tables: tuple[Table, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """A score beside others."""

    model: str
    value: float
    """On our metric's scale."""
    ours: bool
    source: str
    link: str = ""
    """Of the source; empty for ours."""
    low: float | None = None
    """Lower end of our 95 % interval; published scores come without one."""
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Caveat:
    """A setting in which our runs differ from the harness's."""

    kind: Literal["limit", "items", "incomplete", "tokens", "images"]
    detail: str
    """Names and numbers, in no language; may be empty."""
    text: str
    """As a sentence without its full stop."""


@dataclass(frozen=True, slots=True)
class ComparisonTable:
    """One of our metrics beside what its harness published, best first."""

    task: str
    metric: str
    harness: str
    name: str
    """What the harness calls the metric."""
    rows: tuple[ComparisonRow, ...]
    caveats: tuple[Caveat, ...]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Published numbers of a task that none of its metrics reproduces."""

    task: str
    harness: str
    name: str
    models: int
    source: str
    link: str
    kind: Literal["judge", "subset", "metric", "harness"]
    """What differs."""
    detail: str
    """Which judge or subset; empty for the others."""
    reason: str


@cache
def published() -> PublishedFile:
    """All published numbers that ship with vlmbench."""
    import json

    return parse(PublishedFile, json.loads(FILE.read_text(encoding="utf-8")), location=str(FILE))


def comparable_sources(task: str, named: Iterable[tuple[str, str]]) -> tuple[PublishedSource, ...]:
    """Where scores were published that compare with a task's.

    Args:
        named: (harness, what that calls the metric), as the task's metrics say.
    """
    wanted, benchmark = set(named), BENCHMARKS.get(task, task)
    identities = [
        table.source_id
        for table in published().tables
        if table.benchmark == benchmark and (table.harness, table.metric) in wanted
    ]
    return tuple(published().sources[one] for one in dict.fromkeys(identities))


def compare_published(records: Sequence[RunRecord]) -> tuple[list[ComparisonTable], list[Mismatch]]:
    """What can be put beside published numbers, and what cannot, task by task.

    Args:
        records: Runs of any models and tasks.
    """
    by_task: dict[str, list[RunRecord]] = {}
    for record in records:
        by_task.setdefault(record.task, []).append(record)
    comparisons: list[ComparisonTable] = []
    mismatches: list[Mismatch] = []
    for task, runs in by_task.items():
        name = BENCHMARKS.get(task, task)
        tables = [one for one in published().tables if one.benchmark == name]
        used: list[Table] = []
        for use in runs[0].task_spec.get("metrics", ()):
            for harness, metric in use.get("published", {}).items():
                same = [t for t in tables if _is(t, harness, metric)]
                used += same
                if same:
                    comparisons.append(_comparison(task, use, harness, metric, same, runs))
        mismatches += _mismatches(task, [one for one in tables if one not in used], used)
    return comparisons, mismatches


def published_frame(paths: Sequence[Path]) -> pd.DataFrame:
    """Runs beside published scores that compare, a row a score.

    Args:
        paths: Output, model or run directories.

    Returns:
        Columns: `task`, `metric`, `harness`, `model`, `value` (on our metric's scale), `low` and
        `high` of our interval (published scores have none), `ours`, `source`, `link`, `caveats`
        in which our runs differ from the harness's settings.

    Raises:
        UsageError: There is no run.
        JournalError: A record cannot be read.
    """
    import pandas as pd

    records = [run.read_record() for run in find_runs(paths)]
    comparisons, _ = compare_published([one for one in records if one.variant is None])
    rows = [
        {
            "task": one.task,
            "metric": one.metric,
            "harness": one.harness,
            **{name: getattr(row, name) for name in PUBLISHED_COLUMNS[3:-1]},
            "caveats": "; ".join(caveat.text for caveat in one.caveats),
        }
        for one in comparisons
        for row in one.rows
    ]
    return pd.DataFrame(rows, columns=list(PUBLISHED_COLUMNS))


def _is(table: Table, harness: str, metric: str) -> bool:
    return (table.harness, table.metric, table.subset) == (harness, metric, None)


def _comparison(
    task: str,
    use: Mapping[str, Any],
    harness: str,
    name: str,
    tables: Sequence[Table],
    runs: Sequence[RunRecord],
) -> ComparisonTable:
    key = use["id"] or use["use"]
    rows: list[ComparisonRow] = []
    caveats: dict[Caveat, None] = {}
    highest = 1.0
    for run in runs:
        estimate = _overall(run, key)
        if estimate is not None and estimate.value is not None:
            ours = ComparisonRow(
                run.model, estimate.value, True, "this run", "", estimate.low, estimate.high
            )
            rows.append(ours)
            highest = _highest(estimate.signature)
        caveats.update(dict.fromkeys(_caveats(run, harness)))
    for table in tables:
        scale = highest / (100.0 if table.scale == "0-100" else 1.0)
        source = published().sources[table.source_id]
        rows += [
            ComparisonRow(model, score * scale, False, str(source), source.link)
            for model, score in table.scores.items()
        ]
    rows.sort(key=lambda row: (-row.value, row.model))
    return ComparisonTable(task, key, harness, name, tuple(rows), tuple(caveats))


def _overall(run: RunRecord, metric: str) -> Estimate | None:
    return next((one for one in run.estimates if one.metric == metric and one.slice is None), None)


def _highest(signature: str) -> float:
    """The upper end of a metric's range, 1 or 100, out of its signature."""
    span = next(part for part in signature.split("|") if part.startswith("range:"))
    return float(span.removeprefix("range:").split("-")[1])


def _caveats(run: RunRecord, harness: str) -> Iterator[Caveat]:
    if run.limit is not None:
        text = f"{run.model} answered only {run.part} samples"
        yield Caveat("limit", f"{run.model}: {run.part}", text)
    if run.other_size is not None:
        detail = f"{run.available:,} / {run.task_spec['items']:,}"
        yield Caveat("items", detail, run.other_size.removesuffix("."))
    if not run.coverage.complete:
        yield Caveat("incomplete", run.model, f"the run of {run.model} is incomplete")
    tokens, usual = run.task_spec["generation"]["max_new_tokens"], REFERENCE_TOKENS.get(harness)
    if usual is not None and tokens != usual:
        text = f"answers may have {tokens:,} tokens here and {usual} there"
        yield Caveat("tokens", f"{tokens:,} / {usual}", text)
    marked = "interleave" in run.task_spec["prompt"]
    if harness in IMAGES_FIRST and marked and run.task_spec.get("image_order") != "reference":
        text = "images stand where the question marks them here and before the text there"
        yield Caveat("images", "", text)


def _mismatches(task: str, tables: Sequence[Table], used: Sequence[Table]) -> list[Mismatch]:
    """Names the first thing that differs from every metric of ours, once for alike tables."""
    found: dict[Mismatch, set[str]] = {}
    for table in tables:
        source = published().sources[table.source_id]
        kind, detail, reason = _difference(table, used)
        mismatch = Mismatch(
            task=task,
            harness=table.harness,
            name=table.metric,
            models=0,
            source=str(source),
            link=source.link,
            kind=kind,
            detail=detail,
            reason=reason,
        )
        found.setdefault(mismatch, set()).update(table.scores)
    return [replace(one, models=len(models)) for one, models in found.items()]


def _difference(
    table: Table, used: Sequence[Table]
) -> tuple[Literal["judge", "subset", "metric", "harness"], str, str]:
    if table.judge is not None or "judge" in table.metric:
        judge = table.judge or "not named"
        return "judge", judge, f"it needs a judge ({judge})"
    if table.subset is not None:
        return "subset", table.subset, f"it is of the subset {table.subset}"
    if any(table.harness == one.harness for one in used):
        return "metric", "", "another metric"
    return "harness", "", "another harness, whose metric is not reproduced here"
