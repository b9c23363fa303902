"""Special tokens that a server may leave in its answers, where the model's tokenizer is known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vlmbench.text.reasoning import is_reasoning_mark

FILES = ("tokenizer.json", "tokenizer_config.json")


def special_tokens(model: str) -> list[str]:
    """The special tokens of a model's tokenizer, longest first, but for the marks of reasoning.

    Args:
        model: As the server knows it: a checkpoint directory, or a model of the Hub, whose files
            are looked for in the local cache alone. Of anything else no tokenizer is known, and
            there are none.
    """
    found = {token for name in FILES for token in _special(_content(model, name))}
    kept = (token for token in found if token and not is_reasoning_mark(token))
    return sorted(kept, key=lambda token: (-len(token), token))


def _content(model: str, name: str) -> Any:
    path = Path(model) / name
    if not path.is_file():
        cached = _cached(model, name)
        if cached is None:
            return None
        path = cached
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


def _cached(model: str, name: str) -> Path | None:
    """The newest copy of a file that the Hub's client has here."""
    if model.count("/") != 1:
        return None
    import huggingface_hub
    from huggingface_hub.errors import HFValidationError

    try:
        found = huggingface_hub.try_to_load_from_cache(model, name)
    except HFValidationError:  # no name of the Hub
        return None
    return Path(found) if isinstance(found, str) else None


def _special(content: Any) -> Iterator[str]:
    """The special tokens in either file."""
    if not isinstance(content, dict):
        return
    decoder = content.get("added_tokens_decoder")
    listed = content.get("added_tokens")
    tokens = [
        *(listed if isinstance(listed, list) else ()),
        *(decoder.values() if isinstance(decoder, dict) else ()),
    ]
    for token in tokens:
        if isinstance(token, dict) and token.get("special") is True:
            yield str(token.get("content", ""))
