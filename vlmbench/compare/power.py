"""How many samples it takes: planning for the gate and for comparisons.

Two models answer the same n samples, and the paired differences have a standard deviation sd. From
it follow the samples that show a difference `effect` four times of five (a 95 % interval without
0), the smallest effect that the task's samples show as often, and the smallest margin at which the
gate passes an equally good model as often; `stats.planning` says how.

sd comes from runs where there are some. Of two models it is that of their differences, with what
questions about one image add. Of one model it is that of its scores, for another model whose scores
correlate with them by so much. Without a run, of a metric of right and wrong, it follows from the
share of samples on which two models disagree.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from vlmbench.compare.gate.rules import on_free_scale, unit_of
from vlmbench.compare.paired_runs import (
    Scored,
    headline_metrics,
    metric_difference,
    pair,
    read_scored,
    values_of,
)
from vlmbench.errors import UsageError
from vlmbench.metrics.base import Metric, load_metric
from vlmbench.runs.directory import find_runs
from vlmbench.stats import clusters, effect_at, margin_at, samples_for_effect
from vlmbench.tasks.samples import sample_count
from vlmbench.tasks.spec import TaskSpec

DISAGREEMENT = {"models that differ on 10 %": 0.1, "models that differ on 30 %": 0.3}
CORRELATION = (0.9, 0.5)

POWER_COLUMNS = ("task", "metric", "assumed", "samples", "needed", "smallest_effect", "margin")


def power_table(
    tasks: Sequence[TaskSpec], effect: float, *, pilot: Sequence[Path] = ()
) -> pd.DataFrame:
    """Samples that it takes to see a difference on each headline metric.

    Args:
        effect: The difference in the unit of the metric, above 0.
        pilot: Runs of one model or two on the tasks; without them nothing can be said of a metric
            that is not of right and wrong.

    Returns:
        A row a task, metric and assumption: `samples` the task has (missing where that is not
        known without reading it), `needed` ones to see the effect, the `smallest_effect` that the
        samples there are show, and the smallest `margin` that they decide, as a share as the gate
        takes it (missing where that is of a value that nothing is known of); each with a
        probability of 80 %.

    Raises:
        UsageError: The effect is not above 0 or beyond a metric's range, or the pilot runs are of
            more than two models.
    """
    if not (effect > 0 and math.isfinite(effect)):
        raise UsageError(f"The effect is {effect}; give the difference to be seen, above 0.")
    headlines = [(task, *headline) for task in tasks for headline in _headlines(task)]
    for task, key, metric in headlines:
        if metric.bounds and effect > metric.bounds[1] - metric.bounds[0]:
            raise UsageError(
                f"The effect is {effect:g}, and {key} of {task.name} goes from "
                f"{metric.bounds[0]:g} to {metric.bounds[1]:g}; give the difference in its unit."
            )
    known = _pilot_spreads(pilot)
    rows = [
        _row(task, key, metric, assumed, effect)
        for task, key, metric in headlines
        for assumed in known.get((task.name, key), _assumed(metric, effect))
    ]
    return pd.DataFrame(rows, columns=list(POWER_COLUMNS))


def _headlines(task: TaskSpec) -> Iterator[tuple[str, Metric]]:
    for key in task.headlines:
        use = next(one for one in task.metrics if one.key == key)
        yield key, load_metric(use.use, use.options)


@dataclass(frozen=True, slots=True)
class _Assumed:
    """How much two models differ."""

    text: str
    sd: float | None
    value: float | None = None
    """Of the pilot on the metric."""


def _row(
    task: TaskSpec, key: str, metric: Metric, assumed: _Assumed, effect: float
) -> dict[str, Any]:
    count, sd = sample_count(task), assumed.sd
    row: dict[str, Any] = {
        "task": task.name,
        "metric": key,
        "assumed": assumed.text,
        "samples": count,
    }
    if sd is not None:
        row["needed"] = samples_for_effect(effect, sd, scale=metric.unit)
        if count:
            row["smallest_effect"] = effect_at(count, sd, scale=metric.unit)
            if not on_free_scale(metric) or assumed.value:
                full = unit_of(metric, assumed.value or 0.0)
                row["margin"] = margin_at(count, sd, scale=metric.unit) / full
    return row


def _assumed(metric: Metric, effect: float) -> Iterator[_Assumed]:
    if not _is_right_or_wrong(metric):
        yield _Assumed("not known without --pilot", None)
        return
    for text, share in DISAGREEMENT.items():
        yield _Assumed(text, math.sqrt(max(share, effect) - effect**2))


def _is_right_or_wrong(metric: Metric) -> bool:
    return metric.name.startswith("match.") and metric.is_mean and metric.bounds == (0, 1)


def _pilot_spreads(paths: Sequence[Path]) -> dict[tuple[str, str], list[_Assumed]]:
    """By task and metric: what is assumed, and the standard deviation of a sample's difference."""
    scored = [read_scored(run) for run in find_runs(paths)] if paths else []
    runs = [one for one in scored if one.record.variant is None]
    models = list(dict.fromkeys(one.record.model for one in runs))
    if len(models) > 2:
        raise UsageError(
            f"The pilot runs are of {len(models)} models ({', '.join(models)}); give those of one "
            "or two."
        )
    found: dict[tuple[str, str], list[_Assumed]] = {}
    for first in (one for one in runs if one.record.model == models[0]):
        task = first.record.task
        second = next((r for r in runs if r.record.task == task and r is not first), None)
        for name, metric in headline_metrics(first.record).items():
            spreads = (
                _of_one(first, name, metric)
                if second is None
                else _of_two(first, second, name, metric)
            )
            if spreads:
                found[task, name] = spreads
    return found


def _of_two(first: Scored, second: Scored, name: str, metric: Metric) -> list[_Assumed]:
    paired = pair([first, second], name, metric)
    if len(paired.ids) < 2:
        return []
    old, new = paired.vectors
    sd = metric_difference(metric, new, old, paired.clusters).sd
    models = f"{first.record.model} and {second.record.model}"
    value = float(values_of(paired, metric)[0])
    return [_Assumed(f"as {models}, n = {len(paired.ids)}", sd, value)]


def _of_one(first: Scored, name: str, metric: Metric) -> list[_Assumed]:
    """Two models with the spread s of this one's scores differ by s * sqrt(2 (1 - r))."""
    alone = pair([first], name, metric)
    n = len(alone.ids)
    if n < 2:
        return []
    data = clusters.clustered(alone.vectors[0], alone.clusters)
    parts = clusters.influences(data, metric.definition.combine)
    spread = float(parts.std(ddof=1)) * math.sqrt(n / len(data))
    return [
        _Assumed(
            f"scores as {first.record.model}'s (n = {n}), correlation {correlation:g}",
            spread * math.sqrt(2 * (1 - correlation)),
            float(values_of(alone, metric)[0]),
        )
        for correlation in CORRELATION
    ]
