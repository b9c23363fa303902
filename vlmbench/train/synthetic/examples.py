"""Training groups of the embedded suite as examples, asked as the embedded tasks ask."""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from vlmbench.records import Image, Sample, TextPart
from vlmbench.tasks.prompt import build_parts
from vlmbench.tasks.registry import load_task
from vlmbench.train.data.examples import Example, Turn
from vlmbench.train.synthetic.split import FAMILIES, texts_for_vocabulary, training_group

if TYPE_CHECKING:
    import PIL.Image

REPEATED = 300
"""How often a prompt's fixed texts are shown to a tokenizer, for each family."""


def group_examples(
    family: str, seed: str, *, questions: int, kinds: Mapping[str, float], source: str
) -> tuple[Example, ...]:
    """The questions on one picture, or pair, in the task's prompt, with the best answer each.

    Args:
        seed: Any text; equal text gives an equal group.
        kinds: How often a kind of question is drawn; 1 if not named.
        source: What the examples say they come from.
    """
    group = training_group(family, seed, questions=questions, weights=kinds)
    name = f"{family}:{seed}"
    images = [Image(_encoded(picture), source=name) for picture in group.images]
    found = []
    for number, question in enumerate(group.questions):
        shown = iter(images)
        texts = _prompt_texts(group.task, question.text, len(images))
        asked = Turn("user", tuple(next(shown) if text is None else text for text in texts))
        answer = Turn("assistant", (question.answers[0],))
        found.append(Example(f"{name}#{number}", (asked, answer), source, regions=group.regions))
    return tuple(found)


def vocabulary_texts() -> list[str]:
    """What a tokenizer for the embedded tasks is trained on: names, questions, answers, prompts."""
    fixed = [
        text
        for family, (task, _) in FAMILIES.items()
        for text in _prompt_texts(task, "", 2 if family == "pair" else 1)
        if text is not None
    ]
    return [*texts_for_vocabulary(), *fixed * REPEATED]


def _encoded(picture: PIL.Image.Image) -> bytes:
    """A BMP: written and read several times faster than a PNG, and nobody keeps it."""
    buffer = io.BytesIO()
    picture.save(buffer, "BMP")
    return buffer.getvalue()


@lru_cache(maxsize=20_000)
def _prompt_texts(task_name: str, question: str, images: int) -> tuple[str | None, ...]:
    """The texts of the task's prompt; None where it puts the next image."""
    row = {"question": question, "answer": "short"}
    sample = Sample("training", (Image(b""),) * images, ("",), row=row)
    parts = build_parts(load_task(task_name), sample)
    return tuple(part.text if isinstance(part, TextPart) else None for part in parts)
