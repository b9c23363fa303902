"""`vlmbench tasks check`: everything about a task that can be wrong before a model is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vlmbench.aggregate import ScoredMetric
from vlmbench.data import build_sample, load_samples
from vlmbench.derive import load_metrics
from vlmbench.errors import DataError
from vlmbench.metrics.base import Answer
from vlmbench.prompt import IMAGE_MARK, build_parts, build_request
from vlmbench.records import Image, Sample, TextPart
from vlmbench.stats import value_of
from vlmbench.task import Example, TaskSpec


@dataclass(frozen=True, slots=True)
class TaskCheck:
    """What was looked at, and what is wrong with it."""

    task: str
    samples: int
    images: int
    examples: int
    problems: tuple[str, ...]
    """A sentence each; empty if all is well."""


def check_task(task: TaskSpec) -> TaskCheck:
    """Read every sample, decode every image, render every prompt and replay the examples.

    Raises:
        VlmbenchError: The data cannot be read on, or a metric is unknown.
    """
    metrics = load_metrics(task)
    problems: list[str] = []
    samples = images = 0
    generation = task.generation_for(0)
    rephrased = [task.with_prompt(prompt) for prompt in task.paraphrases.values()]
    for sample in load_samples(task):
        samples += 1
        images += len(sample.images)
        problems += _image_problems(sample)
        for asked in (task, *rephrased):
            try:
                build_request(asked, sample, generation=generation)
            except DataError as error:
                problems.append(str(error))
        if not any(metric.applies(sample.meta) for metric in metrics):
            problems.append(f"No metric of task '{task.name}' is for sample '{sample.id}'.")
    for number, example in enumerate(task.examples, 1):
        where = f"example {number} of task '{task.name}'"
        problems += _example_problems(task, example, metrics, where)
    return TaskCheck(task.name, samples, images, len(task.examples), tuple(problems))


def _image_problems(sample: Sample) -> Iterator[str]:
    for image in sample.images:
        try:
            image.decode()
        except DataError as error:
            yield str(error)


def _example_problems(
    task: TaskSpec, example: Example, metrics: list[ScoredMetric], where: str
) -> Iterator[str]:
    pictures = tuple(Image(bytes([n])) for n in range(example.images))
    plain = build_sample(task, example.row, index=0, images=False)
    sample = Sample(plain.id, pictures, plain.references, plain.row, plain.choices, plain.meta)
    prompt = "".join(
        part.text if isinstance(part, TextPart) else IMAGE_MARK
        for part in build_parts(task, sample)
    )
    if prompt != example.prompt:
        yield f"The prompt of {where} is {prompt!r} where {example.prompt!r} is frozen."
    headline = next((m for m in metrics if m.headline and m.applies(sample.meta)), None)
    if headline is None and example.scores:
        yield f"No headline metric is for {where}, so 'scores' cannot hold."
    elif headline is not None:
        for answer, frozen in example.scores.items():
            value = _value(headline, sample, answer)
            if value is None or abs(value - frozen) > 1e-9:
                yield f"'{answer}' scores {value} in {where} where {frozen} is frozen."


def _value(scored: ScoredMetric, sample: Sample, answer: str) -> float | None:
    """The metric's value on one answer alone."""
    import numpy as np

    metric = scored.metric.prepare([sample.references])
    vector = metric.score(Answer(answer, sample.references, sample.choices, sample.meta)).vector
    return None if vector is None else value_of(np.array([vector]), metric.combine)
