"""Scores of the metrics with a neural encoder, beside those of the others.

A network wants many answers at once and exists once, and images are too large to keep: so these
metrics get the samples as a stream, a stretch at a time, in this process.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence

from vlmbench.aggregate import ScoredMetric
from vlmbench.metrics.base import Answer
from vlmbench.records import MetricScore, Response, Sample, SampleScores

STRETCH = 256
"""Samples whose images are in memory at once, still encoded."""


def add_encoder_scores(
    rows: Iterable[SampleScores],
    texts: Sequence[Sample],
    samples: Iterable[Sample],
    responses: Mapping[str, Response],
    metrics: Sequence[ScoredMetric],
) -> list[SampleScores]:
    """The rows with these metrics' scores in them.

    Args:
        rows: What the other metrics said.
        texts: All samples of the task, for metrics that look at all references.
        samples: The same samples, with images if a metric looks at them. Read once.
        responses: By sample id.
        metrics: Those with an encoder.
    """
    ready = [_prepared(scored, texts) for scored in metrics]
    found: dict[str, dict[str, MetricScore]] = {}
    stream = (s for s in samples if s.id in responses and responses[s.id].text is not None)
    while stretch := list(itertools.islice(stream, STRETCH)):
        for scored in ready:
            meant = [sample for sample in stretch if scored.applies(sample.meta)]
            answers = [_answer(scored, sample, responses[sample.id]) for sample in meant]
            for sample, score in zip(meant, scored.metric.score_all(answers), strict=True):
                found.setdefault(sample.id, {})[scored.id] = score
    return [
        dataclasses.replace(row, scores={**row.scores, **found.get(row.id, {})}) for row in rows
    ]


def _prepared(scored: ScoredMetric, texts: Sequence[Sample]) -> ScoredMetric:
    references = [sample.references for sample in texts if scored.applies(sample.meta)]
    return dataclasses.replace(scored, metric=scored.metric.prepare(references))


def _answer(scored: ScoredMetric, sample: Sample, response: Response) -> Answer:
    images = sample.images if scored.metric.kind.encoder == "images" else ()
    return Answer(response.text or "", sample.references, sample.choices, sample.meta, images)
