"""How much a score hangs on the wording of the prompt."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vlmbench.compare.paired_runs import (
    Paired,
    Scored,
    ends,
    headline_metrics,
    joint_draws,
    metric_difference,
    pair,
    values_of,
)
from vlmbench.metrics.base import Metric
from vlmbench.scoring.intervals import metric_interval
from vlmbench.stats import Floats, Interval, ValueInterval

OWN = "own"
"""What the task's own prompt is called among the paraphrases."""


@dataclass(frozen=True, slots=True)
class PromptSpread:
    """One headline metric under the task's own prompt and its paraphrases, on the same samples.

    The intervals of the values are the metric's own (`vlmbench.stats.estimates`). Those of what is
    computed from several come from resamples of the samples, the same ones for every prompt; where
    the prompts never differ they end where a difference that nobody saw would. A spread of noisy
    values is above 0 even where the wording makes no difference: read it beside the widths
    of the single values' intervals.
    """

    metric: str
    values: Mapping[str, Interval]
    """By prompt; the task's own first."""
    mean: Interval | None
    deviation: Interval | None
    """Standard deviation over the prompts, with one less than their number as divisor."""
    spread: Interval | None
    """Highest minus lowest value."""
    worst: str | None
    """The prompt with the worst value."""
    worst_value: Interval | None
    """The worst value of each resample, whichever prompt has it there."""
    n: int
    left_out: int
    """Samples that some prompt's run did not answer or could not score."""


def prompt_spreads(plain: Scored, others: Mapping[str, Scored]) -> list[PromptSpread]:
    """The spread of every headline metric over the task's own prompt and others by name."""
    runs = {OWN: plain, **others}
    return [_spread(runs, name, metric) for name, metric in headline_metrics(plain.record).items()]


def _spread(runs: Mapping[str, Scored], name: str, metric: Metric) -> PromptSpread:
    paired = pair([*runs.values()], name, metric)
    if not paired.ids:
        return PromptSpread(name, {}, None, None, None, None, None, 0, paired.left_out)
    values = values_of(paired, metric)
    draws = joint_draws(paired, metric, seed=runs[OWN].record.seed)
    worst = np.argmax(values) if metric.definition.lower_is_better else np.argmin(values)
    single = [metric_interval(metric, vectors, paired.clusters) for vectors in paired.vectors]
    unseen = 0.0 if np.ptp(draws, axis=0).any() else _unseen_spread(paired, metric)
    # k values within a range of r deviate from their mean by at most r * sqrt(k / (4 (k - 1))).
    most = math.sqrt(len(runs) / (4 * (len(runs) - 1)))
    return PromptSpread(
        metric=name,
        values={
            prompt: Interval(one.value, one.low, one.high)
            for prompt, one in zip(runs, single, strict=True)
        },
        mean=_mean(paired, metric, values, draws),
        deviation=_interval(values.std(ddof=1), draws.std(axis=0, ddof=1), most * unseen),
        spread=_interval(np.ptp(values), np.ptp(draws, axis=0), unseen),
        worst=[*runs][int(worst)],
        worst_value=_worst_value(single[int(worst)], metric, values, draws),
        n=len(paired.ids),
        left_out=paired.left_out,
    )


def _mean(paired: Paired, metric: Metric, values: Floats, draws: Floats) -> Interval:
    if not metric.is_mean:
        return _interval(values.mean(), draws.mean(axis=0))
    found = metric_interval(metric, np.mean(paired.vectors, axis=0), paired.clusters)
    return Interval(found.value, found.low, found.high)


def _worst_value(single: ValueInterval, metric: Metric, values: Floats, draws: Floats) -> Interval:
    """The worst of each resample, and at least as far from it as a single prompt's interval."""
    worst = np.max if metric.definition.lower_is_better else np.min
    found = _interval(worst(values), worst(draws, axis=0))
    return Interval(found.value, min(found.low, single.low), max(found.high, single.high))


def _unseen_spread(paired: Paired, metric: Metric) -> float:
    """How far apart two prompts may be that never differed."""
    first, second = paired.vectors[:2]
    return metric_difference(metric, first, second, paired.clusters).high


def _interval(value: float | np.floating[Any], draws: Floats, unseen: float = 0.0) -> Interval:
    low, high = ends(draws)
    return Interval(float(value), low, max(high, unseen))
