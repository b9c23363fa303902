"""How many samples it takes to see a difference: planning for the gate and for comparisons.

Two models answer the same n samples; the mean of the paired differences has the variance v / n. A
difference `effect` is seen (95 % interval without 0) with a probability of 80 % if

    n >= (z_0.975 + z_0.8)^2 * v / effect^2

v comes from two runs where there are two. For a metric of right and wrong it is otherwise the share
of samples on which the models disagree, less effect^2; shown for models that disagree on a tenth
and on three tenths of the samples.

Source: J. M. Lachin, Introduction to sample size determination and power analysis for clinical
trials, Controlled Clinical Trials 2 (1981).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

import pandas as pd

from vlmbench.compare.paired_runs import headline_metrics, pair, read_scored
from vlmbench.errors import UsageError
from vlmbench.metrics.base import Metric, load_metric
from vlmbench.runs.directory import find_runs
from vlmbench.tasks.samples import sample_count
from vlmbench.tasks.spec import TaskSpec

DISAGREEMENT = {"models that differ on 10 %": 0.1, "models that differ on 30 %": 0.3}
POWER, LEVEL = 0.8, 0.95

POWER_COLUMNS = ("task", "metric", "assumed", "samples", "needed", "smallest_effect")


def power_table(
    tasks: Sequence[TaskSpec], effect: float, *, pilot: Sequence[Path] = ()
) -> pd.DataFrame:
    """Samples that it takes to see a difference on each headline metric.

    Args:
        effect: The difference in the unit of the metric, above 0.
        pilot: Runs of two models on the tasks; without them nothing can be said of a metric that
            is not of right and wrong.

    Returns:
        A row a task, metric and assumption: `samples` the task has (missing where that is not
        known without reading it), `needed` ones for a power of 80 %, and the `smallest_effect`
        that is seen as often with the samples there are.

    Raises:
        UsageError: The effect is not above 0, or the pilot runs are not of two models.
    """
    if not effect > 0:
        raise UsageError(f"The effect is {effect}; give the difference to be seen, above 0.")
    variances = _pilot_variances(pilot)
    rows = [
        _row(task, key, assumed, variance, effect)
        for task in tasks
        for key in task.headlines
        for assumed, variance in variances.get((task.name, key), _assumed(task, key, effect))
    ]
    return pd.DataFrame(rows, columns=list(POWER_COLUMNS))


def needed_samples(variance: float, effect: float) -> int:
    """The n of the formula above."""
    return max(2, math.ceil(_factor() ** 2 * variance / effect**2))


def _factor() -> float:
    normal = NormalDist()
    return normal.inv_cdf((1 + LEVEL) / 2) + normal.inv_cdf(POWER)


def _row(
    task: TaskSpec, key: str, assumed: str, variance: float | None, effect: float
) -> dict[str, Any]:
    count = sample_count(task)
    row: dict[str, Any] = {
        "task": task.name,
        "metric": key,
        "assumed": assumed,
        "samples": count,
    }
    if variance is not None:
        row["needed"] = needed_samples(variance, effect)
        row["smallest_effect"] = _factor() * math.sqrt(variance / count) if count else None
    return row


def _assumed(task: TaskSpec, key: str, effect: float) -> Iterator[tuple[str, float | None]]:
    use = next(one for one in task.metrics if one.key == key)
    metric = load_metric(use.use, use.options)
    if not _is_right_or_wrong(metric):
        yield "not known without --pilot", None
        return
    for text, share in DISAGREEMENT.items():
        yield text, max(share, effect) - effect**2


def _is_right_or_wrong(metric: Metric) -> bool:
    return metric.name.startswith("match.") and metric.is_mean and metric.bounds == (0, 1)


def _pilot_variances(paths: Sequence[Path]) -> dict[tuple[str, str], list[tuple[str, float]]]:
    """By task and metric the variance of the paired differences of two models."""
    scored = [read_scored(run) for run in find_runs(paths)] if paths else []
    runs = [one for one in scored if one.record.variant is None]
    models = list(dict.fromkeys(one.record.model for one in runs))
    if runs and len(models) != 2:
        raise UsageError(
            f"The pilot runs are of {len(models)} models ({', '.join(models)}); give those of two."
        )
    found: dict[tuple[str, str], list[tuple[str, float]]] = {}
    for first in (one for one in runs if one.record.model == models[0]):
        task = first.record.task
        second = next((r for r in runs if r.record.task == task and r is not first), None)
        for name, metric in headline_metrics(first.record).items():
            if second is None or not metric.is_mean:
                continue
            paired = pair([first, second], name, metric)
            if len(paired.ids) > 1:
                differences = paired.vectors[1][:, 0] - paired.vectors[0][:, 0]
                text = f"as {models[0]} and {models[1]}, n = {len(paired.ids)}"
                found[task, name] = [(text, float(differences.var(ddof=1)))]
    return found
