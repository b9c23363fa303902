"""From answers to scores: each sample on each metric that is for it.

Answers are scored many at a time, because several metrics are much faster so. A score depends on
the answer alone (and on the references of the whole task), so this does not show in the result.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar

from vlmbench.errors import DataError, unknown_name
from vlmbench.metrics.base import Answer
from vlmbench.metrics.guarded import score_all
from vlmbench.records import Image, JournalSample, MetricScore, Response, SampleScores, Scalar
from vlmbench.scoring.aggregate import ScoredMetric

BATCH_SIZE = 1024
"""Answers that are scored together."""
ENCODER_BATCH_SIZE = 256
"""Answers that a metric with a neural encoder gets together, with their images if it looks."""

Corpus: TypeAlias = Iterable[tuple[Sequence[str], Mapping[str, Scalar]]]
"""References and meta of all samples of a task."""

ReadImages: TypeAlias = Callable[
    [Mapping[str, JournalSample]], Iterator[tuple[str, dict[str, Image]]]
]
"""From samples to their images by digest, one sample at a time."""

_Item = TypeVar("_Item")


def score_samples(
    samples: Mapping[str, JournalSample],
    responses: Mapping[str, Response],
    metrics: Sequence[ScoredMetric],
    *,
    slices: Sequence[str] = (),
    corpus: Corpus | None = None,
    read_images: ReadImages | None = None,
) -> list[SampleScores]:
    """Each sample's score on each metric that is for it.

    Args:
        responses: By sample id; samples without one are left out.
        metrics: Not yet prepared.
        slices: Fields of `meta` that estimates will be sliced by. A sample without one of them
            gets None there.
        corpus: References of all samples of the task, for metrics such as CIDEr that look at all
            of them, so that a part of a task is scored by the same yardstick as the whole; None:
            those of `samples`.
        read_images: Needed by a metric that looks at images.

    Returns:
        A line for each sample that has a response, sorted by id.

    Raises:
        DataError: A sample without references, a condition on a field that a sample lacks, a
            slice that no sample has, or images that cannot be read.
    """
    _check_slices(samples.values(), slices)
    names = sorted(samples.keys() & responses.keys())
    scores: dict[str, Mapping[str, MetricScore]] = {name: {} for name in names}
    answered = [name for name in names if responses[name].text is not None]
    everything = corpus or [(one.references, one.meta) for one in samples.values()]
    prepared = prepare_metrics(metrics, everything)
    plain = [one for one in prepared if one.metric.definition.encoder is None]
    for batch in chunks(answered, BATCH_SIZE):
        answers = tuple(_answer(samples[name], responses[name]) for name in batch)
        columns = _score_batch(answers, plain)
        scores.update((name, _BatchScores(columns, row)) for row, name in enumerate(batch))
    for scored in prepared:
        if scored.metric.definition.encoder is not None:
            found = _encoder_scores(scored, answered, samples, responses, read_images)
            scores.update({name: {**scores[name], scored.id: one} for name, one in found})
    return [
        _sample_scores(name, samples[name], responses[name], slices, scores[name]) for name in names
    ]


def prepare_metrics(metrics: Sequence[ScoredMetric], corpus: Corpus) -> list[ScoredMetric]:
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
                references = [texts for texts, meta in corpus if scored.applies(meta)]
                learned[key] = metric.prepare(references).state
            metric = dataclasses.replace(metric, state=learned[key])
        ready.append(dataclasses.replace(scored, metric=metric))
    return ready


def chunks(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """The items, so many at a time."""
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk


def _check_slices(samples: Iterable[JournalSample], slices: Sequence[str]) -> None:
    known = {field for sample in samples for field in sample.meta} if slices else set()
    for field in slices:
        if known and field not in known:
            problem = unknown_name(
                "slice", field, known, next_step="list the field under 'fields: meta:' of the task"
            )
            raise DataError(problem)


def _answer(sample: JournalSample, response: Response, images: tuple[Image, ...] = ()) -> Answer:
    return Answer(
        response.text or "",
        sample.references,
        sample.choices,
        sample.meta,
        images,
        response.finish,
    )


class _Column(NamedTuple):
    """A metric's scores of a batch."""

    scores: Sequence[MetricScore]
    places: Mapping[int, int] | None
    """By row of the batch, where its score stands; None: every row has one, in order."""


