"""Does a model choose the same option wherever it stands, or the same place whatever stands there?

Every question is asked once with each of its options in front, so each option, and the right one
too, stands once in every place. What the model chose is what `match.choice` read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vlmbench.compare.paired_runs import Scored, headline_metrics, metric_frame
from vlmbench.stats import (
    UNREAD,
    Count,
    Floats,
    Interval,
    paired_difference,
    position_p_values,
    share_interval,
    value_of,
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
    (Bonferroni)."""
    high: float
    p_value: float
    """Of the hypothesis that places do not matter, for all places together."""

    @property
    def excess(self) -> float:
        """`chosen` minus `right`: above 0 the place is preferred."""
        return self.chosen - self.right

    @property
    def biased(self) -> bool:
        """Whether chance does this to any place in fewer than 5 of 100 models without a bias."""
        return self.p_value <= 0.05


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
    cluster: str

    @property
    def options(self) -> tuple[int, ...]:
        """The option chosen in each rotation, by its number without one; or UNREAD."""
        count = len(self.chosen)
        return tuple(
            UNREAD if place is None else original_position(place, by=by, count=count)
            for by, place in enumerate(self.chosen)
        )

    @property
    def consistent(self) -> bool:
        options = {*self.options}
        return len(options) == 1 and UNREAD not in options


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
    clusters = [question.cluster for question in questions]
    same = np.array([float(question.consistent) for question in questions])
    scores = np.array([question.score for question in questions])
    places = [place for question in questions for place in question.chosen]
    return RotationBias(
        metric=name,
        rotations=len(runs),
        accuracy=share_interval(scores, clusters=clusters),
        consistency=share_interval(same, clusters=clusters),
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
        places = tuple(_place(one["read"]) for one in asked)
        found.append(_Question(places, score, str(row[0, "cluster"])))
    return found, left_out


def _place(letter: str | None) -> int | None:
    return LETTERS.index(letter) if letter else None


def _places(questions: Sequence[_Question], count: int, seed: int) -> tuple[Place, ...]:
    chosen, right = np.zeros((2, len(questions), count))
    for row, question in enumerate(questions):
        right[row, : len(question.chosen)] = 1
        for place in question.chosen:
            if place is not None:
                chosen[row, place] += 1
    if not chosen.any():
        return ()
    p_values = position_p_values([question.options for question in questions], seed=seed)
    shares = [
        [np.stack([of[:, place], of.sum(axis=1)], axis=1) for of in (chosen, right)]
        for place in range(count)
    ]
    return tuple(
        Place(
            letter,
            value_of(here, _share),
            value_of(there, _share),
            *_ends(here, there, [one.cluster for one in questions], 1 - 0.05 / count),
            p,
        )
        for letter, (here, there), p in zip(LETTERS, shares, p_values, strict=False)
    )


def _ends(
    chosen: Floats, right: Floats, clusters: Sequence[str], level: float
) -> tuple[float, float]:
    found = paired_difference(
        chosen, right, clusters=clusters, combine=_share, kind="bounded", level=level
    )
    return found.low, found.high


def _share(totals: Floats, n: Count) -> Floats:
    return np.asarray(totals[..., 0] / np.maximum(totals[..., 1], 1))
