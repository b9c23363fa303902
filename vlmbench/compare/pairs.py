"""Models side by side: the paired difference of each headline metric on the same samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vlmbench.compare.paired_runs import (
    Scored,
    headline_metrics,
    metric_difference,
    pair,
    read_scored,
    values_of,
)
from vlmbench.errors import UsageError
from vlmbench.metrics.base import Metric
from vlmbench.records import RunRecord
from vlmbench.runs.directory import find_runs

SAME_QUESTIONS = ("data", "fields", "prompt")
"""Fingerprints that two runs of the same questions share."""

PAIR_COLUMNS = (
    "task",
    "metric",
    "part",
    "model_a",
    "model_b",
    "value_a",
    "value_b",
    "difference",
    "low",
    "high",
    "p_value",
    "method",
    "n",
    "left_out",
    "problem",
)


def compare_runs(paths: Sequence[Path]) -> pd.DataFrame:
    """The first model beside each of the others, on every task that both have run.

    Args:
        paths: Output, model or run directories; the model that comes first is compared with the
            others. Runs of variants are passed over.

    Returns:
        A row a task, headline metric and other model, of the `part` "all"; a second one of the
        part "clean" where a model was trained on samples of the task, without these: `value_a`
        and `value_b` on the `n` samples that both scored, `difference` (b minus a; positive is
        better unless the metric counts what is wrong) with the ends `low` and `high` of its 95 %
        interval (`method` names it), `p_value`, `left_out` samples that one of them did not answer
        or could not score, and the `problem` where the two do not compare (missing otherwise).

    Raises:
        UsageError: There are not two models.
        JournalError: A run cannot be read.
    """
    by_model: dict[str, dict[str, Scored]] = {}
    for path in paths:
        for run in find_runs([path]):
            scored = read_scored(run)
            if scored.record.variant is None:
                by_model.setdefault(scored.record.model, {})[scored.record.task] = scored
    if len(by_model) < 2:
        raise UsageError(
            f"There is one model only ({', '.join(by_model) or 'none'}) in "
            f"{', '.join(map(str, paths))}; give the runs of two."
        )
    first, *others = by_model.values()
    rows = [
        row
        for other in others
        for task in sorted(first.keys() & other.keys())
        for row in _task_rows(first[task], other[task])
    ]
    return pd.DataFrame(rows, columns=list(PAIR_COLUMNS))


def _task_rows(a: Scored, b: Scored) -> Iterator[dict[str, Any]]:
    parts = {"all": (a, b)}
    if seen := _seen(a.record) | _seen(b.record):
        parts["clean"] = (_without(a, seen), _without(b, seen))
    for name, metric in headline_metrics(a.record).items():
        problem = _problem(a.record, b.record, name)
        for part, (one, other) in parts.items():
            names = {
                "task": a.record.task,
                "metric": name,
                "part": part,
                "model_a": a.record.model,
                "model_b": b.record.model,
            }
            found = {"problem": problem} if problem else _paired(one, other, name, metric)
            yield names | found


def _seen(record: RunRecord) -> set[str]:
    """Ids of the samples that the model was trained on, as far as that is known."""
    return {*record.overlap.seen} if record.overlap else set()


def _without(scored: Scored, ids: set[str]) -> Scored:
    return Scored(scored.record, [row for row in scored.rows if row.id not in ids])


def _problem(a: RunRecord, b: RunRecord, metric: str) -> str | None:
    """Why two runs do not compare, or None."""
    for field in SAME_QUESTIONS:
        if a.fingerprints.get(field) != b.fingerprints.get(field):
            return f"another {field}"
    signatures = [
        {one.signature for one in record.estimates if one.metric == metric and one.slice is None}
        for record in (a, b)
    ]
    return None if signatures[0] == signatures[1] else "another metric signature"


def _paired(a: Scored, b: Scored, name: str, metric: Metric) -> dict[str, Any]:
    paired = pair([a, b], name, metric)
    if not paired.ids:
        return {"n": 0, "left_out": paired.left_out, "problem": "no sample scored in both"}
    first, second = paired.vectors
    found = metric_difference(metric, second, first, paired.clusters)
    value_a, value_b = values_of(paired, metric).tolist()
    return {
        "value_a": value_a,
        "value_b": value_b,
        "difference": found.difference,
        "low": found.low,
        "high": found.high,
        "p_value": found.p_two_sided,
        "method": found.method,
        "n": len(paired.ids),
        "left_out": paired.left_out,
    }
