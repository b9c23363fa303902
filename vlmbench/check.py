"""`vlmbench tasks check`: everything about a task that can be wrong before a model is asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from vlmbench.derive import load_metrics
from vlmbench.errors import DataError
from vlmbench.metrics.base import Answer
from vlmbench.records import Image, Sample, TextPart, other_size
from vlmbench.scoring.aggregate import ScoredMetric
from vlmbench.stats import value_of
from vlmbench.tasks.preview import Preview, preview_of
from vlmbench.tasks.prompt import IMAGE_PLACEHOLDER, build_parts, build_request
from vlmbench.tasks.row_problems import Problem, Problems, text_problems
from vlmbench.tasks.samples import build_sample, read_samples
from vlmbench.tasks.spec import Example, TaskSpec, TextColumn
from vlmbench.tasks.template import columns_in_template


@dataclass(frozen=True, slots=True)
class TaskCheck:
    """What was looked at, and what is wrong with it."""

    task: str
    samples: int
    images: int
    examples: int
    problems: tuple[str, ...]
    """A sentence each; empty if all is well."""
    notes: tuple[str, ...] = ()
    """What is worth knowing and no mistake, a sentence each."""
    first: Preview | None = None
    """The first sample whose prompt could be rendered."""


def check_task(task: TaskSpec) -> TaskCheck:
    """Read every sample, decode every image, render every prompt and replay the examples.

    Raises:
        VlmbenchError: The data cannot be read on, or a metric is unknown.
    """
    metrics = load_metrics(task)
    problems, seen, repeated = Problems(), set[str](), list[str]()
    samples = images = 0
    first: Preview | None = None
    for sample in read_samples(task):
        samples += 1
        images += len(sample.images)
        problems.add(sample, _sample_problems(task, sample, metrics))
        try:
            prompt = _prompt_hash(task, sample)
        except DataError as error:
            problems.add(sample, [str(error)])
            continue
        first = first or preview_of(task, sample)
        if prompt in seen:
            repeated.append(sample.id)
        seen.add(prompt)
    found = list(problems.sentences())
    for number, example in enumerate(task.examples, 1):
        location = f"example {number} of task '{task.name}'"
        found += _example_problems(task, example, metrics, location)
    size = other_size(task.name, task.display.items, samples)
    notes = [*_repetition_note(repeated), *filter(None, [size])]
    return TaskCheck(
        task.name, samples, images, len(task.examples), tuple(found), tuple(notes), first
    )


def _prompt_hash(task: TaskSpec, sample: Sample) -> str:
    """Hash of the prompt's texts and images, once the paraphrases are seen to render as well."""
    generation = task.generation_for(0)
    for paraphrase in task.paraphrases.values():
        build_request(task.with_prompt(paraphrase), sample, generation=generation)
    return build_request(task, sample, generation=generation).content_hash


def _repetition_note(repeated: Sequence[str]) -> tuple[str, ...]:
    """A note on questions that are asked twice, of the same images in the same words."""
    if not repeated:
        return ()
    count = len(repeated)
    return (
        f"{count} of the samples {'repeat' if count > 1 else 'repeats'} an earlier one: the same "
        f"images with the same words ('{repeated[0]}' for one).",
    )


def _sample_problems(
    task: TaskSpec, sample: Sample, metrics: Iterable[ScoredMetric]
) -> Iterator[str | Problem]:
    for image in sample.images:
        try:
            image.decode()
        except DataError as error:
            yield str(error)
    location = f"sample '{sample.id}' of task '{task.name}'"
    yield from text_problems(task, sample)
    yield from _column_problems(task, sample, location)
    if task.fields.images and not sample.images:
        yield f"There is no image in {location}; add one or leave the row out."
    if not any(metric.applies(sample.meta) for metric in metrics):
        yield f"No metric of task '{task.name}' applies to sample '{sample.id}'."


def _column_problems(task: TaskSpec, sample: Sample, location: str) -> Iterator[str]:
    """Columns that the prompt or a reference writes out and that are empty or no text."""
    references = task.fields.references
    sources = [] if isinstance(references, TextColumn) else [*references]
    for source, role in [(task.prompt, "prompt"), *((one, "reference") for one in sources)]:
        for column in columns_in_template(source):
            value = column.of(sample.row)
            if value is None or (isinstance(value, str) and not value.strip()):
                # An empty reference among others is left out, as `fields.references` says.
                if role == "prompt" and column.path[0] in sample.row:
                    yield f"The prompt of {location} shows {column.name}, which is empty; fill it."
            elif column.as_text and not isinstance(value, str | int | float):
                kind = type(value).__name__
                yield f"The {role} of {location} shows {column.name}, a {kind}; it takes a text."


def _example_problems(
    task: TaskSpec, example: Example, metrics: Sequence[ScoredMetric], location: str
) -> Iterator[str]:
    images = tuple(Image(bytes([n])) for n in range(example.images))
    sample = dataclasses.replace(
        build_sample(task, example.row, index=0, images=False), images=images
    )
    # Where images stand is an option of whoever asks; examples may show them where they are marked.
    prompts = [_prompt_text(one, sample) for one in (task, task.with_image_order("marked"))]
    if example.prompt not in prompts:
        yield f"The prompt of {location} is {prompts[0]!r} where {example.prompt!r} is frozen."
    headline = next((m for m in metrics if m.headline and m.applies(sample.meta)), None)
    if headline is None and example.scores:
        yield f"No headline metric applies to {location}, so 'scores' cannot hold."
    elif headline is not None:
        for answer, frozen in example.scores.items():
            value = _value(headline, sample, answer)
            if value is None or abs(value - frozen) > 1e-9:
                yield f"'{answer}' scores {value} in {location} where {frozen} is frozen."


def _prompt_text(task: TaskSpec, sample: Sample) -> str:
    """The prompt with a mark for each image."""
    parts = build_parts(task, sample)
    return "".join(part.text if isinstance(part, TextPart) else IMAGE_PLACEHOLDER for part in parts)


def _value(scored: ScoredMetric, sample: Sample, answer: str) -> float | None:
    """The metric's value on one answer alone."""
    import numpy as np

    metric = scored.metric.prepare([sample.references])
    vector = metric.score(Answer(answer, sample.references, sample.choices, sample.meta)).vector
    return None if vector is None else value_of(np.array([vector]), metric.combine)
