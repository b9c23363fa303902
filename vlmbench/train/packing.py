"""Several questions on the same pictures in one row: prefix, question 1, answer 1, question 2 ...

An attention mask lets each question see the prefix and itself only, and each goes on from the
prefix's positions. So every answer gets the logits that it would get alone, and the pictures are
looked at once. Whether that holds for a model is measured before it is relied on.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch

from vlmbench.errors import ModelError
from vlmbench.train.batch import PREFIX


def packed_arguments(
    model: Any, inputs: Mapping[str, torch.Tensor], segments: torch.Tensor
) -> dict[str, Any]:
    """The model's arguments that keep the questions of a row apart.

    Args:
        inputs: The model's other arguments, with `attention_mask` of shape (rows, tokens).
        segments: (rows, tokens), see `Batch.segments`.

    Raises:
        ModelError: Some layers of the model attend in a way that no mask describes.
    """
    places, offsets = _places(segments)
    return {
        "attention_mask": _masks(model, inputs, segments, places),
        "position_ids": _positions(model, inputs, segments, places, offsets),
    }


def _places(segments: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Where each token would stand in a row of its own, and where within its segment."""
    index = torch.arange(segments.shape[1], device=segments.device).expand_as(segments)
    begins = segments != segments.roll(1, dims=1)
    begins[:, 0] = True
    offsets = index - (index * begins).cummax(1).values
    prefix = (segments == PREFIX).sum(1, keepdim=True)
    return torch.where(segments > PREFIX, prefix + offsets, offsets), offsets


def _positions(
    model: Any,
    inputs: Mapping[str, torch.Tensor],
    segments: torch.Tensor,
    places: torch.Tensor,
    offsets: torch.Tensor,
) -> torch.Tensor:
    """Each token's position alone: its place, or time, height and width where the model has them.

    What stands behind the images is text, which goes on from the largest position on all axes.
    """
    index = getattr(getattr(model, "model", model), "get_rope_index", None)
    if index is None:
        return places
    accepted = inspect.signature(index).parameters
    whole, _ = index(**{name: value for name, value in inputs.items() if name in accepted})
    shared = segments == PREFIX
    reached = whole.masked_fill(~shared, -1).amax((0, 2))[:, None]
    return torch.where(shared, whole, torch.where(segments > PREFIX, reached + 1 + offsets, 0))


def _masks(
    model: Any, inputs: Mapping[str, torch.Tensor], segments: torch.Tensor, places: torch.Tensor
) -> Any:
    """(rows, 1, query, key) for all layers, or one for each kind of layer."""
    text = model.config.get_text_config()
    allowed = _allowed(segments)
    types = inputs.get("token_type_ids")
    if getattr(text, "use_bidirectional_attention", None) == "vision":  # the larger Gemma 4
        types = inputs.get("mm_token_type_ids")
    if types is not None:
        allowed |= _same_image(types)
    window = getattr(text, "sliding_window", None)
    near = allowed
    if window is not None:
        near = allowed & (places[:, :, None] - places[:, None, :] < window)
    kinds = set(getattr(text, "layer_types", None) or ())
    by_kind = {"full_attention": allowed, "sliding_attention": near}
    if unknown := kinds - by_kind.keys():
        raise ModelError(f"Layers of the kind {min(unknown)} cannot keep packed questions apart.")
    masks = {kind: _for_attention(model, text, by_kind[kind]) for kind in kinds}
    if len(masks) > 1:
        return masks
    return next(iter(masks.values()), None) if masks else _for_attention(model, text, near)


def _allowed(segments: torch.Tensor) -> torch.Tensor:
    length = segments.shape[1]
    earlier = torch.ones(length, length, dtype=torch.bool, device=segments.device).tril()
    query, key = segments[:, :, None], segments[:, None, :]
    return earlier & ((query == key) | (key == PREFIX))


def _same_image(token_types: torch.Tensor) -> torch.Tensor:
    """Pairs of tokens of one image, which Gemma lets see one another in both directions."""
    shown = token_types == 1
    begins = shown & ~torch.nn.functional.pad(shown, (1, 0))[:, :-1]
    number = begins.cumsum(1) * shown
    return (number[:, :, None] == number[:, None, :]) & shown[:, :, None]


def _for_attention(model: Any, text: Any, allowed: torch.Tensor) -> torch.Tensor:
    """The mask as the model's attention takes it: yes and no, or what is added to the scores."""
    if text._attn_implementation != "eager":
        return allowed[:, None]
    added = torch.zeros(allowed.shape, dtype=model.dtype, device=allowed.device)
    return added.masked_fill(~allowed, torch.finfo(model.dtype).min)[:, None]
