"""Whether a judge can be trusted: what it could not say, and what its grades go along with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vlmbench.data import load_samples
from vlmbench.derive import restored
from vlmbench.judges.agreement import krippendorff_alpha, rank_correlation
from vlmbench.judges.requests import case_of
from vlmbench.judges.scores import JudgedMetric, read_judges
from vlmbench.metrics.base import Metric
from vlmbench.records import MetricScore
from vlmbench.runs import RunDir
from vlmbench.stats import Interval, value_of


@dataclass(frozen=True, slots=True)
class JudgeCheck:
    """What one judge's verdicts on one metric are like."""

    model: str
    task: str
    metric: str
    answers: int
    """Answers that the metric is for."""
    unscored: int
    """Those without any verdict that can be read."""
    verbosity: Interval | None = None
    """Spearman's correlation of an answer's score with its length in characters."""
    consistency: Interval | None = None
    """Krippendorff's alpha (interval) among several replies to the same prompt."""


def check_judge(
    directory: RunDir, judge: str, *, verbosity: bool = False, seed: int = 0
) -> list[JudgeCheck]:
    """Look at all verdicts of a judge about a run.

    Args:
        directory: The run's.
        judge: The judge's name.
        verbosity: Whether to correlate scores with lengths.
        seed: Of the bootstrap.

    Raises:
        VlmbenchError: See `derive.restored` and `read_judges`.
    """
    content, task = restored(directory)
    metrics = [
        m for one in read_judges(directory.path, task) if one.name == judge for m in one.metrics
    ]
    limit = content.sessions[-1].limit if content.sessions else None
    lengths: dict[str, list[int]] = {one.scored.id: [] for one in metrics}
    verdicts: dict[str, list[list[MetricScore]]] = {one.scored.id: [] for one in metrics}
    for sample in load_samples(task, limit=limit, images=False):
        response = content.responses.get(sample.id)
        if response is None or response.text is None:
            continue
        case = case_of(task, sample, response.text)
        for one in metrics:
            if one.scored.applies(sample.meta):
                lengths[one.scored.id].append(len(response.text))
                verdicts[one.scored.id].append(one.verdicts(sample, case))
    return [
        _check(
            *(content.header.model["name"], task.name, one),
            *(verdicts[one.scored.id], lengths[one.scored.id]),
            verbosity=verbosity,
            seed=seed,
        )
        for one in metrics
    ]


def _check(
    model: str,
    task: str,
    judged: JudgedMetric,
    verdicts: Sequence[Sequence[MetricScore]],
    lengths: Sequence[int],
    *,
    verbosity: bool,
    seed: int,
) -> JudgeCheck:
    metric = judged.scored.metric
    values = [[_value(metric, one) for one in several] for several in verdicts]
    known = [[value for value in several if value is not None] for several in values]
    pairs = [(float(np.mean(k)), length) for k, length in zip(known, lengths, strict=True) if k]
    return JudgeCheck(
        model,
        task,
        judged.scored.id,
        answers=len(verdicts),
        unscored=sum(not one for one in known),
        verbosity=(
            rank_correlation([p[0] for p in pairs], [p[1] for p in pairs], seed=seed)
            if verbosity and pairs
            else None
        ),
        consistency=(
            krippendorff_alpha(values, level="interval", seed=seed)
            if judged.settings.samples > 1
            else None
        ),
    )


def _value(metric: Metric, score: MetricScore) -> float | None:
    """A verdict as a number: what the metric comes to on this answer alone."""
    if score.vector is None:
        return None
    return value_of(np.array([score.vector]), metric.combine)
