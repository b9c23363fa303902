"""Micro-batches by number: what step 1, 2, 3 ... of a recipe learns from.

Micro-batch `i` depends on the recipe's seed and `i` alone, so a resumed training sees exactly
what an uninterrupted one would have seen.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from vlmbench.records import Image, Sample, TextPart
from vlmbench.tasks.prompt import build_parts
from vlmbench.tasks.registry import load_task
from vlmbench.train.config import Stage, TrainConfig
from vlmbench.train.synthetic.split import TrainingGroup, training_group

if TYPE_CHECKING:
    import PIL.Image

Content: TypeAlias = "tuple[str | PIL.Image.Image, ...]"
"""A prompt: text with pictures standing where the task's prompt puts them."""


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A prompt and the answer to learn."""

    content: Content
    answer: str
    kind: str
    """Kind of question, as in the suite's slices."""


MicroBatch: TypeAlias = list[list[Demonstration]]
"""Groups of demonstrations; those of one group show the same pictures."""


class RecipeData:
    """The recipe's micro-batches, as a sequence that torch's DataLoader can read."""

    def __init__(self, config: TrainConfig) -> None:
        self._config = config

    def __len__(self) -> int:
        return self._config.steps * self._config.micro_batches

    def __getitem__(self, index: int) -> MicroBatch:
        config = self._config
        stage = stage_at((index + 0.5) / len(self), config.data.stages)
        rng = random.Random(f"{config.seed}:{index}")
        family = rng.choices(list(stage.mixture), list(stage.mixture.values()))[0]
        groups = (
            training_group(
                family,
                f"{config.seed}:{index}:{number}",
                questions=config.data.questions_per_group,
                weights=stage.kinds,
            )
            for number in range(stage.groups_per_batch or config.data.groups_per_batch)
        )
        return [demonstrations(group) for group in groups]


def stage_at(reached: float, stages: Sequence[Stage]) -> Stage:
    """The stage that training is in when it has reached this part of all steps, 0 to 1."""
    for stage in stages:
        reached -= stage.share
        if reached < 0:
            return stage
    return stages[-1]


def demonstrations(group: TrainingGroup) -> list[Demonstration]:
    """The questions of a group as the task's prompt puts them, with the best answer each."""
    found = []
    for question in group.questions:
        images = iter(group.images)
        texts = _prompt_texts(group.task, question.text, len(group.images))
        content = tuple(next(images) if text is None else text for text in texts)
        found.append(Demonstration(content, question.answers[0], question.kind))
    return found


@lru_cache(maxsize=20_000)
def _prompt_texts(task_name: str, question: str, images: int) -> tuple[str | None, ...]:
    """The texts of the task's prompt; None where it puts the next image."""
    row = {"question": question, "answer": "short"}
    sample = Sample("training", (Image(b""),) * images, ("",), row=row)
    parts = build_parts(load_task(task_name), sample)
    return tuple(part.text if isinstance(part, TextPart) else None for part in parts)


def vocabulary_prompts(config: TrainConfig) -> list[str]:
    """The fixed sentences of the prompts of every task that the recipe trains on."""
    batches = (RecipeData(config)[index] for index in range(0, len(RecipeData(config)), 97))
    contents = (group[0].content for batch in batches for group in batch)
    return [part for content in contents for part in content if isinstance(part, str)]
