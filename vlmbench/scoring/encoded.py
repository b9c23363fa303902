"""Scores of the metrics with a neural encoder, beside those of the others.

A network wants many answers at once and exists once, and images are too large to keep: so these
metrics get the samples as a stream, a stretch at a time, in this process.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence

from vlmbench.metrics.base import Answer
from vlmbench.records import MetricScore, Response, Sample, SampleScores
from vlmbench.scoring.aggregate import ScoredMetric

STRETCH = 256
"""Samples whose images are in memory at once, still encoded."""


def add_encoder_scores(
    rows: Iterator[tuple[SampleScores, Response]],
    texts: Iterable[Sample],
    samples: Iterable[Sample],
    metrics: Sequence[ScoredMetric],
) -> Iterator[tuple[SampleScores, Response]]:
    """The rows with these metrics' scores in them.

    Args:
        rows: What the other metrics said, and of which response, in the order of the samples.
        texts: All samples of the task, for metrics that look at all references.
        samples: The same samples, with images if a metric looks at them. Read once.
        metrics: Those with an encoder.
    """
    ready = [_prepared(scored, texts) for scored in metrics]
    stream = iter(samples)
    while stretch := list(itertools.islice(rows, STRETCH)):
        found: list[dict[str, MetricScore]] = [{} for _ in stretch]
        seen = [_next(stream, row.id) for row, _ in stretch]
        for scored in ready:
            meant = [
                place
                for place, (_, response) in enumerate(stretch)
                if response.text is not None and scored.applies(seen[place].meta)
            ]
            answers = [_answer(scored, seen[place], stretch[place][1]) for place in meant]
            for place, score in zip(meant, scored.metric.score_all(answers), strict=True):
                found[place][scored.id] = score
        for (row, response), own in zip(stretch, found, strict=True):
            yield dataclasses.replace(row, scores={**row.scores, **own}), response


def _next(samples: Iterator[Sample], sample_id: str) -> Sample:
    """The next sample with this id."""
    return next(sample for sample in samples if sample.id == sample_id)


def _prepared(scored: ScoredMetric, texts: Iterable[Sample]) -> ScoredMetric:
    references = [sample.references for sample in texts if scored.applies(sample.meta)]
    return dataclasses.replace(scored, metric=scored.metric.prepare(references))


def _answer(scored: ScoredMetric, sample: Sample, response: Response) -> Answer:
    images = sample.images if scored.metric.definition.encoder == "images" else ()
    return Answer(response.text or "", sample.references, sample.choices, sample.meta, images)
