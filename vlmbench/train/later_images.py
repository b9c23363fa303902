"""Conversations that show images behind an answer, as one prompt with a mark for each answer.

A processor places all images of a conversation at once, so it is given all turns up to the last
question. The marks say where its tokens are cut for the answers' own ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vlmbench.errors import DataError
from vlmbench.records import Image
from vlmbench.runners.hf.inputs import Encoder
from vlmbench.train.data.examples import Example


@dataclass(frozen=True, slots=True)
class Gap:
    """Where an answer belongs in the tokens of a marked prompt, and what it replaces there."""

    start: int
    end: int
    """Behind the mark and the stop token that the template writes there."""
    before: tuple[int, ...]
    """Tokens that stand before the answer when it is generated, and otherwise in the prompt."""


def shows_later_images(example: Example) -> bool:
    """Whether an image stands behind an answer that another answer follows."""
    roles = [turn.role for turn in example.turns]
    if "assistant" not in roles:
        return False
    last = len(roles) - 1 - roles[::-1].index("assistant")
    later = example.turns[roles.index("assistant") : last]
    return any(isinstance(part, Image) for turn in later for part in turn.parts)


def gaps(
    prompts: Encoder,
    messages: Sequence[Mapping[str, Any]],
    ids: Sequence[int],
    mark: tuple[int, str],
    place: str,
) -> list[Gap]:
    """Where the answers of a conversation belong.

    Args:
        messages: All turns up to the last question; every answer is the mark.
        ids: Their tokens as the processor writes them, without padding.
        mark: Id and text of the stop token.
        place: What the conversation is called in an error.

    Raises:
        DataError: The template writes no place for each image, or the marks are not found again.
    """
    token, text = mark
    whole = prompts.rendered(messages)
    _check_images(prompts, messages, whole, place)
    found = [at for at, one in enumerate(ids) if one == token]
    refusal = DataError(
        f"The chat template writes the earlier turns of {place} in a way in which its answers are "
        "not found again; split the conversation before each image."
    )
    if len(found) != whole.count(text):
        raise refusal
    result = []
    for at, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before = prompts.rendered(messages[:at])
        behind = whole[len(before) :].lstrip()
        if not before or not whole.startswith(before) or not behind.startswith(text):
            raise refusal
        number = before.count(text)
        start = found[number]
        space = whole[len(before) : len(whole) - len(behind)]
        dropped, kept = _without_space(prompts, before, space + text) if space else ([], [])
        if list(ids[start - len(dropped) : start]) != dropped:
            raise refusal
        ends = behind[len(text) :].lstrip(" ").startswith(text)
        end = found[number + 1] if ends else start
        result.append(Gap(start - len(dropped), end + 1, tuple(kept)))
    return result


def _without_space(prompts: Encoder, before: str, after: str) -> tuple[list[int], list[int]]:
    """The last tokens of a prompt with the space before an answer and the mark, and without."""
    without, marked = (
        list(prompts.tokenizer(one, add_special_tokens=False)["input_ids"])
        for one in (before, before + after)
    )
    marked.pop()
    same = 0
    while same < min(len(without), len(marked)) and without[same] == marked[same]:
        same += 1
    return marked[same:], without[same:]


def _check_images(
    prompts: Encoder, messages: Sequence[Mapping[str, Any]], whole: str, place: str
) -> None:
    """Sees that each image has its place, by the control tokens that the template writes."""
    images = [part for one in messages for part in _parts(one) if part["type"] == "image"]
    word = {"type": "text", "text": "a"}
    each, none = (
        prompts.control_tokens_in(prompts.rendered([{"role": "user", "content": content}]))
        for content in ([*images[:1], word], [word])
    )
    texts = [
        {**one, "content": [part for part in _parts(one) if part["type"] != "image"]}
        if _parts(one)
        else one
        for one in messages
    ]
    written = prompts.control_tokens_in(whole)
    expected = prompts.control_tokens_in(prompts.rendered(texts)) + len(images) * (each - none)
    if each == none or written != expected:
        raise DataError(
            f"The chat template does not give each of the {len(images)} images of {place} a place; "
            "split the conversation before each image."
        )


def _parts(message: Mapping[str, Any]) -> list[Any]:
    content = message["content"]
    return content if isinstance(content, list) else []
