"""Examples that show the same pictures, cut into what they share and what each one asks.

The cut is made between tokens that all of them have, so that prefix and rest together are the
tokens which each example has alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from vlmbench.train.data.examples import Example

Tokens: TypeAlias = list[int]


@dataclass(frozen=True, slots=True)
class RowPlan:
    """What stands in one row of a batch."""

    examples: tuple[Example, ...]
    questions: tuple[Tokens, ...]
    """The tokens of each one's question behind the shared prefix; empty for an example alone."""


def alone(example: Example) -> RowPlan:
    """A row for one example."""
    return RowPlan((example,), ([],))


def plan_rows(
    group: Sequence[Example],
    prompt_tokens: Callable[[Sequence[Example]], list[Tokens]],
    image_tokens: frozenset[int],
) -> list[RowPlan]:
    """One row for the examples of a group that can share one, and a row for each other.

    Args:
        prompt_tokens: Makes the tokens of each question as the template writes it, an image as a
            mark.
        image_tokens: Such marks; nothing is shared where they are not known.
    """
    first = [image.digest for image in group[0].images]
    shown = [one for one in group if [image.digest for image in one.images] == first]
    if len(shown) < 2 or not first or not image_tokens:
        return [alone(one) for one in group]
    prompts = prompt_tokens(shown)
    cut = _common_length(prompts)
    questions = [prompt[cut:] for prompt in prompts]
    if any(image_tokens.intersection(question) for question in questions):
        return [alone(one) for one in group]
    others = [one for one in group if all(one is not other for other in shown)]
    return [RowPlan(tuple(shown), tuple(questions)), *(alone(one) for one in others)]


def image_tokens(processor: Any, tokenizer: Any, config: Any) -> frozenset[int]:
    """Ids of the tokens that stand for images in a prompt."""
    named = [getattr(one, "image_token", None) for one in (processor, tokenizer)]
    found = [tokenizer.convert_tokens_to_ids(name) for name in named if isinstance(name, str)]
    for holder in (processor, config):
        for attribute in ("image_token_id", "image_token_index"):
            found.append(getattr(holder, attribute, None))
    return frozenset(number for number in found if isinstance(number, int))


def _common_length(prompts: Sequence[Tokens]) -> int:
    """Tokens that all prompts begin with; one at least is left to each, which predicts the answer's
    first."""
    most = min(len(prompt) for prompt in prompts) - 1
    for at in range(most):
        if any(prompt[at] != prompts[0][at] for prompt in prompts):
            return at
    return most
