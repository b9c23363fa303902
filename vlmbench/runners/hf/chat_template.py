"""Chat templates, which are code of strangers, rendered within bounds of time and memory.

Most have a shape that is quick whatever is asked, and are rendered by transformers as ever. Any
other is rendered by the same function of transformers, in a process that is stopped where it takes
too long or too much; transformers then gets a template that only writes down the result.
"""

from __future__ import annotations

import atexit
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from vlmbench.budget import BudgetedWorker, OverBudget
from vlmbench.errors import ModelError
from vlmbench.runners.hf.template_growth import is_bounded

_RENDERED = "vlmbench_rendered"
_WRITES_IT_DOWN = f"{{{{- messages[0]['{_RENDERED}'] -}}}}"


def render(processor: Any, conversation: Sequence[Mapping[str, Any]], template: str) -> str:
    """The prompt of one conversation as text.

    Raises:
        ModelError: The template takes too long or too much memory.
        Exception: Whatever the template raises.
    """
    turns, quick = within_bounds(processor, [conversation], template)
    prompt = processor.apply_chat_template(
        turns[0], chat_template=quick, add_generation_prompt=True, tokenize=False
    )
    return str(prompt)


def within_bounds(
    processor: Any, conversations: Sequence[Sequence[Mapping[str, Any]]], template: str
) -> tuple[list[Any], str]:
    """Conversations and a template that give the same prompts and are sure to be quick.

    Raises:
        ModelError: See `render`.
    """
    if is_bounded(template):
        return list(conversations), template
    tokenizer = getattr(processor, "tokenizer", processor)
    without_images = [[_without_image(turn) for turn in turns] for turns in conversations]
    try:
        prompts = _worker().call(
            _rendered, without_images, template, dict(tokenizer.special_tokens_map)
        )
    except OverBudget as error:
        name = getattr(tokenizer, "name_or_path", None) or "the model"
        raise ModelError(
            f"The chat template of {name} cannot be used, as {error}; correct its "
            "chat_template.jinja."
        ) from error
    return [
        [{**turns[0], _RENDERED: prompt}, *turns[1:]]
        for turns, prompt in zip(conversations, prompts, strict=True)
    ], _WRITES_IT_DOWN


@cache
def _worker() -> BudgetedWorker:
    worker = BudgetedWorker(modules=["transformers.utils.chat_template_utils"])
    atexit.register(worker.close)
    return worker


def _without_image(turn: Mapping[str, Any]) -> dict[str, Any]:
    """A message whose images are only said to be there, which is all that templates look at."""
    content = turn["content"]
    if not isinstance(content, str):
        content = [{**part, "image": ""} if "image" in part else part for part in content]
    return {**turn, "content": content}


def _rendered(
    conversations: list[list[dict[str, Any]]], template: str, tokens: dict[str, Any]
) -> list[str]:
    """Called in the other process."""
    from transformers.utils.chat_template_utils import render_jinja_template

    rendered: Any = render_jinja_template(
        conversations=conversations, chat_template=template, add_generation_prompt=True, **tokens
    )
    return [str(one) for one in rendered[0]]
