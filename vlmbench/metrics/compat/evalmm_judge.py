"""llm-jp-eval-mm's scores out of judges' replies, quirks included (commit 9f450a5, April 2026).

What is read is a judge's reply and not the model's answer: `vlmbench judge run --metrics` asks for
it in a prompt of ours, and `vlmbench metrics score` takes recorded replies.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vlmbench.metrics.base import Answer, metric, reproduces
from vlmbench.metrics.compat.text_failures import RAISED, unscored
from vlmbench.metrics.compat.text_judge import ScorePair, first_digit, json_scores, says_correct
from vlmbench.metrics.judge import CATEGORIES, by_category, in_category
from vlmbench.metrics.judge_prompts import DIGIT, RELATIVE, YES_NO
from vlmbench.records import MetricScore
from vlmbench.stats import Count, Floats

_REPOSITORY = "llm-jp/llm-jp-eval-mm at 9f450a5"
_UNREAD = ScorePair(-1, -1)
_SMALLEST = 0.01
_identity = reproduces("llm-jp-eval-mm@9f450a5")


def _ratios(totals: Floats) -> Floats:
    """100 times a mean over the reference's mean, of (…, 3) sums: replies, model, reference."""
    replies = np.maximum(totals[..., 0], 1.0)
    model, reference = totals[..., 1] / replies, totals[..., 2] / replies
    # A category without replies, or with the mean of nothing but failures, is skipped.
    known = (totals[..., 0] > 0) & (model != _UNREAD.model)
    return np.where(known, 100 * model / np.maximum(_SMALLEST, reference), 0.0)


def _overall(totals: Floats, n: Count) -> Floats:
    value: Floats = _ratios(by_category(totals)).sum(axis=-1) / len(CATEGORIES)
    return value


@metric(
    bounds=None,
    unit=100,
    source=f"{_REPOSITORY}, heron-bench",
    size=3 * len(CATEGORIES),
    combine=_overall,
    identity=_identity,
    judge_prompt=RELATIVE,
)
def heron_overall_rel(answer: Answer) -> MetricScore:
    """Heron-Bench's published number: percent of the reference's scores, higher is better.

    The mean of three ratios, for the categories conv, detail and complex of `meta.category`: 100
    times the mean score of the model over that of the reference answer, or over 0.01 if that is
    less. Normally from 10 to 1,000, without a fixed range. Always three: a category without
    replies, or whose mean is exactly -1, counts as 0. Other categories don't count. Replies as
    in heron_score; a reply that can't be read puts -1 into both means, and where the original
    would end with an exception (a score of null, "8/10", NaN) the reply is unscored.
    """
    if "category" not in answer.meta:
        return MetricScore(unscored="the sample has no meta.category")
    category = answer.meta["category"]
    if category not in CATEGORIES:
        return _score(answer, lambda pair: (0.0,) * (3 * len(CATEGORIES)))
    return _score(answer, lambda pair: in_category(category, 1.0, *map(float, pair)))


@metric(
    bounds=None,
    unit=100,
    source=f"{_REPOSITORY}, heron-bench",
    size=3,
    combine=lambda totals, n: _ratios(totals),
    identity=_identity,
    judge_prompt=RELATIVE,
)
def heron_rel(answer: Answer) -> MetricScore:
    """Percent of the reference's scores over all replies, higher is better; slice by category.

    The ratio of heron_overall_rel for all replies at hand, so that a slice of `meta.category` is
    the harness's conv_rel, detail_rel or complex_rel. No fixed range; no reply is left out.
    """
    return _score(answer, lambda pair: (1.0, *map(float, pair)))


@metric(
    bounds=None,
    unit=9,
    source=f"{_REPOSITORY}, heron-bench",
    identity=_identity,
    judge_prompt=RELATIVE,
)
def heron_score(answer: Answer) -> MetricScore:
    """Mean of the judge's scores of the model, meant to be from 1 to 10, higher is better.

    From the first JSON object with `score` and `score_gpt`: in a ```json fence if there is any,
    else between a { and the next }. Decimals are cut off, and any number is accepted: 0, 85, true.
    A reply that can't be read counts as -1, and `extracted` is empty.
    """
    return _score(answer, lambda pair: (float(pair.model),))


@metric(
    bounds=(0, 9), source=f"{_REPOSITORY}, llm-as-a-judge", identity=_identity, judge_prompt=DIGIT
)
def llm_as_a_judge(answer: Answer) -> MetricScore:
    """Mean of the judge's grades, meant to be from 1 to 5, higher is better.

    The first digit of the reply, whatever it belongs to: 10 is 1, 5点満点中3点 is 5; so values
    are from 0 to 9. Without a digit the grade is 0, and `extracted` is empty.
    """
    digit = first_digit(answer.prediction)
    return MetricScore((float(digit or 0),), extracted=None if digit is None else str(digit))


@metric(source=f"{_REPOSITORY}, jawildtext-board-vqa", identity=_identity, judge_prompt=YES_NO)
def board_vqa(answer: Answer) -> MetricScore:
    """Share of replies that say "correct: yes", from 0 to 1, higher is better.

    The first "correct:" with yes or no behind it decides, even inside "incorrect: yes". A reply
    without it counts as no, and `extracted` is empty.
    """
    correct = says_correct(answer.prediction)
    extracted = None if correct is None else ("yes" if correct else "no")
    return MetricScore((float(bool(correct)),), extracted=extracted)


def _score(answer: Answer, vector: Callable[[ScorePair], tuple[float, ...]]) -> MetricScore:
    """The vector of the reply's two scores; unscored where the original raises."""
    try:
        pair = json_scores(answer.prediction)
        extracted = None if pair is None else f"{pair.model} / {pair.reference}"
        return MetricScore(vector(pair or _UNREAD), extracted=extracted)
    except RAISED as problem:
        return unscored(problem)
