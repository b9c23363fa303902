"""From scores to estimates: add up, overall and by slice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vlmbench.metrics.base import Metric, load_metric
from vlmbench.records import Estimate, SampleScores, Scalar
from vlmbench.scoring.intervals import metric_interval
from vlmbench.scoring.table import ScoreTable, TablePart
from vlmbench.tasks.conditions import Condition


@dataclass(frozen=True, slots=True)
class ScoredMetric:
    """A metric as a task uses it."""

    id: str
    """Unique within the task; the key in scores.jsonl."""
    metric: Metric
    headline: bool = False
    where: Condition | None = None
    """Which samples it is for, by their `meta`; None: all."""

    def applies(self, meta: Mapping[str, Scalar]) -> bool:
        """Whether the metric is for a sample with this `meta`."""
        return self.where is None or self.where(meta)


_OPEN_FAMILIES = {"overlap", "caption"}
"""Families of metrics that a task has for answers of any wording."""

_CHOICE = "match.choice"

_FIDELITY = ("language.japanese", "language.chinese", "language.english")
_SCRIPTS = ("language.kana", "language.kanji", "language.latin")
_CONDUCT = (
    "language.refusal",
    "language.repetition",
    "language.truncation",
    "language.unfinished_reasoning",
)

DIAGNOSTICS = (*_FIDELITY, *_SCRIPTS, *_CONDUCT)
"""Metrics that say what answers are like, not whether they are right."""


def with_diagnostics(metrics: Sequence[ScoredMetric]) -> list[ScoredMetric]:
    """The metrics, and the `language` ones behind them.

    Refusals, repetition, truncation and unfinished reasoning are for every sample, the language of
    the answer for those that are not answered by an option's letter, the scripts for open answers,
    which a task has where one of its metrics is of the families overlap or caption. Nobody needs to
    ask for these diagnostics, and none of them is a headline. What the task itself lists is left
    as it is.
    """
    opened = [one for one in metrics if one.metric.name.partition(".")[0] in _OPEN_FAMILIES]
    chosen = [one for one in metrics if one.metric.name == _CHOICE]

    def is_open(meta: Mapping[str, Scalar]) -> bool:
        return any(one.applies(meta) for one in opened)

    def is_worded(meta: Mapping[str, Scalar]) -> bool:
        return not any(one.applies(meta) for one in chosen)

    added: list[tuple[str, Condition | None]] = []
    if not chosen or all(one.where for one in chosen):
        added += [(name, is_worded if chosen else None) for name in _FIDELITY]
    if opened:
        some = all(one.where for one in opened)
        added += [(name, is_open if some else None) for name in _SCRIPTS]
    added += [(name, None) for name in _CONDUCT]
    known = {one.id for one in metrics} | {one.metric.name for one in metrics}
    more = [
        ScoredMetric(name, load_metric(name), where=where)
        for name, where in added
        if name not in known
    ]
    return [*metrics, *more]


def estimates(
    rows: Iterable[SampleScores],
    metrics: Sequence[ScoredMetric],
    *,
    slices: Sequence[str] = (),
    total: int,
) -> tuple[Estimate, ...]:
    """What each metric comes to, overall and for each value of each slice.

    Intervals are at 95 %, over clusters of samples (`Sample.cluster`), by a method that depends on
    the metric's scale and is named in the estimate: see `vlmbench.stats.estimates`.

    Args:
        rows: Samples that have a response, in any order; the order changes nothing.
        metrics: The task's metrics, in the order in which estimates shall come.
        slices: Fields to slice by; samples whose value is None are in no slice.
        total: Number of samples that the run is to answer; those without an answer widen
            `bounds`.

    Returns:
        First the overall estimates, then the slices by field and value.
    """
    ordered = sorted(rows, key=lambda row: row.id)
    table = ScoreTable(ordered, {one.id: one.metric.size for one in metrics}, slices)
    unseen = total - len(table)
    found: list[Estimate] = []
    for part in table.parts():
        errors = part.errors()
        # A slice has estimates of the metrics that are for any of its samples; of all where
        # there is nothing but errors, which must show.
        everything = part.slice is None or errors == len(part)
        found += (
            _estimate(scored, part, unseen + errors)
            for scored in metrics
            if everything or part.concerns(scored.id)
        )
    return tuple(found)


def _estimate(scored: ScoredMetric, part: TablePart, missing: int) -> Estimate:
    vectors = part.vectors(scored.id)
    n = len(vectors)
    found = metric_interval(scored.metric, vectors, part.clusters(scored.id)) if n else None
    return Estimate(
        metric=scored.id,
        slice=part.slice,
        value=found.value if found else None,
        low=found.low if found else None,
        high=found.high if found else None,
        n=n,
        unscored=part.unscored(scored.id),
        headline=scored.headline,
        signature=scored.metric.signature,
        bounds=_bounds(scored.metric, found.value if found else None, n, missing),
        clusters=found.clusters if found else 0,
        method=found.method if found else "",
    )


def _bounds(
    metric: Metric, value: float | None, n: int, missing: int
) -> tuple[float, float] | None:
    """The values still possible if each missing sample scored worst or best.

    Any missing sample may belong to any slice and to any `where:`, so all count. A corpus metric
    such as BLEU has no per-sample range: its whole range stays possible.
    """
    if not missing or metric.bounds is None:
        return None
    if value is None or not metric.is_mean:
        return metric.bounds
    floor, ceiling = metric.bounds
    known = value * n
    return (known + floor * missing) / (n + missing), (known + ceiling * missing) / (n + missing)
