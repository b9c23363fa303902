"""What an example asks, as `vlmbench run` would ask it."""

from __future__ import annotations

from dataclasses import replace

from vlmbench.errors import DataError
from vlmbench.records import Generation, Image, ImagePart, Request, TextPart
from vlmbench.train.data.examples import Example, Turn
from vlmbench.train.later_images import shows_later_images


def split_turns(example: Example) -> tuple[list[Turn], list[Turn]]:
    """The turns before the first answer, and that answer with all that follows.

    Raises:
        DataError: The turns do not go system?, user, assistant, user, assistant ...; or an image
            stands in an answer.
    """
    turns = list(example.turns)
    while turns and turns[-1].role == "user":
        turns.pop()  # nobody answers it
    first = 1 if turns and turns[0].role == "system" else 0
    roles = [turn.role for turn in turns[first:]]
    if not roles or roles != ["user", "assistant"] * (len(roles) // 2):
        raise DataError(
            f"{place_of(example)} has the turns {', '.join(turn.role for turn in example.turns)}; "
            "they must alternate between user and assistant, after a system turn at most."
        )
    head, rest = turns[: first + 1], turns[first + 1 :]
    if any(isinstance(part, Image) for turn in rest[::2] for part in turn.parts):
        raise DataError(f"{place_of(example)} shows an image in an answer; leave the image out.")
    return head, rest


def question_of(example: Example, sample_id: str, *, max_new_tokens: int = 1) -> Request:
    """The question before the first answer, as `vlmbench run` would ask it.

    Raises:
        DataError: See `ExampleEncoder.batch`.
    """
    head, _ = split_turns(example)
    system = head[0].text if head[0].role == "system" else None
    return Request(sample_id, request_parts(head[-1]), Generation(max_new_tokens), system)


def first_request(example: Example, sample_id: str) -> Request:
    """The first question, or all of them where later images are shown."""
    first = question_of(example, sample_id)
    if not shows_later_images(example):
        return first
    later = [part for turn in split_turns(example)[1][1::2] for part in request_parts(turn)]
    return replace(first, parts=(*first.parts, *later))


def request_parts(turn: Turn) -> tuple[TextPart | ImagePart, ...]:
    """Texts and images of a turn, in order."""
    return tuple(
        TextPart(part) if isinstance(part, str) else ImagePart(part) for part in turn.parts
    )


def place_of(example: Example) -> str:
    """The row as messages name it."""
    return f"Row '{example.id}' of {example.source}"
