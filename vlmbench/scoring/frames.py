"""Results as pandas DataFrames: what the Python API gives, and what tables are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vlmbench.errors import VlmbenchError
from vlmbench.metrics.base import Metric, load_metric
from vlmbench.records import Estimate, JournalSample, MetricScore, RunRecord, SampleScores
from vlmbench.runs.directory import RunDir, find_runs
from vlmbench.runs.journal import JournalContent, read_journal

RUN_COLUMNS = (
    "model",
    "task",
    "variant",
    "metric",
    "slice",
    "value",
    "low",
    "high",
    "method",
    "n",
    "clusters",
    "unscored",
    "headline",
    "signature",
    "answered",
    "total",
    "limit",
    "available",
)
SAMPLE_COLUMNS = (
    "model",
    "task",
    "variant",
    "id",
    "prompt",
    "references",
    "choices",
    "answer",
    "error",
)


def load_runs(paths: str | Path | Sequence[str | Path] = "runs") -> pd.DataFrame:
    """Every estimate of every run below some directories, a row each.

    Args:
        paths: Output, model or run directories.

    Returns:
        Columns: `model`; `task`; `variant` (missing for the task as it is); `metric`; `slice`,
        such as "level=basic" (missing for the whole task); `value` with the ends `low` and
        `high` of its 95 % interval (NaN where nothing could be scored) and its `method`; `n`
        samples that it rests on, in so many independent `clusters`; `unscored` answers;
        `headline`; `signature`, which two estimates share that compare; how many samples are
        `answered` of `total`; `limit` (missing: the whole task) and how many samples are
        `available` in the whole task.

    Raises:
        UsageError: There is no run.
        JournalError: A record cannot be read.
    """
    return runs_frame([run.read_record() for run in find_runs(_paths(paths))])


def runs_frame(records: Iterable[RunRecord]) -> pd.DataFrame:
    """The estimates of records, a row each; see `load_runs`."""
    frame = pd.DataFrame(run_rows(records), columns=list(RUN_COLUMNS))
    return frame.astype(dict.fromkeys(("value", "low", "high"), np.float64))


def run_rows(records: Iterable[RunRecord]) -> list[dict[str, Any]]:
    """The same as plain rows; what is missing is None."""
    return [_run_row(record, one) for record in records for one in record.estimates]


def load_samples(paths: str | Path | Sequence[str | Path] = "runs") -> pd.DataFrame:
    """Every answer of every run below some directories, a row each.

    Args:
        paths: Output, model or run directories.

    Returns:
        Columns: `model`, `task`, `variant`, `id`; the rendered `prompt`, with `<image>` where an
        image stood; `references` and `choices` (tuples); the `answer`, missing where there is an
        `error` (its kind) instead; a column a metric with its value on this answer alone (NaN
        where it could not be scored or the metric is not for it); `meta` (a dict).

    Raises:
        UsageError: There is no run.
        JournalError: A run's files cannot be read.
    """
    frames = [_samples_frame(run) for run in find_runs(_paths(paths))]
    frame = pd.concat(frames, ignore_index=True)
    return frame[[name for name in frame.columns if name != "meta"] + ["meta"]]


def sample_values(rows: Sequence[SampleScores], metrics: Mapping[str, Metric]) -> pd.DataFrame:
    """Each metric's value on each answer alone, by sample id."""
    values = {
        name: [_value(metric, row.scores.get(name)) for row in rows]
        for name, metric in metrics.items()
    }
    return pd.DataFrame(values, index=[row.id for row in rows], dtype=np.float64)


def record_metrics(record: RunRecord) -> dict[str, Metric]:
    """The metrics of a run's estimates by id; a judge's `name@judge` as the metric it reads."""
    uses = {use["id"] or use["use"]: use for use in record.task_spec["metrics"]}
    found: dict[str, Metric] = {}
    for name in dict.fromkeys(one.metric for one in record.estimates):
        own = name.rpartition("@")[0] or name
        use = uses.get(own)
        try:
            found[name] = load_metric(use["use"], use["options"]) if use else load_metric(own)
        except VlmbenchError:
            continue  # added with options of its own, or by a package that is not here
    return found


def _run_row(record: RunRecord, one: Estimate) -> dict[str, Any]:
    part = one.slice and ", ".join(f"{name}={value}" for name, value in one.slice.items())
    return {
        "model": record.model,
        "task": record.task,
        "variant": record.variant,
        "metric": one.metric,
        "slice": part,
        "value": one.value,
        "low": one.low,
        "high": one.high,
        "method": one.method,
        "n": one.n,
        "clusters": one.clusters,
        "unscored": one.unscored,
        "headline": one.headline,
        "signature": one.signature,
        "answered": record.coverage.answered,
        "total": record.coverage.total,
        "limit": record.limit,
        "available": record.available,
    }


def _samples_frame(run: RunDir) -> pd.DataFrame:
    record, rows = run.read_record(), run.read_scores()
    content = read_journal(run.journal)
    texts = pd.DataFrame(
        [_sample_row(record, content, row) for row in rows],
        columns=[*SAMPLE_COLUMNS, "meta"],
        index=[row.id for row in rows],
        dtype=object,  # Arrow's texts cannot hold half a surrogate pair, which a model may write
    )
    return texts.join(sample_values(rows, record_metrics(record)))


def _sample_row(record: RunRecord, content: JournalContent, row: SampleScores) -> tuple[Any, ...]:
    sample, response = content.samples.get(row.id), content.responses.get(row.id)
    return (
        record.model,
        record.task,
        record.variant,
        row.id,
        _prompt(sample) if sample else None,
        sample.references if sample else (),
        sample.choices if sample else (),
        response.text if response else None,
        row.error,
        dict(sample.meta) if sample else {},
    )


def _prompt(sample: JournalSample) -> str:
    return "".join(part if isinstance(part, str) else "<image>" for part in sample.prompt)


def _value(metric: Metric, score: MetricScore | None) -> float:
    if score is None or score.vector is None:
        return float("nan")
    return float(metric.combine(np.array(score.vector, dtype=np.float64), 1))


def _paths(paths: str | Path | Sequence[str | Path]) -> list[Path]:
    return [Path(one) for one in ([paths] if isinstance(paths, str | Path) else paths)]
