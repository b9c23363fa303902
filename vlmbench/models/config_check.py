"""Which numbers of a config.json cannot be a model's, told before anything is made from them.

transformers makes a list with an entry a layer while it reads the file, and then the layers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from vlmbench.errors import ModelError

MOST_LAYERS = 1_000
"""Llama 3.1 405B, as deep as any that transformers loads, has 126."""
MOST_PARTS = 100_000
"""Heads or experts of a layer; Kimi K2 has 384 experts."""
MOST = 2**40
"""Of any other size."""

_LAYERS = re.compile(r"(num|n)_([a-z]+_)*(layers?|blocks|stages)|depths?|.*_depths?")
_PARTS = re.compile(r"(num|n)_([a-z]+_)*(heads?|experts|queries|groups|tokens)")
_SIZES = re.compile(r".*_(size|dim|rank|channels|embeddings)|d_model|n_embd")
_NEVER_ZERO = frozenset(
    {
        *("hidden_size", "vocab_size", "num_hidden_layers", "num_attention_heads"),
        *("embed_dim", "num_heads", "patch_size", "d_model"),
    }
)
_MOST_OF_IMAGE = {"min_pixels": 2**24, "shortest_edge": 2**24, "height": 2**14, "width": 2**14}
"""What images are enlarged to; `shortest_edge` is a number of pixels in some processors."""
_DEEPEST = 50
"""Objects in objects; real ones are three deep."""


def check_config(config: Mapping[str, Any], location: str) -> None:
    """See that a config.json's counts and sizes are numbers that a model can have.

    Raises:
        ModelError: One is not; the sentence names it.
    """
    kind = config.get("model_type")
    if kind is not None and not isinstance(kind, str):
        raise _impossible(location, "model_type", kind, "a text")
    for path, value in _leaves(config, "", _DEEPEST):
        wanted = _wanted(path, value)
        if wanted:
            raise _impossible(location, path, value, wanted)


def check_parsed_config(config: Any, location: str) -> None:
    """See that nothing is null without which no text model can be made.

    Args:
        config: As transformers reads it, which fills in defaults.

    Raises:
        ModelError: Something is.
    """
    text = config.get_text_config()
    for name in ("hidden_size", "vocab_size", "num_hidden_layers"):
        if getattr(text, name, 1) is None:
            raise _impossible(location, name, None, "a whole number")


def check_image_sizes(processor: Mapping[str, Any], location: str) -> None:
    """See that a processor makes no image so large that the memory would be full.

    Args:
        processor: The settings of its image processor, under whatever keys.

    Raises:
        ModelError: It does.
    """
    for path, value in _leaves(processor, "", _DEEPEST):
        most = _MOST_OF_IMAGE.get(path.rpartition(".")[2])
        if most and isinstance(value, int | float) and not value <= most:
            raise ModelError(
                f"The image processor of {location} makes images too large: '{path}' is {value:,}, "
                f"and has to be {most:,} at most; restore its file."
            )


def _wanted(path: str, value: Any) -> str:
    """What should stand there instead, as "a whole number"; empty if the value can be."""
    name = path.rpartition(".")[2]
    most = MOST_LAYERS if _LAYERS.fullmatch(name) else MOST_PARTS if _PARTS.fullmatch(name) else 0
    most = most or (MOST if _SIZES.fullmatch(name) else 0)
    if not most or value is None:  # null stands for what the class has by itself
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        # Other sizes may be words, as the size of a picture in some processors is.
        return "a whole number" if name in _NEVER_ZERO else ""
    least = 1 if name in _NEVER_ZERO else -1  # -1 stands for "none" in some
    if not least <= value <= most:
        return f"a whole number from {least} to {most:,}"
    return ""


def _leaves(value: Any, path: str, left: int) -> Iterator[tuple[str, Any]]:
    """Every value that is no object, with its keys; entries of lists have that of the list."""
    if isinstance(value, Mapping):
        if left:
            for key, inner in value.items():
                yield from _leaves(inner, f"{path}.{key}" if path else str(key), left - 1)
    elif isinstance(value, list):
        if left:
            for inner in value:
                yield from _leaves(inner, path, left - 1)
    else:
        yield path, value


def _impossible(location: str, path: str, value: Any, wanted: str) -> ModelError:
    shown = "null" if value is None else repr(value)
    shown = shown if len(shown) <= 40 else f"{shown[:40]}..."
    return ModelError(
        f"The config.json of {location} cannot be a model's: '{path}' is {shown}, and has to be "
        f"{wanted}; restore the file."
    )
