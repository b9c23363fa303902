"""What blind guessing would score on a task: what a model has to beat before it is seen to look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vlmbench.metrics.base import Answer
from vlmbench.records import Sample
from vlmbench.runners.baseline import QUESTION_FIELDS, baseline_answers
from vlmbench.scoring.aggregate import ScoredMetric
from vlmbench.stats import value_of
from vlmbench.tasks.spec import TaskSpec


@dataclass(frozen=True, slots=True)
class Guess:
    """A way of guessing, and what it scores on a headline metric."""

    baseline: str
    """As `--model` takes it."""
    metric: str
    value: float
    n: int


def blind_guesses(
    task: TaskSpec, samples: Sequence[Sample], metrics: Sequence[ScoredMetric]
) -> list[Guess]:
    """The baselines that do not look, on the headline metrics; best first for each metric.

    Besides majority and random, blind-majority by each field that the task slices by, and by all.

    Args:
        samples: All of the task, without images.
        metrics: Those that look at images, or at meaning, are passed over.
    """
    usable = [one for one in metrics if one.headline and one.metric.definition.encoder is None]
    answers = _answers(task, samples)
    guesses: list[Guess] = []
    for scored in usable:
        found = (_guess(name, texts, samples, scored) for name, texts in answers.items())
        direction = 1 if scored.metric.definition.lower_is_better else -1
        guesses += sorted(filter(None, found), key=lambda one: direction * one.value)
    return guesses


def _answers(task: TaskSpec, samples: Sequence[Sample]) -> dict[str, Mapping[str, str]]:
    """Each baseline's answers by sample id, by the baseline's name; the same answers once."""
    known = {name for sample in samples[:1] for name in sample.meta}
    fields: list[tuple[str, ...]] = [(name,) for name in task.slices]
    if len(fields) > 1:
        fields.append(task.slices)
    found: dict[str, Mapping[str, str]] = {}
    for name in ("majority", "random"):
        found[f"baseline:{name}"] = baseline_answers(name, samples, 0)
    if known & {*QUESTION_FIELDS}:
        found["baseline:blind-majority"] = baseline_answers("blind-majority", samples, 0)
    for some in fields:
        texts = baseline_answers("blind-majority", samples, 0, some)
        if texts not in found.values():
            found[f"baseline:blind-majority:{'+'.join(some)}"] = texts
    return found


def _guess(
    name: str, texts: Mapping[str, str], samples: Sequence[Sample], scored: ScoredMetric
) -> Guess | None:
    import numpy as np

    metric = scored.metric.prepare([one.references for one in samples])
    concerned = [one for one in samples if scored.applies(one.meta)]
    scores = [
        metric.score(Answer(texts[one.id], one.references, one.choices, one.meta)).vector
        for one in concerned
    ]
    vectors = [one for one in scores if one is not None]
    if not vectors:
        return None
    return Guess(name, scored.id, value_of(np.array(vectors), metric.combine), len(vectors))
