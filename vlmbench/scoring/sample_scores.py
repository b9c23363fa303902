"""From answers to scores: each sample on each metric that is for it.

Answers are scored many at a time, because several metrics are much faster so. A score depends on
the answer alone (and on the references of the whole task), so this does not show in the result.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from vlmbench.errors import DataError, unknown_name
from vlmbench.metrics.base import Answer
from vlmbench.records import Image, JournalSample, MetricScore, Response, SampleScores, Scalar
from vlmbench.scoring.aggregate import ScoredMetric

BATCH_SIZE = 512
"""Answers that are scored together."""
ENCODER_BATCH_SIZE = 256
"""Answers that a metric with a neural encoder gets together, with their images if it looks."""

Corpus: TypeAlias = Iterable[tuple[Sequence[str], Mapping[str, Scalar]]]
"""References and meta of all samples of a task."""

ReadImages: TypeAlias = Callable[
    [Mapping[str, JournalSample]], Iterator[tuple[str, dict[str, Image]]]
]
"""From samples to their images by digest, one sample at a time."""

_Scores: TypeAlias = dict[str, dict[str, MetricScore]]
"""By sample id and metric."""

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
        samples: By id.
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
    scores: _Scores = {name: {} for name in names}
    answered = [name for name in names if responses[name].text is not None]
    everything = corpus or [(one.references, one.meta) for one in samples.values()]
    prepared = prepare_metrics(metrics, everything)
    plain = [one for one in prepared if one.metric.definition.encoder is None]
    # Most scores are 0 or 1: equal ones are one object, which halves what a sample takes.
    shared: dict[MetricScore, MetricScore] = {}
    for batch in chunks(answered, BATCH_SIZE):
        answers = [_answer(samples[name], responses[name]) for name in batch]
        for name, metric, score in _score_batch(batch, answers, plain):
            scores[name][metric] = shared.setdefault(score, score)
    for scored in prepared:
        if scored.metric.definition.encoder is not None:
            _add_encoder_scores(scored, answered, samples, responses, scores, read_images)
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


def _score_batch(
    names: Sequence[str],
    answers: Sequence[Answer],
    metrics: Sequence[ScoredMetric],
) -> Iterator[tuple[str, str, MetricScore]]:
    """Sample id, metric and score."""
    everything = tuple(answers)
    # Metrics that are for the same answers get the same tuple, by which they share their work.
    chosen: dict[tuple[int, ...], tuple[Answer, ...]] = {}
    for scored in metrics:
        rows = list(range(len(everything)))
        concerned = everything
        if scored.where is not None:
            rows = [row for row in rows if scored.applies(everything[row].meta)]
            concerned = chosen.setdefault(tuple(rows), tuple(everything[row] for row in rows))
        for row, score in zip(rows, scored.metric.score_all(concerned), strict=True):
            yield names[row], scored.id, score


def _add_encoder_scores(
    scored: ScoredMetric,
    answered: Sequence[str],
    samples: Mapping[str, JournalSample],
    responses: Mapping[str, Response],
    scores: _Scores,
    read_images: ReadImages | None,
) -> None:
    """A network wants many answers at once, and images are too large to keep: so it gets both as
    a stream, a chunk at a time."""
    names = [name for name in answered if scored.applies(samples[name].meta)]
    looks = scored.metric.definition.encoder == "images"
    wanted = {name: samples[name] for name in names}
    stream: Iterator[tuple[str, dict[str, Image]]]
    if looks:
        assert read_images is not None
        stream = read_images(wanted)
    else:
        stream = ((name, {}) for name in names)
    for chunk in chunks(stream, ENCODER_BATCH_SIZE):
        answers = [
            _answer(samples[name], responses[name], _own_images(samples[name], images))
            for name, images in chunk
        ]
        for (name, _), score in zip(chunk, scored.metric.score_all(answers), strict=True):
            scores[name][scored.id] = score
    for name in names:
        scores[name].setdefault(scored.id, MetricScore(unscored="its image is not there"))


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
