"""The samples that lost most, for a person to see what went wrong."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from vlmbench.compare.gate.baseline import BaselineTask
from vlmbench.compare.gate.pairing import Pair, scored_pairs
from vlmbench.compare.gate.report import ChangedSample
from vlmbench.compare.gate.rules import unit_of
from vlmbench.compare.gate.runs import GateRun
from vlmbench.compare.gate.verdicts import TOLERANCE
from vlmbench.metrics.base import load_metric
from vlmbench.stats import value_of

MOST_SHOWN = 10


def first_of_each(changes: Iterable[Sequence[ChangedSample]]) -> Iterator[ChangedSample]:
    """Up to MOST_SHOWN of several lists: the worst of each, then the second of each ..."""
    ranks = itertools.zip_longest(*changes)
    found = (one for rank in ranks for one in rank if one is not None)
    return itertools.islice(found, MOST_SHOWN)


def worst_changes(
    task: str, saved: BaselineTask, run: GateRun, pairs: Sequence[Pair]
) -> Iterator[ChangedSample]:
    """The samples of a task that lost most on each headline metric, the worst first.

    Of a corpus metric, a sample's own value is what the metric gives for it alone.
    """
    by_id = {pair.old.id: pair for pair in pairs}
    for number, one in enumerate(saved.metrics):
        found = scored_pairs(pairs, number, one.id) if one.headline else None
        if found is None or not found.ids:
            continue
        metric = load_metric(one.use, one.options)
        old, new = np.array(found.old, dtype=np.float64), np.array(found.new, dtype=np.float64)
        unit = unit_of(metric, value_of(old, metric.combine)) or 1.0
        before, after = (np.asarray(metric.combine(side, 1)) for side in (old, new))
        losses = (after - before if metric.definition.lower_is_better else before - after) / unit
        order = sorted(range(len(losses)), key=lambda place: (-losses[place], found.ids[place]))
        for place in order[:MOST_SHOWN]:
            if losses[place] <= TOLERANCE:
                break
            pair = by_id[found.ids[place]]
            sample = run.samples[pair.old.id]
            yield ChangedSample(
                task=task,
                metric=one.id,
                id=pair.old.id,
                loss=float(losses[place]),
                prompt=sample.question,
                references=sample.references,
                before=pair.old.excerpt,
                after=pair.text,
                scores=(float(before[place]), float(after[place])),
            )
