"""Neural encoders for the metrics that compare embeddings: texts, and images with texts.

Any encoder that transformers loads without code of its own: a directory, a name on the Hugging
Face Hub, or `name@revision`. An encoder stays loaded while it is in use, and works on the GPU
where there is one. Nothing here is imported before such a metric scores its first answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from vlmbench.errors import ModelError, UsageError
from vlmbench.hub import go_offline_if_unreachable, why_not_loaded
from vlmbench.models.hub_kernels import refuse_kernels_of
from vlmbench.models.load_errors import (
    BAD_CHECKPOINT,
    first_line,
    missing_package,
    needs_own_code,
)

if TYPE_CHECKING:
    import PIL.Image
    import torch

Embeddings: TypeAlias = npt.NDArray[np.float32]

NETWORK_BATCH_SIZE = 32
"""Texts or images that go through a network at once."""

_NO_LIMIT = 1_000_000
"""Tokenizers without a limit of their own name a number above this one."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """A text as its tokens and their vectors in context."""

    ids: tuple[int, ...]
    special: npt.NDArray[np.bool_]
    """Which tokens stand for no part of the text, such as [CLS]."""
    vectors: Embeddings
    """(tokens, width), each of length 1."""


@dataclass(frozen=True, slots=True)
class TextEncoder:
    """Contextual token vectors of one layer of a text encoder."""

    tokenizer: Any
    model: Any
    layer: int
    limit: int
    """Most tokens of a text; the rest is cut off."""

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """The token numbers of each text, special ones included, cut at the limit."""
        ids: list[list[int]] = self.tokenizer(
            list(texts), truncation=True, max_length=self.limit
        ).input_ids
        return ids

    def encode(self, texts: Sequence[str]) -> dict[str, Tokens]:
        """Each distinct text as vectors; texts of similar length go through together."""
        distinct = sorted(set(texts), key=lambda text: (len(text), text))
        found: dict[str, Tokens] = {}
        for start in range(0, len(distinct), NETWORK_BATCH_SIZE):
            batch = distinct[start : start + NETWORK_BATCH_SIZE]
            found.update(zip(batch, self._encode(batch), strict=True))
        return found

    def _encode(self, texts: Sequence[str]) -> list[Tokens]:
        import torch

        fields = self.tokenizer(
            list(texts),
            truncation=True,
            max_length=self.limit,
            padding=True,
            return_special_tokens_mask=True,
            return_tensors="pt",
        )
        special = fields.pop("special_tokens_mask").bool().numpy()
        with torch.inference_mode():
            layers = self.model(
                **fields.to(self.model.device), output_hidden_states=True
            ).hidden_states
            vectors = torch.nn.functional.normalize(layers[self.layer].float(), dim=-1).cpu()
        kept = fields["attention_mask"].bool().cpu().numpy()
        ids = fields["input_ids"].cpu().numpy()
        return [
            Tokens(tuple(ids[row][used].tolist()), special[row][used], vectors[row].numpy()[used])
            for row, used in enumerate(kept)
        ]


@dataclass(frozen=True, slots=True)
class ImageTextEncoder:
    """Embeddings of images and of texts in one space, as CLIP and SigLIP have them."""

    tokenizer: Any
    processor: Any
    model: Any
    limit: int

    def texts(self, texts: Sequence[str]) -> list[Embeddings]:
        """A vector of length 1 for each text; what is beyond the model's limit is cut off."""
        # SigLIP was trained on texts padded to one length and looks at the padding too.
        padding = "max_length" if self.model.config.model_type.startswith("siglip") else True
        return self._batches(
            texts,
            lambda batch: self.model.get_text_features(
                **self.tokenizer(
                    batch,
                    truncation=True,
                    max_length=self.limit,
                    padding=padding,
                    return_tensors="pt",
                ).to(self.model.device)
            ),
        )

    def images(self, pictures: Sequence[PIL.Image.Image]) -> list[Embeddings]:
        """A vector of length 1 for each picture."""
        return self._batches(
            pictures,
            lambda batch: self.model.get_image_features(
                **self.processor(images=batch, return_tensors="pt").to(self.model.device)
            ),
        )

    def _batches(
        self, items: Sequence[Any], features: Callable[[list[Any]], Any]
    ) -> list[Embeddings]:
        import torch

        rows: list[Embeddings] = []
        with torch.inference_mode():
            for start in range(0, len(items), NETWORK_BATCH_SIZE):
                found = features(list(items[start : start + NETWORK_BATCH_SIZE]))
                pooled: torch.Tensor = getattr(found, "pooler_output", found)
                rows += [*torch.nn.functional.normalize(pooled.float(), dim=-1).cpu().numpy()]
        return rows


