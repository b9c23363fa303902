"""What the contrastive stage makes vectors with.

images   ImageEncoder: a vision tower with a new head; VlmImageEncoder: a VLM's own image tokens
texts    TextTower: a small transformer; TokenMeans: a language model's frozen embeddings
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor, nn

from vlmbench.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from vlmbench.records import Image

GetPixels: TypeAlias = Callable[[list[int]], Tensor]
"""From rows of the data to their pixels."""


class ImageEncoder(nn.Module):
    """A vision tower whose patches are averaged and projected.

    Args:
        tower: A vision model of transformers.
        width: Of the result.
    """

    def __init__(self, tower: PreTrainedModel, width: int) -> None:
        super().__init__()
        self.tower = tower
        config: Any = tower.config
        self.head = nn.Linear(config.hidden_size, width)

    def forward(self, pixels: Tensor) -> Tensor:
        """Vectors (n, width) of pixels (n, 3, height, width)."""
        output: Any = self.tower(pixel_values=pixels, output_hidden_states=True)
        # The last layer before its norm: what LLaVA will read.
        patches: Tensor = self.head(output.hidden_states[-1].mean(dim=1))
        return patches


@dataclass(frozen=True, slots=True)
class Seen:
    """What a connector takes of some images or regions, one behind the other."""

    values: Tensor
    """(tokens of all, width of what the connector takes)."""
    owners: Tensor
    """(tokens of all): the number of the image or region that each belongs to, in order."""
    count: int
    """Of images or regions."""


GetInputs: TypeAlias = Callable[[list[int]], "Tensor | Seen"]
"""From rows of the data to what the image encoder takes of them: pixels, or what is stored."""


class VlmImageEncoder(nn.Module):
    """A VLM's own image tokens, averaged: trains its connector (and tower) in place.

    Args:
        vlm: LLaVA or InternVL, whose connector is an MLP, or BLIP-2.
    """

    def __init__(self, vlm: PreTrainedModel) -> None:
        super().__init__()
        self.vlm = vlm

    def forward(self, inputs: Tensor | Seen) -> Tensor:
        """Vectors (n, width of the language model) of images or regions."""
        tokens = self.tokens(inputs)
        return mean_of_each(tokens.values, tokens)

    def tokens(self, inputs: Tensor | Seen) -> Seen:
        """What the language model will see.

        Args:
            inputs: Pixels; or what a frozen tower gave before, see `connector_inputs`, with which
                a step costs a hundredth.
        """
        model: Any = self.vlm
        if isinstance(inputs, Seen):
            projector = model.model.multi_modal_projector
            values = inputs.values.to(next(projector.parameters()).dtype)
            return replace(inputs, values=projector(values))
        tokens = model.get_image_features(pixel_values=inputs, return_dict=True).pooler_output
        if not isinstance(tokens, Tensor):  # LLaVA gives a list, an image each
            tokens = torch.stack(list(tokens))
        return seen(tokens)


def seen(tokens: Tensor) -> Seen:
    """All tokens of some images, given as (n, tokens, width)."""
    owners = torch.arange(len(tokens), device=tokens.device).repeat_interleave(tokens.shape[1])
    return Seen(tokens.flatten(0, 1), owners, len(tokens))


def mean_of_each(values: Tensor, of: Seen) -> Tensor:
    """The mean over the tokens of each image or region, (n, ...)."""
    sums = values.new_zeros((of.count, *values.shape[1:])).index_add(0, of.owners, values)
    counts = torch.bincount(of.owners, minlength=of.count).clamp(min=1)
    means: Tensor = sums / counts.reshape(-1, *[1] * (values.ndim - 1))
    return means


@torch.no_grad()
def connector_inputs(
    vlm: PreTrainedModel,
    count: int,
    pixels: GetPixels,
    *,
    dtype: torch.dtype = torch.float32,
    batch_size: int = 8,
) -> Tensor:
    """What a VLM's connector is given of all rows, (count, tokens, width), in its own order.

    In memory: 3,000 pictures of 576 patches, 384 wide, in bfloat16 are 1.3 GB.
    """
    model: Any = vlm
    model.eval()
    found: list[Tensor] = []

    def keep(_: Any, arguments: tuple[Tensor, ...]) -> None:
        given = arguments[0]
        found.append(given.reshape(len(rows), -1, given.shape[-1]).to(dtype))

    with model.model.multi_modal_projector.register_forward_pre_hook(keep):
        for at in range(0, count, batch_size):
            rows = list(range(at, min(at + batch_size, count)))
            model.get_image_features(pixel_values=pixels(rows), return_dict=True)
    return torch.cat(found)


def pixels_of(images: Sequence[Image], processor: Any) -> GetPixels:
    """Decoded when asked for and not kept.

    Args:
        processor: An image processor of transformers that makes one square of an image.
    """

    def get(rows: list[int]) -> Tensor:
        pictures = [images[row].decode() for row in rows]
        pixels: Tensor = processor(images=pictures, return_tensors="pt")["pixel_values"]
        return pixels

    return get


class TextTower(nn.Module):
    """A small transformer over a tokenizer's tokens, trained along with the images.

    Args:
        tokenizer: With a padding token.
        width: Of the result and inside.
    """

    def __init__(
        self, tokenizer: Any, width: int, *, layers: int = 2, heads: int = 4, max_length: int = 64
    ) -> None:
        super().__init__()
        self._tokenizer, self._max_length = tokenizer, max_length
        self.tokens = nn.Embedding(len(tokenizer), width)
        self.positions = nn.Embedding(max_length, width)
        layer = nn.TransformerEncoderLayer(
            width, heads, 4 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)

    def forward(self, texts: Sequence[str]) -> Tensor:
        """Vectors (n, width); what stands behind `max_length` tokens does not count."""
        encoded = self._tokenizer(
            list(texts),
            padding=True,
            truncation=True,
            max_length=self._max_length,
            return_tensors="pt",
        )
        ids = encoded["input_ids"].to(self.tokens.weight.device)
        mask = encoded["attention_mask"].to(ids.device).bool()
        hidden = self.tokens(ids) + self.positions(torch.arange(ids.shape[1], device=ids.device))
        hidden = self.layers(hidden, src_key_padding_mask=~mask)
        return _masked_mean(hidden, mask)


class TokenMeans(nn.Module):
    """The mean of a language model's own token embeddings, centered; nothing to train.

    Names as they are have a mean |cosine| of 0.40 under Gemma 3 270M, of 0.08 after centering.

    Args:
        texts: All that will be asked for; their mean is the center.
    """

    def __init__(self, language: PreTrainedModel, tokenizer: Any, texts: Sequence[str]) -> None:
        super().__init__()
        embed: Any = language.get_input_embeddings()
        distinct = sorted(set(texts))
        rows = []
        with torch.no_grad():
            for text in distinct:
                ids = tokenizer.encode(text, add_special_tokens=False)
                if not ids:
                    raise DataError(f"The text {text!r} has no token to compare with an image.")
                rows.append(embed(torch.tensor(ids, device=embed.weight.device)).float().mean(0))
        table = torch.stack(rows)
        self._rows = {text: row for row, text in enumerate(distinct)}
        self.register_buffer("center", table.mean(dim=0), persistent=False)
        self.register_buffer("table", table - table.mean(dim=0), persistent=False)

    def forward(self, texts: Sequence[str]) -> Tensor:
        """Vectors (n, width of the language model)."""
        table: Any = self.table
        rows: Tensor = table[[self._rows[text] for text in texts]]
        return rows


def _masked_mean(hidden: Tensor, mask: Tensor) -> Tensor:
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
