"""Heron-Bench's own script for judges' replies, quirks included (turingmotors/heron at 883cd7c).

What is read is a judge's reply and not the model's answer: `vlmbench judge run --metrics` asks for
it in a prompt of ours, and `vlmbench metrics score` takes recorded replies.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from vlmbench.metrics.base import Answer, metric
from vlmbench.metrics.compat.text_judge import ScorePair, pair_of_numbers
from vlmbench.metrics.judge_prompts import TWO_NUMBERS
from vlmbench.records import MetricScore, Scalar
from vlmbench.stats import Floats

_CATEGORIES = ("conv", "detail", "complex")
_UNREAD = ScorePair(-1, -1)


def _identity(options: Mapping[str, Scalar]) -> Sequence[str]:
    return ["ref:heron@883cd7c"]


def _mean_of_categories(totals: Floats, n: int) -> Floats:
    """Mean over the categories that have replies of 100 * model / reference."""
    categories = totals.reshape(*totals.shape[:-1], len(_CATEGORIES), 3)
    present = categories[..., 0] > 0
    model, reference = categories[..., 1], categories[..., 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(present, 100 * model / np.where(present, reference, 1.0), 0.0)
    value: Floats = ratios.sum(axis=-1) / np.maximum(present.sum(axis=-1), 1)
    return value


@metric(
    bounds=None,
    compares="own",
    source="turingmotors/heron at 883cd7c, heron/eval/eval_heron_bench.py",
    size=3 * len(_CATEGORIES),
    combine=_mean_of_categories,
    identity=_identity,
    judge_prompt=TWO_NUMBERS,
)
def relative(answer: Answer) -> MetricScore:
    """Percent of the reference's scores, the mean of three categories, higher is better.

    For each category of `meta.category` (conv, detail, complex) 100 times the sum of the model's
    scores over that of the reference's; a slice by category is that category's ratio. Normally
    from 10 to 1,000, without a fixed range. The reply's first line must be two numbers with one
    space or comma between them and nothing else, the reference's first: "8, 7" or a space at
    the end can't be read. Such a reply puts -1 into both sums, and `extracted` is empty. Infinite
    numbers are unscored.
    """
    category = answer.meta.get("category")
    if category not in _CATEGORIES:
        return MetricScore(unscored=f"meta.category is {category!r}, none of Heron-Bench's")
    pair = pair_of_numbers(answer.prediction)
    model, reference = pair or _UNREAD
    if not (math.isfinite(model) and math.isfinite(reference)):
        return MetricScore(unscored="a score is not finite")
    vector = [0.0] * (3 * len(_CATEGORIES))
    start = 3 * _CATEGORIES.index(str(category))
    vector[start : start + 3] = [1.0, model, reference]
    return MetricScore(tuple(vector), extracted=pair and f"{reference:g} {model:g}")
