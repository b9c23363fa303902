"""What answers are like: shares of errors, of empty answers, of refusals, of Japanese.

A model can go wrong without its scores showing it in time: a twentieth of empty answers costs two
or three points, which few tasks are large enough to tell from chance; the share itself tells. These
rows can fail the gate, but it doesn't wait for them: one that is undecided holds nothing up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from vlmbench.compare.gate.baseline import BaselineTask
from vlmbench.compare.gate.pairing import Pair, all_same, scored_pairs
from vlmbench.compare.gate.report import GateRow
from vlmbench.compare.gate.rules import Rules, ShareName
from vlmbench.compare.gate.verdicts import Judged
from vlmbench.stats import Floats, paired_difference
from vlmbench.text.reasoning import without_reasoning

_METRICS: dict[ShareName, str] = {
    "japanese": "language.japanese",
    "refusal": "language.refusal",
}


def shares_judged(
    task: str, saved: BaselineTask, pairs: Sequence[Pair], rules: Rules
) -> Iterator[Judged]:
    """What the verdict on each share that is gated is made from."""
    for name in ("errors", "empty", "japanese", "refusal"):
        margin = rules.share_margin(name)
        if margin is None:
            continue
        old, new, clusters = _values(name, saved, pairs)
        if len(old):
            yield _judged(task, name, old, new, clusters, margin, same=all_same(pairs))


def _values(
    name: ShareName, saved: BaselineTask, pairs: Sequence[Pair]
) -> tuple[Floats, Floats, list[int]]:
    """0 or 1 a sample, before and after, and its cluster."""
    if name in _METRICS:
        ids = [metric.id for metric in saved.metrics]
        if _METRICS[name] not in ids:
            return np.empty((0, 1)), np.empty((0, 1)), []
        found = scored_pairs(pairs, ids.index(_METRICS[name]), _METRICS[name])
        return (
            _column(one[0] for one in found.old),
            _column(one[0] for one in found.new),
            [*found.clusters],
        )
    asked = [pair for pair in pairs if pair.row is not None]
    if name == "errors":
        flags = [(pair.old.answer is None, pair.text is None) for pair in asked]
    else:
        asked = [pair for pair in asked if pair.old.answer is not None and pair.text is not None]
        flags = [(not pair.old.excerpt.strip(), _is_empty(pair.text)) for pair in asked]
    return (
        _column(float(before) for before, _ in flags),
        _column(float(after) for _, after in flags),
        [pair.old.cluster for pair in asked],
    )


def _is_empty(text: str | None) -> bool:
    return not without_reasoning(text or "").strip()


def _column(values: Iterator[float]) -> Floats:
    return np.fromiter(values, dtype=np.float64).reshape(-1, 1)


def _judged(
    task: str,
    name: ShareName,
    old: Floats,
    new: Floats,
    clusters: Sequence[int],
    margin: float,
    *,
    same: bool,
) -> Judged:
    lower_is_better = name != "japanese"
    seen = paired_difference(new, old, clusters=[str(one) for one in clusters], kind="binary")
    better = seen.negated() if lower_is_better else seen
    row = GateRow(
        "share",
        task,
        f"share of {name}" if name != "japanese" else "share in Japanese",
        "undecided",
        n=seen.n,
        clusters=seen.clusters,
        baseline=float(old.mean()),
        value=float(new.mean()),
        difference=seen.difference,
        low=seen.low,
        high=seen.high,
        margin=margin,
        margin_share=margin,
        p_value=seen.p_two_sided,
        lower_is_better=lower_is_better,
        method=seen.method,
    )
    return Judged(row, better, low=better.low, high=better.high, margin=margin, same=same)
