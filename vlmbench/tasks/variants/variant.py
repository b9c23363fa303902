"""One way of asking a task's questions otherwise, and the requests that come of it.

    image     blind, shuffled, noise   without the image, with another one, with a destroyed one
    prompt    polite, plain, terse     a paraphrase of the task's prompt
    options   1-of-4, 2-of-4, 3-of-4   the options moved 1, 2 or 3 places, where there are up to 4

A variant's run is a run like any other, in a directory of its own `<task>@<variant>`: it is
journaled, resumed, cached and scored by the same pipeline.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from vlmbench.errors import DataError, JournalError
from vlmbench.records import Generation, ImageRef, JournalSample, Request, Sample, TextPart
from vlmbench.tasks.prompt import MisplacedImage, build_request, without_marks
from vlmbench.tasks.samples import numbered_samples, read_samples
from vlmbench.tasks.spec import TaskSpec
from vlmbench.tasks.variants.images import Donors, blind, noisy, with_images
from vlmbench.tasks.variants.options import rotated

Kind: TypeAlias = Literal["image", "prompt", "options"]

IMAGE_MODES = ("blind", "shuffled", "noise")

_PREFIXES: dict[Kind, str] = {"prompt": "prompt-", "options": "rotate-", "image": ""}
"""What a label begins with; the empty one last."""


@dataclass(frozen=True, slots=True)
class Variant:
    """How the questions are asked otherwise."""

    kind: Kind
    name: str
    """blind, shuffled or noise; a paraphrase's name; how far options are rotated, and the most
    options that a question of the task has."""
    seed: int = 0
    """Of what is drawn; 0 where nothing is."""

    @property
    def label(self) -> str:
        """The part of the directory's name behind the @."""
        return _PREFIXES[self.kind] + self.name

    @property
    def places(self) -> int:
        """How far the options are rotated, for a variant of this kind."""
        return int(self.name.partition("-of-")[0])

    @property
    def fingerprint(self) -> str:
        """What a journal's answers must share to be continued."""
        drawn = self.kind == "image" and self.name != "blind"
        return f"{self.label}, seed {self.seed}" if drawn else self.label

    def as_dict(self) -> dict[str, Any]:
        """As a journal's header holds it."""
        return asdict(self)

    def of_task(self, task: TaskSpec) -> TaskSpec:
        """The task with the paraphrase as its prompt; the task itself for other kinds."""
        if self.kind != "prompt" or task.prompt == task.paraphrases[self.name]:
            return task
        return task.with_prompt(task.paraphrases[self.name])

    def of_sample(self, sample: Sample) -> Sample:
        """The sample with its options rotated; the sample itself for other kinds."""
        return rotated(sample, self.places) if self.kind == "options" else sample

    def concerns(self, sample: Sample) -> bool:
        """Whether the sample is asked: not where a rotation would come round again."""
        return self.kind != "options" or len(sample.choices) > self.places


def split_label(label: str) -> tuple[Kind, str]:
    """Kind and name of the variant with this label."""
    for kind, prefix in _PREFIXES.items():
        if label.startswith(prefix):
            return kind, label.removeprefix(prefix)
    raise AssertionError("an empty prefix begins every label")


def restore_variant(values: Mapping[str, Any] | None) -> Variant | None:
    """The variant of a journal's header; None for a plain run.

    Raises:
        JournalError: The header names none of the kinds that there are.
    """
    if values is None:
        return None
    if set(values) != {"kind", "name", "seed"} or values["kind"] not in _PREFIXES:
        raise JournalError(
            f"The journal is of a variant that this vlmbench does not know ({dict(values)}); use "
            "the version that wrote it."
        )
    return Variant(**values)


def variant_requests(
    task: TaskSpec,
    variant: Variant | None,
    *,
    only: Collection[int] | None = None,
    seed: int,
    refuse: Callable[[Sample, JournalSample, MisplacedImage], None] | None = None,
) -> Iterator[tuple[Request, JournalSample]]:
    """The requests of a task in the order of its data, and what a journal keeps of each sample.

    Args:
        task: As `Variant.of_task` gives it.
        variant: None: the questions as the task asks them.
        only: Positions of the samples that are asked; all if None.
        refuse: Takes a sample whose images do not fit its prompt; None to raise the error.

    Raises:
        DataError: See `read_samples` and `build_request`.
    """
    generation = task.generation_for(seed)
    change = _image_change(task, variant) if variant and variant.kind == "image" else None
    for index, sample in numbered_samples(task, only=only):
        if variant is not None and not variant.concerns(sample):
            continue
        try:
            if variant is not None and variant.kind == "options":
                request = _rotated_request(task, variant, sample, generation)
                sample = variant.of_sample(sample)
            else:
                request = build_request(task, sample, generation=generation)
        except MisplacedImage as error:
            if refuse is None:
                raise
            refuse(sample, _journal_sample(index, sample, None, None), error)
            continue
        shown = change(index, request) if change else request
        yield shown, _journal_sample(index, sample, request, shown)


def _journal_sample(
    index: int, sample: Sample, request: Request | None, shown: Request | None
) -> JournalSample:
    """What a journal keeps of a sample.

    Args:
        sample: As it is asked.
        request: With its own images; None for a sample that cannot be asked.
        shown: As the model gets it; None likewise.
    """
    return JournalSample(
        index=index,
        prompt=tuple(
            part.text if isinstance(part, TextPart) else ImageRef(part.image.digest)
            for part in (shown.parts if shown else ())
        ),
        images=tuple(image.digest for image in (request or sample).images),
        references=sample.references,
        choices=sample.choices,
        meta=sample.meta,
        cluster=sample.cluster,
    )


def _rotated_request(
    task: TaskSpec, variant: Variant, sample: Sample, generation: Generation
) -> Request:
    """The question with its options moved.

    Raises:
        DataError: They stay where they are, because the prompt takes them from elsewhere.
    """
    moved = variant.of_sample(sample)
    request = build_request(task, moved, generation=generation)
    plain = build_request(task, sample, generation=generation)
    worded = any(map(without_marks, moved.choices))
    if worded and moved.choices != sample.choices and _texts(request) == _texts(plain):
        raise DataError(
            f"The options of sample '{sample.id}' of task '{task.name}' stand in its text in a "
            "form that cannot be read, so '--options' cannot move them; leave it out."
        )
    return request


def _texts(request: Request) -> list[str]:
    return [part.text for part in request.parts if isinstance(part, TextPart)]


def _image_change(task: TaskSpec, variant: Variant) -> Callable[[int, Request], Request]:
    """What is done to the images of the request of a position, in the order of the data."""
    match variant.name:
        case "blind":
            return lambda index, request: blind(request)
        case "noise":
            return lambda index, request: noisy(request, seed=variant.seed)
        case _:
            count = sum(1 for _ in read_samples(task, images=False))
            donors = Donors(task, count, variant.seed)
            return lambda index, request: with_images(request, donors.images_for(index, request))
