"""What generated tokens say: text without control tokens, but with the marks around reasoning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vlmbench.text.reasoning import is_reasoning_mark


def decode_answer(tokenizer: Any, tokens: Sequence[int]) -> str:
    """The text of generated tokens.

    Special tokens are left out, but for those that set reasoning apart from the answer
    (<think>, [THINK] ...): without them nobody could tell one from the other.
    """
    special = {
        number: token.content
        for number, token in tokenizer.added_tokens_decoder.items()
        if token.special
    }
    kept = [one for one in tokens if one not in special or is_reasoning_mark(special[one])]
    marked = any(one in special for one in kept)
    return str(
        tokenizer.decode(kept, skip_special_tokens=not marked, clean_up_tokenization_spaces=False)
    )
