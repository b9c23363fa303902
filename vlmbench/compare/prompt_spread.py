"""How much a score hangs on the wording of the prompt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vlmbench.compare.paired_runs import (
    Scored,
    ends,
    headline_metrics,
    joint_draws,
    pair,
    values_of,
)
from vlmbench.metrics.base import Metric
from vlmbench.stats import Floats, Interval

OWN = "own"
"""What the task's own prompt is called among the paraphrases."""


@dataclass(frozen=True, slots=True)
class PromptSpread:
    """One headline metric under the task's own prompt and its paraphrases, on the same samples.

    All intervals come from resamples of the samples, the same ones for every prompt. A spread of
    noisy values is above 0 even where the wording makes no difference: read it beside the widths
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
    worst = np.max if metric.definition.lower_is_better else np.min
    return PromptSpread(
        metric=name,
        values={
            prompt: _interval(value, row)
            for prompt, value, row in zip(runs, values.tolist(), draws, strict=True)
        },
        mean=_interval(values.mean(), draws.mean(axis=0)),
        deviation=_interval(values.std(ddof=1), draws.std(axis=0, ddof=1)),
        spread=_interval(np.ptp(values), np.ptp(draws, axis=0)),
        worst=[*runs][
            int(values.argmax() if metric.definition.lower_is_better else values.argmin())
        ],
        worst_value=_interval(worst(values), worst(draws, axis=0)),
        n=len(paired.ids),
        left_out=paired.left_out,
    )


def _interval(value: float | np.floating[Any], draws: Floats) -> Interval:
    return Interval(float(value), *ends(draws))
