"""How a base model without a chat template is asked: in the form of a text that it goes on with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

COMPLETION = (
    "{%- for message in messages -%}"
    "{%- if message.role == 'assistant' -%}{{ '\n答え:' + message.content + '\n' }}"
    "{%- elif message.role == 'system' -%}{{ message.content + '\n' }}"
    "{%- else -%}{{ message.content | trim }}{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '\n答え:' }}{%- endif -%}"
)
"""For a base model without a chat template: question, answer, one line break after each. Its own
turn tokens were never trained, so an answer that ended with one would have to be learned first."""

BASE_MODEL = (
    "The checkpoint {} brings no chat template, so it was asked as a base model: the question, a "
    "line break, '答え:', and an answer that ends at a line break."
)


def completion_ends(tokenizer: Any, ends: int | Sequence[int] | None) -> list[int]:
    """Ids of the tokens that end an answer of such a model: its own, and a line break.

    Args:
        ends: The model's own, as its generation config has them.
    """
    known = ends if ends is not None else tokenizer.eos_token_id
    found = [known] if isinstance(known, int) else list(known or [])
    line_break = tokenizer.encode("\n", add_special_tokens=False)
    return found + (line_break if len(line_break) == 1 else [])
