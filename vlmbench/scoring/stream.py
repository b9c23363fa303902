"""From answers to scores: each sample on each metric that is for it.

Answers are scored many at a time, because several metrics are much faster so, and in several
processes when there are tens of thousands. A score depends on the answer alone (and on the
references of the whole task), so neither shows in the result.
"""

from __future__ import annotations

import dataclasses
import gc
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from vlmbench.errors import DataError, unknown_name
from vlmbench.metrics.base import Answer
from vlmbench.records import MetricScore, Response, Sample, SampleScores, Scalar
from vlmbench.scoring.aggregate import ScoredMetric
from vlmbench.scoring.workers import BATCH_SIZE, Batch, Workers, processes_for

_BATCHES = 8
"""Batches that several processes share out among them; then comes the next stretch."""


class _Item(NamedTuple):
    """What scoring needs of a sample; the images are not kept."""

    id: str
    references: tuple[str, ...]
    choices: tuple[str, ...]
    meta: Mapping[str, Scalar]


def score_samples(
    samples: Collection[Sample],
    responses: Mapping[str, Response],
    metrics: Sequence[ScoredMetric],
    *,
    slices: Sequence[str] = (),
    processes: int | None = None,
) -> list[SampleScores]:
    """`stream_scores` as a list."""
    found = stream_scores(samples, responses, metrics, slices=slices, processes=processes)
    return [row for row, _ in found]


def stream_scores(
    samples: Collection[Sample],
    responses: Mapping[str, Response],
    metrics: Sequence[ScoredMetric],
    *,
    slices: Sequence[str] = (),
    limit: int | None = None,
    processes: int | None = None,
) -> Iterator[tuple[SampleScores, Response]]:
    """Each sample's score on each metric that is for it.

    Args:
        samples: All samples of the task, also those without an answer: a metric such as CIDEr
            looks at the references of all of them. Read several times, one at a time.
        responses: By sample id; asked once for each sample.
        metrics: The task's metrics without an encoder, not yet prepared.
        slices: Fields of `meta` that estimates will be sliced by. A sample without one of them
            gets None there.
        limit: Score only so many samples from the start.
        processes: How many to use; None: one a core if there are 20,000 answers, else this one.

    Yields:
        A line for each sample that has a response, and the response, in the order of the samples.

    Raises:
        DataError: A sample without references, a condition on a field that a sample lacks, or a
            slice that no sample has.
    """
    _check_slices(samples, slices)
    count = processes or processes_for(min(len(samples), len(responses), limit or len(samples)))
    together = BATCH_SIZE * (_BATCHES if count > 1 else 1)
    answered = (
        (_Item(sample.id, sample.references, sample.choices, sample.meta), response)
        for sample in itertools.islice(samples, limit)
        if (response := responses.get(sample.id)) is not None
    )
    with _fewer_collections(), Workers(count) as workers:
        prepared = _prepared(metrics, samples, workers)
        while stretch := list(itertools.islice(answered, together)):
            scores = _all_scores(stretch, prepared, workers)
            for (item, response), found in zip(stretch, scores, strict=True):
                row = SampleScores(
                    item.id,
                    response.key,
                    {field: item.meta.get(field) for field in slices} if slices else {},
                    found,
                    response.error.kind if response.error else None,
                )
                yield row, response


@contextmanager
def _fewer_collections() -> Iterator[None]:
    """Lets the garbage collector run seldom: it finds nothing among millions of new scores."""
    thresholds = gc.get_threshold()
    gc.set_threshold(200_000, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


def _check_slices(samples: Collection[Sample], slices: Sequence[str]) -> None:
    if not slices:
        return
    known = {field for sample in samples for field in sample.meta}
    for field in slices:
        if len(samples) and field not in known:
            problem = unknown_name(
                "slice", field, known, next_step="list the field under 'fields: meta:' of the task"
            )
            raise DataError(problem)


def _prepared(
    metrics: Sequence[ScoredMetric], samples: Iterable[Sample], workers: Workers
) -> list[ScoredMetric]:
    """The metrics with what they need to know of all references that they are for.

    Those with the same function and condition learn it together, once.
    """
    learned: dict[tuple[Any, Any], Any] = {}
    ready = []
    for scored in metrics:
        metric = scored.metric
        if metric.definition.prepare is not None:
            key = metric.definition.prepare, scored.where
            if key not in learned:
                references = [one.references for one in samples if scored.applies(one.meta)]
                learned[key] = workers.prepare(metric, references).state
            metric = dataclasses.replace(metric, state=learned[key])
        ready.append(dataclasses.replace(scored, metric=metric))
    return ready


class _Scores(Mapping[str, MetricScore]):
    """The scores of one answer, out of the columns of its batch, which stay as they are."""

    __slots__ = ("_columns", "_row")

    def __init__(self, columns: Mapping[str, _Column], row: int) -> None:
        self._columns = columns
        self._row = row

    def __getitem__(self, name: str) -> MetricScore:
        column = self._columns[name]
        return column.scores[self._row if column.places is None else column.places[self._row]]

    def __iter__(self) -> Iterator[str]:
        return (
            name
            for name, column in self._columns.items()
            if column.places is None or self._row in column.places
        )

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return repr(dict(self))


class _Column(NamedTuple):
    """A metric's scores of a batch."""

    scores: Sequence[MetricScore]
    places: Mapping[int, int] | None
    """Where the score of each answer stands that the metric is for; None: at its own place."""


def _all_scores(
    answered: Sequence[tuple[_Item, Response]], metrics: Sequence[ScoredMetric], workers: Workers
) -> list[Mapping[str, MetricScore]]:
    """The scores of each answer; none where there is an error instead."""
    found: list[Mapping[str, MetricScore]] = [{}] * len(answered)
    rows = [row for row, (_, response) in enumerate(answered) if response.text is not None]
    starts = range(0, len(rows), BATCH_SIZE)
    batches = [_batch(answered, rows[start : start + BATCH_SIZE], metrics) for start in starts]
    results = workers.score(batches, [scored.metric for scored in metrics])
    for start, batch, scores in zip(starts, batches, results, strict=True):
        columns = {
            scored.id: _Column(column, None if places is None else _inverse(places))
            for scored, places, column in zip(metrics, batch.places, scores, strict=True)
        }
        for number, row in enumerate(rows[start : start + BATCH_SIZE]):
            found[row] = _Scores(columns, number)
    return found


def _inverse(places: Sequence[int]) -> dict[int, int]:
    return {place: number for number, place in enumerate(places)}


def _batch(
    answered: Sequence[tuple[_Item, Response]],
    rows: Sequence[int],
    metrics: Sequence[ScoredMetric],
) -> Batch:
    answers = [
        Answer(response.text or "", item.references, item.choices, item.meta, (), response.finish)
        for item, response in map(answered.__getitem__, rows)
    ]
    places = [
        None
        if scored.where is None
        else [place for place, answer in enumerate(answers) if scored.applies(answer.meta)]
        for scored in metrics
    ]
    return Batch(answers, places)