class _BatchScores(Mapping[str, MetricScore]):
    """One answer's scores, out of the columns of its batch: arrays, which stay as they are."""

    __slots__ = ("_columns", "_row")

    def __init__(self, columns: Mapping[str, _Column], row: int) -> None:
        self._columns, self._row = columns, row

    def __getitem__(self, name: str) -> MetricScore:
        column = self._columns[name]
        return column.scores[self._row if column.places is None else column.places[self._row]]

    def __iter__(self) -> Iterator[str]:
        columns, row = self._columns.items(), self._row
        return (name for name, one in columns if one.places is None or row in one.places)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return repr(dict(self))


def _score_batch(
    answers: tuple[Answer, ...], metrics: Sequence[ScoredMetric]
) -> dict[str, _Column]:
    # Metrics that are for the same answers get the same tuple, by which they share their work.
    chosen: dict[tuple[int, ...], tuple[Answer, ...]] = {}
    columns = {}
    for scored in metrics:
        if scored.where is None:
            columns[scored.id] = _Column(_compact(score_all(scored.metric, answers)), None)
            continue
        rows = tuple(row for row, one in enumerate(answers) if scored.applies(one.meta))
        concerned = chosen.setdefault(rows, tuple(answers[row] for row in rows))
        places = {row: place for place, row in enumerate(rows)}
        columns[scored.id] = _Column(_compact(score_all(scored.metric, concerned)), places)
    return columns


def _compact(scores: Sequence[MetricScore]) -> Sequence[MetricScore]:
    """The scores, equal ones as one object; an array of them as it is."""
    if not isinstance(scores, list):
        return scores
    known: dict[MetricScore, MetricScore] = {}
    return [known.setdefault(one, one) for one in scores]


def _encoder_scores(
    scored: ScoredMetric,
    answered: Sequence[str],
    samples: Mapping[str, JournalSample],
    responses: Mapping[str, Response],
    read_images: ReadImages | None,
) -> list[tuple[str, MetricScore]]:
    """A network wants many answers at once, and images are too large to keep: so it gets both as
    a stream, a chunk at a time."""
    wanted = {name: samples[name] for name in answered if scored.applies(samples[name].meta)}
    absent = MetricScore(unscored="its image is not there")
    found = dict.fromkeys(wanted, absent)
    stream: Iterator[tuple[str, dict[str, Image]]] = ((name, {}) for name in wanted)
    if scored.metric.definition.encoder == "images":
        assert read_images is not None
        stream = read_images(wanted)
    for chunk in chunks(stream, ENCODER_BATCH_SIZE):
        answers = [
            _answer(samples[name], responses[name], _own_images(samples[name], images))
            for name, images in chunk
        ]
        scores = score_all(scored.metric, answers)
        found.update({name: one for (name, _), one in zip(chunk, scores, strict=True)})
    return list(found.items())


def _own_images(sample: JournalSample, images: Mapping[str, Image]) -> tuple[Image, ...]:
    return tuple(images[digest] for digest in sample.images if digest in images)


def _sample_scores(
    name: str,
    sample: JournalSample,
    response: Response,
    slices: Sequence[str],
    scores: Mapping[str, MetricScore],
) -> SampleScores:
    return SampleScores(
        id=name,
        key=response.key,
        slices={field: sample.meta.get(field) for field in slices},
        scores=scores,
        cluster=sample.cluster,
        error=response.error.kind if response.error else None,
    )
