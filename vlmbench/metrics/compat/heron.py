"""Heron-Bench's own script for judges' replies, quirks included (turingmotors/heron at 883cd7c).

What is read is a judge's reply and not the model's answer: `vlmbench judge run --metrics` asks for
it in a prompt of ours, and `vlmbench metrics score` takes recorded replies.
"""

from __future__ import annotations

import math

import numpy as np

from vlmbench.metrics.base import Answer, metric, reproduces
from vlmbench.metrics.compat.text_judge import ScorePair, pair_of_numbers
from vlmbench.metrics.judge import CATEGORIES, by_category, in_category, mean_ratio
from vlmbench.metrics.judge_prompts import TWO_NUMBERS
from vlmbench.records import MetricScore
from vlmbench.stats import Count, Floats

_UNREAD = ScorePair(-1, -1)
_identity = reproduces("heron@883cd7c")


def _value(totals: Floats, n: Count) -> Floats:
    replies, model, reference = np.moveaxis(by_category(totals), -1, 0)
    return mean_ratio(model, reference, replies > 0)


@metric(
    bounds=None,
    unit=100,
    source="turingmotors/heron at 883cd7c, heron/eval/eval_heron_bench.py",
    size=3 * len(CATEGORIES),
    combine=_value,
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
    if category not in CATEGORIES:
        return MetricScore(unscored=f"meta.category is {category!r}, none of Heron-Bench's")
    pair = pair_of_numbers(answer.prediction)
    model, reference = pair or _UNREAD
    if not (math.isfinite(model) and math.isfinite(reference)):
        return MetricScore(unscored="a score is not finite")
    vector = in_category(category, 1.0, model, reference)
    return MetricScore(vector, extracted=pair and f"{reference:g} {model:g}")
