"""A metric that raises costs one answer and never the run."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from vlmbench.errors import DataError
from vlmbench.metrics.base import Answer, load_metric
from vlmbench.metrics.guarded import score_all
from vlmbench.records import MetricScore


def raising(answer: Answer, **options: Any) -> float:
    if answer.prediction == "bad":
        raise IndexError("no such\nplace")
    return float("nan") if answer.prediction == "nan" else 1.0


def raising_at_once(answers: list[Answer], **options: Any) -> list[MetricScore]:
    return [MetricScore((raising(answer),)) for answer in answers]


@pytest.mark.parametrize("batched", [False, True])
def test_the_others_keep_their_scores(batched: bool) -> None:
    function = raising_at_once if batched else raising
    metric = load_metric("match.exact")
    definition = dataclasses.replace(metric.definition, function=function, batched=batched)
    metric = dataclasses.replace(metric, definition=definition)
    answers = [Answer(text, ("x",)) for text in ("good", "bad", "nan", "good")]
    good, bad, nan, last = score_all(metric, answers)
    assert good == last == MetricScore((1.0,))
    assert bad == MetricScore(unscored="match.exact failed (IndexError: no such)")
    assert nan == MetricScore(unscored="match.exact gave a value that is no number")
    with pytest.raises(DataError, match="without any reference"):
        score_all(metric, [Answer("good", ())])
