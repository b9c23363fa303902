"""One verdict over all tasks: the mean of their differences, each as a share of its scale.

A task counts once, however many headline metrics or samples it has. Two headlines of one task, and
two tasks that ask the same questions (groups.yaml), are taken as fully correlated: the cautious
side.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from vlmbench.compare.gate.report import POOLED, GateRow
from vlmbench.compare.gate.verdicts import Judged
from vlmbench.stats import Floats, PairedDifference, pooled
from vlmbench.tasks.groups import load_same_questions


def pooled_judged(judged: Sequence[Judged]) -> Judged | None:
    """What the pooled verdict is made from; None where there are not two tasks that can be judged.

    Args:
        judged: Of the tasks' headline metrics.
    """
    tasks: dict[str, list[Judged]] = {}
    for one in judged:
        if one.seen is None or one.row.verdict == "incomplete" or one.scale <= 0:
            return None
        tasks.setdefault(one.row.task, []).append(one)
    if len(tasks) < 2:
        return None
    seen = pooled(
        [_of_task(headlines) for headlines in tasks.values()],
        correlations=_correlations([*tasks]),
    )
    margin = _mean([_mean([one.margin / one.scale for one in some]) for some in tasks.values()])
    below, leeway = (
        _mean([_mean([of(one) for one in some]) for some in tasks.values()])
        for of in (_below, lambda one: one.leeway / one.scale)
    )
    row = GateRow(
        "pooled",
        POOLED,
        "share of scale",
        "undecided",
        n=seen.n,
        clusters=seen.clusters,
        lost=sum(one.row.lost for one in judged),
        missing=sum(one.row.missing for one in judged),
        difference=seen.difference,
        low=seen.low,
        high=seen.high,
        margin=margin,
        margin_share=margin,
        p_value=seen.p_two_sided,
        method=seen.method,
    )
    return Judged(
        row,
        seen,
        low=seen.low - below,
        high=seen.high + leeway,
        margin=margin,
        leeway=leeway,
        same=all(one.same for one in judged),
    )


def _correlations(tasks: Sequence[str]) -> Floats | None:
    """Full correlation of tasks that ask the same questions; None where there are none."""
    sets = [{*one.tasks} for one in load_same_questions()]
    same = np.eye(len(tasks))
    for (i, one), (j, other) in combinations(enumerate(tasks), 2):
        if any({one, other} <= questions for questions in sets):
            same[i, j] = same[j, i] = 1.0
    return same if same.sum() > len(tasks) else None


def _of_task(headlines: Sequence[Judged]) -> PairedDifference:
    scaled = [one.seen.scaled(1 / one.scale) for one in headlines if one.seen is not None]
    if len(scaled) == 1:
        return scaled[0]
    return pooled(scaled, correlations=np.ones((len(scaled), len(scaled))))


def _below(one: Judged) -> float:
    """How far missing and lost samples pull the lower end down, as a share of the scale."""
    assert one.seen is not None
    return (one.seen.low - one.low) / one.scale


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
