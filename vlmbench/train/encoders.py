"""What the contrastive stage makes vectors with.

images   ImageEncoder: a vision tower with a new head; VlmImageEncoder: a VLM's own image tokens
texts    TextTower: a small transformer; TokenMeans: a language model's frozen embeddings
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor, nn

from vlmbench.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from vlmbench.records import Image

GetInputs: TypeAlias = Callable[[list[int]], Tensor]
"""From rows of the data to what the image encoder takes of them: pixels, or stored features."""


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


class VlmImageEncoder(nn.Module):
    """A VLM's own image tokens, averaged: trains its connector (and tower) in place.

    Args:
        vlm: LLaVA or InternVL, whose connector is an MLP, or BLIP-2.
        stored: It is given what `tower_features` made instead of pixels, not for BLIP-2: with a
            frozen tower a step then costs a hundredth.
    """

    def __init__(self, vlm: PreTrainedModel, *, stored: bool = False) -> None:
        super().__init__()
        self.vlm, self._stored = vlm, stored

    def forward(self, inputs: Tensor) -> Tensor:
        """Vectors (n, width of the language model) of pixels or stored features."""
        mean: Tensor = self.tokens(inputs).mean(dim=1)
        return mean

    def tokens(self, inputs: Tensor) -> Tensor:
        """What the language model will see, (n, tokens, width)."""
        model: Any = self.vlm
        with _stored_tower(model) if self._stored else nullcontext():
            tokens = model.get_image_features(pixel_values=inputs, return_dict=True).pooler_output
        if not isinstance(tokens, Tensor):  # LLaVA gives a list, an image each
            tokens = torch.stack(list(tokens))
        return tokens


@contextmanager
def _stored_tower(model: Any) -> Iterator[None]:
    """Puts a `_StoredTower` where the model's own tower is."""
    tower = model.model.vision_tower
    model.model.vision_tower = _StoredTower()
    try:
        yield
    finally:
        model.model.vision_tower = tower


class _StoredTower(nn.Module):
    """Stands in for a vision tower and gives back what it gave before."""

    def forward(self, pixel_values: Tensor, **options: Any) -> Any:
        from transformers.modeling_outputs import BaseModelOutputWithPooling

        layers: Any = (pixel_values,) * 3  # connectors read the last or the one before
        return BaseModelOutputWithPooling(last_hidden_state=pixel_values, hidden_states=layers)


@torch.no_grad()
def tower_features(
    vlm: PreTrainedModel, count: int, pixels: GetInputs, *, batch_size: int = 16
) -> Tensor:
    """What a VLM's vision tower gives its connector, (count, patches, width), for all rows.

    In memory: 10,000 pictures of 257 patches, 384 wide, in float32 are 3.9 GB.
    """
    model: Any = vlm
    model.eval()
    layer = model.config.vision_feature_layer
    batches = []
    for at in range(0, count, batch_size):
        rows = list(range(at, min(at + batch_size, count)))
        output = model.model.vision_tower(pixel_values=pixels(rows), output_hidden_states=True)
        is_last = model.config.model_type == "internvl" and layer == -1
        batches.append(output.last_hidden_state if is_last else output.hidden_states[layer])
    return torch.cat(batches)


def pixels_of(images: Sequence[Image], processor: Any) -> GetInputs:
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

    @property
    def variance(self) -> Tensor:
        """Mean square of the centered vectors' numbers."""
        table: Any = self.table
        square: Tensor = table.pow(2).mean()
        return square

    def uncentered(self, texts: Sequence[str]) -> Tensor:
        """The same as the language model has them, which is where image tokens should be."""
        center: Any = self.center
        vectors: Tensor = self(texts) + center
        return vectors


def _masked_mean(hidden: Tensor, mask: Tensor) -> Tensor:
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
