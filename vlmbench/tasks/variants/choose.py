"""Which variants of a task can be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vlmbench.errors import UsageError, unknown_name
from vlmbench.tasks.samples import read_samples
from vlmbench.tasks.spec import TaskSpec
from vlmbench.tasks.template import names_in
from vlmbench.tasks.variants.variant import IMAGE_MODES, Variant


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a command line asks for."""

    image_modes: tuple[str, ...] = ()
    prompts: int = 0
    """At most so many paraphrases of each task."""
    rotate: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for mode in self.image_modes:
            if mode not in IMAGE_MODES:
                known = f"use {', '.join(IMAGE_MODES)}"
                raise UsageError(unknown_name("image mode", mode, IMAGE_MODES, next_step=known))


@dataclass(frozen=True, slots=True)
class Choice:
    """What can be asked of a task, and why the rest cannot."""

    variants: tuple[Variant, ...]
    problems: tuple[str, ...]
    """A sentence each."""


def choose_variants(task: TaskSpec, wanted: Wanted) -> Choice:
    """The variants that are wanted of a task and that it has.

    Raises:
        DataError: The task's data cannot be read; only rotations look at it.
    """
    found: list[Variant] = []
    problems: list[str] = []
    if wanted.image_modes and not task.fields.images:
        problems.append(f"Task '{task.name}' shows no images, so '--image-mode' leaves it out.")
    elif wanted.image_modes:
        found += [
            Variant("image", mode, 0 if mode == "blind" else wanted.seed)
            for mode in wanted.image_modes
        ]
    if wanted.prompts and not task.paraphrases:
        problems.append(
            f"Task '{task.name}' has no 'paraphrases', so '--prompts' leaves it out; add some to "
            "its YAML file."
        )
    found += [Variant("prompt", name) for name in [*task.paraphrases][: wanted.prompts]]
    if wanted.rotate:
        rotations, problem = _rotations(task)
        found += rotations
        problems += [problem] if problem else []
    return Choice(tuple(found), tuple(problems))


def _rotations(task: TaskSpec) -> tuple[Sequence[Variant], str | None]:
    if not task.fields.choices:
        return (), f"Task '{task.name}' has no options, so '--options' leaves it out."
    names = names_in(task.prompt)
    if "choices" not in names:
        reason = (
            "does not list its options by 'choices'"
            if "row" in names
            else "leaves the options to the image, which shows them"
        )
        return (), (
            f"The prompt of task '{task.name}' {reason}, so '--options' cannot move them and "
            "leaves it out."
        )
    most = max(len(sample.choices) for sample in read_samples(task, images=False))
    return [Variant("options", f"{by}-of-{most}") for by in range(1, most)], None
