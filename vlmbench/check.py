"""`vlmbench tasks check`: everything about a task that can be wrong before a model is asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from vlmbench.derive import load_metrics
from vlmbench.errors import DataError
from vlmbench.metrics.base import Answer
from vlmbench.records import Image, Sample, TextPart
from vlmbench.scoring.aggregate import ScoredMetric
from vlmbench.stats import value_of
from vlmbench.tasks.prompt import IMAGE_MARK, build_parts, build_request
from vlmbench.tasks.samples import build_sample, load_samples
from vlmbench.tasks.spec import Column, Example, TaskSpec
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


def check_task(task: TaskSpec) -> TaskCheck:
    """Read every sample, decode every image, render every prompt and replay the examples.

    Raises:
        VlmbenchError: The data cannot be read on, or a metric is unknown.
    """
    metrics = load_metrics(task)
    asked, problems = _Asked(task), _Problems()
    samples = images = 0
    for sample in load_samples(task):
        samples += 1
        images += len(sample.images)
        problems.add(sample, _image_problems(sample))
        problems.add(sample, _column_problems(task, sample))
        problems.add(sample, asked.problems(sample))
        if task.fields.images and not sample.images:
            where = f"sample '{sample.id}' of task '{task.name}'"
            problems.add(sample, [f"There is no image in {where}; add one or leave the row out."])
        if not any(metric.applies(sample.meta) for metric in metrics):
            problems.add(sample, [f"No metric of task '{task.name}' is for sample '{sample.id}'."])
    found = list(problems.sentences())
    for number, example in enumerate(task.examples, 1):
        where = f"example {number} of task '{task.name}'"
        found += _example_problems(task, example, metrics, where)
    return TaskCheck(task.name, samples, images, len(task.examples), tuple(found), asked.notes)


class _Problems:
    """Sentences about samples; what is wrong with many in the same way is one sentence."""

    def __init__(self) -> None:
        self._first: dict[str, str] = {}
        self._ids: dict[str, set[str]] = {}

    def add(self, sample: Sample, sentences: Iterable[str]) -> None:
        for sentence in sentences:
            kind = sentence.replace(f"'{sample.id}'", "")
            self._first.setdefault(kind, sentence)
            self._ids.setdefault(kind, set()).add(sample.id)

    def sentences(self) -> Iterator[str]:
        for kind, sentence in self._first.items():
            more = len(self._ids[kind]) - 1
            yield sentence + (f" {more} more samples are like this." if more else "")


class _Asked:
    """The task's questions, in its own words and in others, and which of them come again."""

    def __init__(self, task: TaskSpec) -> None:
        prompts = task.paraphrases.values()
        self._tasks = [task, *(task.with_prompt(prompt) for prompt in prompts)]
        self._generation = task.generation_for(0)
        self._seen: set[str] = set()
        self._again: list[str] = []

    def problems(self, sample: Sample) -> Iterator[str]:
        for number, task in enumerate(self._tasks):
            try:
                request = build_request(task, sample, generation=self._generation)
            except DataError as error:
                yield str(error)
                return
            if number == 0 and request.content_hash in self._seen:
                self._again.append(sample.id)
            self._seen.add(request.content_hash)

    @property
    def notes(self) -> tuple[str, ...]:
        """Questions that are asked twice, of the same images in the same words."""
        if not self._again:
            return ()
        count = len(self._again)
        return (
            f"{count} of the samples {'ask' if count > 1 else 'asks'} what an earlier one asks, of "
            f"the same images in the same words ('{self._again[0]}' for one).",
        )


def _image_problems(sample: Sample) -> Iterator[str]:
    for image in sample.images:
        try:
            image.decode()
        except DataError as error:
            yield str(error)


def _column_problems(task: TaskSpec, sample: Sample) -> Iterator[str]:
    """Columns that the prompt or a reference writes out and that are empty or no text."""
    where = f"sample '{sample.id}' of task '{task.name}'"
    references = task.fields.references
    sources = [] if isinstance(references, Column) else [*references]
    for source, role in [(task.prompt, "prompt"), *((one, "reference") for one in sources)]:
        for shown in columns_in_template(source):
            value = shown.of(sample.row)
            if value is None or (isinstance(value, str) and not value.strip()):
                # An empty reference among others is left out, as `fields.references` says.
                if role == "prompt" and shown.path[0] in sample.row:
                    yield f"The prompt of {where} shows {shown.name}, which is empty; fill it."
            elif shown.as_text and not isinstance(value, str | int | float):
                kind = type(value).__name__
                yield f"The {role} of {where} shows {shown.name}, a {kind}; it takes a text."


def _example_problems(
    task: TaskSpec, example: Example, metrics: list[ScoredMetric], where: str
) -> Iterator[str]:
    pictures = tuple(Image(bytes([n])) for n in range(example.images))
    plain = build_sample(task, example.row, index=0, images=False)
    sample = Sample(plain.id, pictures, plain.references, plain.row, plain.choices, plain.meta)
    # Where images stand is an option of whoever asks; examples may show them where they are marked.
    prompt, *others = [
        "".join(
            part.text if isinstance(part, TextPart) else IMAGE_MARK
            for part in build_parts(asked, sample)
        )
        for asked in (task, task.with_image_order("marked"))
    ]
    if example.prompt not in (prompt, *others):
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
