"""Does a model choose the same option wherever it stands, or the same place whatever stands there?

Every question is asked once with each of its options in front, so each option, and the right one
too, stands once in every place. What the model chose is what `match.choice` read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vlmbench.compare.paired_runs import RESAMPLES, Scored, headline_metrics, metric_frame
from vlmbench.stats import (
    Floats,
    Interval,
    percentile_interval,
    proportion_interval,
    resampled_totals,
    share_interval,
)
from vlmbench.tasks.variants.options import original_position
from vlmbench.text.option_mentions import LETTERS

CHOICE = "match.choice"


@dataclass(frozen=True, slots=True)
class Place:
    """How often one place was chosen, and how often the right option stood there."""

    letter: str
    chosen: float
    """Share of the choices that could be read."""
    right: float
    """Share of the right options."""
    low: float
    """Ends of the interval of `chosen` minus `right`, at 95 % for all places together
    (Bonferroni): one that leaves out 0 is a bias."""
    high: float

    @property
    def excess(self) -> float:
        """`chosen` minus `right`: above 0 the place is preferred."""
        return self.chosen - self.right

    @property
    def biased(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class RotationBias:
    """A multiple-choice metric over all rotations of the options."""

    metric: str
    rotations: int
    """Orders that were asked, the task's own among them, of the questions with most options."""
    accuracy: Interval | None
    """Mean over the rotations of a question, then over questions."""
    consistency: Interval | None
    """Share of questions to which every rotation got the same option. Where one answer could not
    be read, the question is not consistent."""
    unread: float | None
    """Share of answers that could not be read as one option."""
    places: tuple[Place, ...]
    """Empty where no answer could be read."""
    n: int
    """Questions answered in all their rotations."""
    left_out: int
    """Questions that lack an answer or a score in some rotation."""


@dataclass(frozen=True, slots=True)
class _Question:
    """What was chosen in each rotation of a question: places from 0, None if unread."""

    chosen: tuple[int | None, ...]
    score: float

    @property
    def consistent(self) -> bool:
        count = len(self.chosen)
        options = {
            None if place is None else original_position(place, by=by, count=count)
            for by, place in enumerate(self.chosen)
        }
        return len(options) == 1 and None not in options


def rotation_biases(runs: Sequence[Scored]) -> list[RotationBias]:
    """Consistency, accuracy and position bias on every headline metric of options.

    Args:
        runs: Of all rotations of a task in order, from the plain run on.
    """
    metrics = headline_metrics(runs[0].record, use=CHOICE)
    return [_bias(runs, name) for name in metrics]


def _bias(runs: Sequence[Scored], name: str) -> RotationBias:
    questions, left_out = _questions(runs, name)
    n = len(questions)
    if not n:
        return RotationBias(name, len(runs), None, None, None, (), 0, left_out)
    seed = runs[0].record.seed
    same = sum(question.consistent for question in questions) / n
    places = [place for question in questions for place in question.chosen]
    return RotationBias(
        metric=name,
        rotations=len(runs),
        accuracy=_accuracy(questions, seed),
        consistency=Interval(same, *proportion_interval(same, n)),
        unread=places.count(None) / len(places),
        places=_places(questions, len(runs), seed),
        n=n,
        left_out=left_out,
    )


def _questions(runs: Sequence[Scored], name: str) -> tuple[list[_Question], int]:
    """The questions with at least two options that every rotation has a score for."""
    frames = [metric_frame(run.rows, name) for run in runs]
    both = pd.concat(frames, axis=1, keys=range(len(frames))).loc[frames[0].index]
    both = both[both[0, "concerned"] == True]  # noqa: E712  # missing is neither
    found: list[_Question] = []
    left_out = 0
    for _, row in both.iterrows():
        # A question with few options is asked in few rotations.
        asked = [row[run] for run in range(len(runs)) if isinstance(row[run, "key"], str)]
        if len(asked) < 2:
            continue
        vectors = [one["vector"] for one in asked if isinstance(one["vector"], tuple)]
        if len(vectors) < len(asked):
            left_out += 1
            continue
        score = sum(vector[0] for vector in vectors) / len(vectors)
        found.append(_Question(tuple(_place(one["read"]) for one in asked), score))
    return found, left_out


def _place(letter: str | None) -> int | None:
    return LETTERS.index(letter) if letter else None


def _accuracy(questions: Sequence[_Question], seed: int) -> Interval:
    scores = np.array([question.score for question in questions])
    return share_interval(scores, resamples=RESAMPLES, seed=seed)


def _places(questions: Sequence[_Question], count: int, seed: int) -> tuple[Place, ...]:
    chosen, right = np.zeros((2, len(questions), count))
    for row, question in enumerate(questions):
        right[row, : len(question.chosen)] = 1
        for place in question.chosen:
            if place is not None:
                chosen[row, place] += 1
    if not chosen.any():
        return ()
    totals = resampled_totals(np.hstack([chosen, right]), resamples=RESAMPLES, seed=seed)
    excess = _shares(totals[:, :count]) - _shares(totals[:, count:])
    level = 1 - 0.05 / count
    chosen_shares, right_shares = _shares(chosen.sum(axis=0)), _shares(right.sum(axis=0))
    return tuple(
        Place(
            LETTERS[place],
            float(chosen_shares[place]),
            float(right_shares[place]),
            *_excess_interval(excess[:, place], chosen_shares[place], len(questions), level),
        )
        for place in range(count)
    )


def _excess_interval(resampled: Floats, chosen: float, n: int, level: float) -> tuple[float, float]:
    """The percentile interval; where resampling closes it, Wilson's of the share of choices.

    A place that none of three questions chose was never seen otherwise, which is no proof.
    """
    low, high = percentile_interval(resampled, level=level)
    if high - low >= 1e-9:
        return low, high
    below, above = proportion_interval(float(chosen), n, level=level)
    return low - (chosen - below), high + (above - chosen)


def _shares(counts: Floats) -> Floats:
    total = counts.sum(axis=-1, keepdims=True)
    return np.asarray(counts / np.where(total > 0, total, 1))
