"""A sample as the model gets it, with what scores its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from vlmbench.errors import DataError, unknown_name
from vlmbench.records import Image, Sample, Scalar, TextPart
from vlmbench.tasks.prompt import build_parts
from vlmbench.tasks.samples import read_samples
from vlmbench.tasks.spec import TaskSpec

_MOST_NAMES = 200
"""Samples of which an unknown id is compared with the ids."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What is asked and what would be right."""

    id: str
    system: str | None
    prompt: tuple[str, ...]
    """Texts, and a description of each image in brackets where it stands."""
    references: tuple[str, ...]
    choices: tuple[str, ...]
    meta: Mapping[str, Scalar]


def preview_of(task: TaskSpec, sample: Sample) -> Preview:
    """A sample's preview.

    Raises:
        DataError: Its prompt cannot be rendered.
    """
    parts = build_parts(task, sample)
    return Preview(
        sample.id,
        task.system,
        tuple(p.text if isinstance(p, TextPart) else _described(p.image) for p in parts),
        sample.references,
        sample.choices,
        dict(sample.meta),
    )


def find_preview(task: TaskSpec, sample_id: str | None = None) -> Preview:
    """The preview of a sample, by default of the first one.

    Raises:
        DataError: There is no such sample, or it cannot be read.
    """
    samples = read_samples(task)
    if sample_id is None:
        return preview_of(task, next(samples))
    found = next((one for one in samples if one.id == sample_id), None)
    if found is None:
        names = [one.id for one in islice(read_samples(task, images=False), _MOST_NAMES)]
        raise DataError(
            unknown_name(f"sample of {task.name}:", sample_id, names, next_step="check '--id'")
        )
    return preview_of(task, found)


def _described(image: Image) -> str:
    try:
        picture = image.decode()
    except DataError:
        return f"[image that cannot be read, {len(image.data):,} bytes]"
    return f"[image of {picture.width} x {picture.height} pixels]"
