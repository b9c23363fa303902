"""Scoring that survives a metric's own failure: it costs one answer, never the run."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vlmbench.errors import VlmbenchError
from vlmbench.metrics.base import Answer, Metric
from vlmbench.records import MetricScore


def score_all(metric: Metric, answers: Sequence[Answer]) -> Sequence[MetricScore]:
    """`metric.score_all`, with an answer on which the metric fails left unscored, with the reason.

    Raises:
        VlmbenchError: What is wrong with the data or the installation, not with one answer.
    """
    try:
        scores = metric.score_all(answers)
    except VlmbenchError:
        raise
    except Exception as error:  # ours or a plugin's bug, at one of these answers
        if len(answers) > 1:
            return [one for answer in answers for one in score_all(metric, [answer])]
        return [MetricScore(unscored=f"{metric.name} failed ({_reason(error)})")]
    if isinstance(scores, list):
        return [_finite(metric, one) for one in scores]
    return scores


def _finite(metric: Metric, score: MetricScore) -> MetricScore:
    if all(map(math.isfinite, score.vector or ())):
        return score
    return MetricScore(unscored=f"{metric.name} gave a value that is no number")


def _reason(error: Exception) -> str:
    text = str(error).split("\n")[0][:160].rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