@lru_cache(maxsize=1)
def text_encoder(name: str, layer: int) -> TextEncoder:
    """A text encoder by directory or name on the Hub.

    Args:
        name: The directory, `org/name` or `org/name@revision`.
        layer: Which layer's vectors; 0 is the embedding before the first layer.

    Raises:
        UsageError: The encoder has fewer layers.
        ModelError: It cannot be loaded.
        DependencyError: It needs a package that is not installed.
    """
    tokenizer, model = _load(name, "AutoTokenizer", "AutoModel")
    layers = model.config.num_hidden_layers
    if layer > layers:
        raise UsageError(
            f"The encoder {name} has {layers} layers, so there is no layer {layer}; give the "
            f"option 'layer' a whole number from 0 to {layers}."
        )
    return TextEncoder(tokenizer, model, layer, _limit(tokenizer, model.config))


@lru_cache(maxsize=1)
def image_text_encoder(name: str) -> ImageTextEncoder:
    """A CLIP-like encoder by directory or name on the Hub.

    Raises:
        ModelError: It cannot be loaded, or has no features for both images and texts.
        DependencyError: It needs a package that is not installed.
    """
    tokenizer, processor, model = _load(name, "AutoTokenizer", "AutoImageProcessor", "AutoModel")
    if not (hasattr(model, "get_text_features") and hasattr(model, "get_image_features")):
        raise ModelError(
            f"The encoder {name} is a '{model.config.model_type}', which does not put images and "
            "texts in one space; choose a CLIP or SigLIP model."
        )
    return ImageTextEncoder(
        tokenizer, processor, model, _limit(tokenizer, model.config.text_config)
    )


def _limit(tokenizer: Any, config: Any) -> int:
    positions = int(config.max_position_embeddings)
    if tokenizer.model_max_length < _NO_LIMIT:
        return min(int(tokenizer.model_max_length), positions)
    # RoBERTa and its kin number positions from 2.
    return positions - 2


def _load(name: str, *kinds: str) -> list[Any]:
    """What transformers' classes `kinds` make of an encoder; the last one is its network."""
    location, revision = _parts(name)
    is_local = Path(location).expanduser().is_dir()
    if not is_local:
        go_offline_if_unreachable()
    import torch
    import transformers

    messages: Any = transformers.utils.logging
    messages.set_verbosity_error()
    messages.disable_progress_bar()
    source = str(Path(location).expanduser()) if is_local else location
    try:
        refuse_kernels_of(source, revision)
        loaded = [
            getattr(transformers, kind).from_pretrained(
                source, revision=revision, trust_remote_code=False
            )
            for kind in kinds
        ]
    except ImportError as error:
        raise missing_package(f"encoder {name}", error) from error
    except BAD_CHECKPOINT as error:
        raise ModelError(_why_not(name, location, error, is_local=is_local)) from error
    device = "cuda" if torch.cuda.is_available() else "cpu"
    loaded[-1] = loaded[-1].to(device=device, dtype=torch.float32).eval()
    return loaded


def _parts(name: str) -> tuple[str, str | None]:
    """Location and revision of `location@revision`; a directory may have any name."""
    location, at, revision = name.rpartition("@")
    if not at or Path(name).is_dir():
        return name, None
    return location, revision


def _why_not(name: str, location: str, error: Exception, *, is_local: bool) -> str:
    if needs_own_code(error):
        return (
            f"The encoder {name} needs its own Python code, which vlmbench does not run; choose "
            "another one with the option 'model'."
        )
    if is_local or location.startswith((".", "/", "~")):
        return (
            f"The encoder {name} cannot be loaded ({first_line(error)}); give the option 'model' "
            "a complete directory with configuration, weights and tokenizer."
        )
    return why_not_loaded(
        error,
        f"encoder '{name}'",
        local="give the option 'model' the directory of a downloaded one",
    )
