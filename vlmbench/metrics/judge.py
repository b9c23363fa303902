"""Verdicts of a judge model, read strictly: what is not exactly the form is no verdict.

`vlmbench judge run RUNS --judge MODEL` asks the judge; these functions read its reply, which stands
where the answer stands in other metrics. docs/judges.md says how judges are asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlmbench.metrics.base import Answer, metric
from vlmbench.metrics.judge_prompt import JudgePrompt, read_json
from vlmbench.metrics.judge_prompts import CORRECT, PAIRWISE, RELATIVE, RUBRIC
from vlmbench.records import MetricScore, Scalar
from vlmbench.stats import Count, Floats

CATEGORIES = ("conv", "detail", "complex")
"""The kinds of questions of Heron-Bench and LLaVA-Bench."""

_UNREADABLE = "the judge's reply is not of the form that was asked for"


def _read(judge_prompt: JudgePrompt, answer: Answer) -> dict[str, Any] | None:
    assert judge_prompt.schema is not None
    return read_json(answer.prediction, judge_prompt.schema)


def in_category(category: Scalar, *numbers: float) -> tuple[float, ...]:
    """A vector for all categories with the numbers in the place of one, and zeros elsewhere."""
    vector = [0.0] * (len(numbers) * len(CATEGORIES))
    start = len(numbers) * CATEGORIES.index(str(category))
    vector[start : start + len(numbers)] = numbers
    return tuple(vector)


def by_category(totals: Floats) -> Floats:
    """Sums of such vectors with an axis for the categories: (..., categories, numbers)."""
    return totals.reshape(*totals.shape[:-1], len(CATEGORIES), -1)


def mean_ratio(model: Floats, reference: Floats, present: NDArray[np.bool_]) -> Floats:
    """100 times the model's sum over the reference's, the mean of the categories present."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(present, 100 * model / np.where(present, reference, 1.0), 0.0)
    value: Floats = ratios.sum(axis=-1) / np.maximum(present.sum(axis=-1), 1)
    return value


def _heron_value(totals: Floats, n: Count) -> Floats:
    model, reference = np.moveaxis(by_category(totals), -1, 0)
    return mean_ratio(model, reference, reference > 0)


def _heron_extremes(
    meta: Mapping[str, Scalar],
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    category = meta.get("category")
    if category not in CATEGORIES:
        return None
    return in_category(category, 1, 10), in_category(category, 10, 1)


@metric(
    bounds=(10, 1000),
    unit=100,
    source="after Heron-Bench (Inoue et al. 2024); failures are left out and not -1",
    size=2 * len(CATEGORIES),
    combine=_heron_value,
    judge_prompt=RELATIVE,
    extremes=_heron_extremes,
)
def heron(answer: Answer) -> MetricScore:
    """Percent of the reference answer's grade that the model's answers get, higher is better.

    The judge grades both answers of a sample from 1 to 10. For each category of `meta.category`
    (conv, detail, complex) 100 times the sum of the model's grades over the sum of the
    reference's; the value is the mean of the categories that have a grade, and a slice by
    category is that category's ratio. From 10 to 1,000; 100 is as good as the reference. A reply
    that cannot be read leaves the sample out of both sums, is counted, and widens the bounds.
    """
    category = answer.meta.get("category")
    if category not in CATEGORIES:
        return MetricScore(unscored=f"meta.category is {category!r}, none of Heron-Bench's")
    found = _read(RELATIVE, answer)
    if found is None:
        return MetricScore(unscored=_UNREADABLE)
    model, reference = found["score"], found["score_gpt"]
    return MetricScore(in_category(category, model, reference), None, f"{model} / {reference}")


@metric(bounds=(1, 5), source="ours: a rubric of five grades", judge_prompt=RUBRIC)
def rubric(answer: Answer) -> MetricScore:
    """Mean grade of the answers beside the references, from 1 to 5, higher is better.

    5 says the same as the reference, 1 is wrong or no answer. A reply that cannot be read is no
    grade: the sample is left out, counted, and widens the bounds.
    """
    found = _read(RUBRIC, answer)
    if found is None:
        return MetricScore(unscored=_UNREADABLE)
    return MetricScore((float(found["score"]),), None, str(found["score"]))


@metric(source="ours: right or wrong by the reference", judge_prompt=CORRECT)
def correct(answer: Answer) -> MetricScore:
    """Share of answers that the judge takes for right, from 0 to 1, higher is better.

    For short answers: right is what means the same as one of the references. A reply that cannot
    be read is no verdict: the sample is left out, counted, and widens the bounds.
    """
    found = _read(CORRECT, answer)
    if found is None:
        return MetricScore(unscored=_UNREADABLE)
    return MetricScore((float(found["verdict"] == "correct"),), None, found["verdict"])


@metric(source="ours: the better of two answers", judge_prompt=PAIRWISE)
def pairwise(answer: Answer) -> MetricScore:
    """Preference for the answer that was shown first, from 0 to 1, higher is better for it.

    1 for the first, 0 for the second, 0.5 for a tie. `vlmbench judge pairwise` asks in both
    orders, so that the place of an answer cancels out, and says how much it mattered.
    """
    found = _read(PAIRWISE, answer)
    if found is None:
        return MetricScore(unscored=_UNREADABLE)
    value = {"1": 1.0, "2": 0.0, "tie": 0.5}[found["better"]]
    return MetricScore((value,), None, found["better"])
