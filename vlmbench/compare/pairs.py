"""Models side by side: the paired difference of each headline metric on the same samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vlmbench.compare.gate.pooling import pooled_judged
from vlmbench.compare.gate.report import GateRow
from vlmbench.compare.gate.rules import Rules, unit_of
from vlmbench.compare.gate.verdicts import Judged, decide
from vlmbench.compare.paired_runs import (
    Paired,
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
    "verdict",
    "reason",
    "decides",
    "lower_is_better",
    "method",
    "n",
    "left_out",
    "problem",
)

POOLED_PART = "pooled"
"""`part` of the row over all tasks."""


def compare_runs(paths: Sequence[Path]) -> pd.DataFrame:
    """The first model beside each of the others, on every task that both have run.

    Args:
        paths: Output, model or run directories; the model that comes first is compared with the
            others. Runs of variants are passed over.

    Returns:
        A row a task, headline metric and other model, of the `part` "all"; a second one of the
        part "clean" where a model was trained on samples of the task, without these; one of the
        part "pooled" over several tasks, each as a share of its scale: `value_a`
        and `value_b` on the `n` samples that both scored, `difference` (b minus a; positive is
        better unless the metric counts what is wrong) with the ends `low` and `high` of its 95 %
        interval (`method` names it), `p_value`, the `verdict` by the gate's rules and margins with
        its `reason` and what `decides`, whether `lower_is_better`, `left_out` samples that one of
        them did not answer or could not score, and the `problem` where the two do not compare
        (missing otherwise).

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
    rows = [row for other in others for row in _model_rows(first, other)]
    return pd.DataFrame(rows, columns=list(PAIR_COLUMNS))


def gate_rows(frame: pd.DataFrame) -> list[GateRow]:
    """The rows of `compare_runs` that have numbers, as the gate's tables show them."""
    shown = frame[frame["problem"].isna()].astype(object)
    shown = shown.where(shown.notna(), None)
    return [
        GateRow(
            "pooled" if row.part == POOLED_PART else "task",
            row.task + (" (clean part)" if row.part == "clean" else ""),
            row.metric,
            row.verdict,
            n=row.n,
            baseline=row.value_a,
            value=row.value_b,
            difference=row.difference,
            low=row.low,
            high=row.high,
            p_value=row.p_value,
            lower_is_better=row.lower_is_better,
            reason=row.reason or "",
            decides=row.decides or "",
        )
        for row in shown.itertuples()
    ]


def _model_rows(
    first: Mapping[str, Scored], other: Mapping[str, Scored]
) -> Iterator[dict[str, Any]]:
    """One model beside the first: what the gate would say with its own margins."""
    found = [
        pair_of_runs
        for task in sorted(first.keys() & other.keys())
        for pair_of_runs in _task_rows(first[task], other[task])
    ]
    judged = [one for _, one in found if one is not None]
    whole = [one for names, one in found if one is not None and names["part"] == "all"]
    pooled = pooled_judged(whole)
    decided = iter(decide([*judged, *([pooled] if pooled else [])]))
    for names, one in found:
        yield names if one is None else names | _numbers(next(decided))
    if pooled:
        models = {name: found[0][0][name] for name in ("model_a", "model_b")}
        row = next(decided)
        yield {"task": row.task, "metric": row.metric, "part": POOLED_PART} | models | _numbers(row)


def _numbers(row: GateRow) -> dict[str, Any]:
    return {
        "value_a": row.baseline,
        "value_b": row.value,
        "difference": row.difference,
        "low": row.low,
        "high": row.high,
        "p_value": row.p_value,
        "verdict": row.verdict,
        "reason": row.reason,
        "decides": row.decides,
        "lower_is_better": row.lower_is_better,
        "method": row.method,
        "n": row.n,
        "left_out": row.lost,
    }


def _task_rows(a: Scored, b: Scored) -> Iterator[tuple[dict[str, Any], Judged | None]]:
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
            paired = pair([one, other], name, metric)
            if problem:
                yield names | {"problem": problem}, None
            elif not paired.ids:
                problem_there = "no sample scored in both"
                yield names | {"n": 0, "left_out": paired.left_out, "problem": problem_there}, None
            else:
                yield names, _judged(a.record.task, name, metric, paired)


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


def _judged(task: str, name: str, metric: Metric, paired: Paired) -> Judged:
    first, second = paired.vectors
    seen = metric_difference(metric, second, first, paired.clusters)
    value_a, value_b = values_of(paired, metric).tolist()
    scale = unit_of(metric, value_a)
    share = Rules().margin_share(task, name, metric)
    lower_is_better = metric.definition.lower_is_better
    better = seen.negated() if lower_is_better else seen
    row = GateRow(
        "task",
        task,
        name,
        "undecided",
        n=seen.n,
        clusters=seen.clusters,
        lost=paired.left_out,
        baseline=value_a,
        value=value_b,
        difference=seen.difference,
        low=seen.low,
        high=seen.high,
        margin=share * scale,
        margin_share=share,
        p_value=seen.p_two_sided,
        lower_is_better=lower_is_better,
        method=seen.method,
    )
    return Judged(
        row,
        better,
        low=better.low,
        high=better.high,
        margin=share * scale,
        scale=scale,
        unit=metric.unit,
    )
