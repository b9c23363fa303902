"""The image encoder and the language model that `train init` puts together, as they are loaded."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.errors import ModelError, UsageError
from vlmbench.hub import go_offline_if_unreachable, why_not_loaded
from vlmbench.models.hub_kernels import refuse_kernels_of
from vlmbench.models.load_errors import BAD_CHECKPOINT, first_line
from vlmbench.train.connector_models import ImageInput, Parts
from vlmbench.train.connectors import Connector

if TYPE_CHECKING:
    from transformers import PreTrainedModel

TOWER_CLASSES = {
    "siglip_vision_model": "SiglipVisionModel",
    "clip_vision_model": "CLIPVisionModel",
    "dinov2": "Dinov2Model",
    "vit": "ViTModel",
    "blip_2_vision_model": "Blip2VisionModel",
    "idefics2_vision": "Idefics2VisionTransformer",
    "mllama_vision_model": "MllamaVisionModel",
}
"""Class of transformers by `model_type`."""

UNUSED = re.compile(r"<\|?(unused|reserved_special_token_|extra_)_?\d+\|?>|\[unused\d+\]")
"""Names of tokens that a vocabulary keeps for such purposes."""

OPENAI_CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
NORMALIZATION = {"clip_vision_model": OPENAI_CLIP, "dinov2": IMAGENET}
"""Mean and standard deviation where no preprocessor_config.json says them; others have 0.5."""


def prepare_libraries(*sources: str) -> None:
    """No progress bars, and no minutes of retries at a Hub that cannot be reached."""
    if not all(Path(source).is_dir() for source in sources):
        go_offline_if_unreachable()
    import transformers

    messages: Any = transformers.utils.logging
    messages.set_verbosity_error()
    messages.disable_progress_bar()


@contextmanager
def _explained(source: str, what: str) -> Iterator[None]:
    """Errors of loading a part, in one sentence."""
    try:
        yield
    except BAD_CHECKPOINT as error:
        if not Path(source).is_dir():
            local = "give the directory of a downloaded one"
            raise ModelError(why_not_loaded(error, f"{what} '{source}'", local=local)) from error
        raise ModelError(
            f"The {what} in {source} cannot be loaded ({type(error).__name__}: "
            f"{first_line(error)}); give a complete checkpoint, or a directory with a config.json."
        ) from error


def _has_weights(source: str) -> bool:
    """Whether there is more than a configuration; taken for granted on the Hub."""
    folder = Path(source)
    return not folder.is_dir() or any(
        any(folder.glob(pattern)) for pattern in ("*.safetensors", "*.bin")
    )


def vision_config_of(source: str) -> Any:
    """The configuration of the image encoder, also where it is part of a larger model.

    Raises:
        ModelError: There is none.
    """
    from transformers import AutoConfig

    with _explained(source, "image encoder"):
        refuse_kernels_of(source)
        config = AutoConfig.from_pretrained(source)
        return getattr(config, "vision_config", config)


def language_config_of(source: str) -> Any:
    """The configuration of the language model.

    Raises:
        ModelError: There is none.
    """
    from transformers import AutoConfig

    with _explained(source, "language model"):
        refuse_kernels_of(source)
        return AutoConfig.from_pretrained(source)


def load_parts(
    vision: str,
    vision_config: Any,
    language: str,
    language_config: Any,
    connector: Connector,
    *,
    image_size: int | None = None,
    image_tokens: int | None = None,
) -> Parts:
    """Both parts in float32, with a tokenizer that knows the connector's tokens.

    Args:
        image_size: Side of what the image encoder sees, in pixels; its own unless given.
        image_tokens: Tokens of an image; the connector's usual number unless given.

    Raises:
        ModelError: A part is missing or incomplete.
        UsageError: The language model's output layer has a bias.
    """
    import torch

    formats = [one.dtype or torch.float32 for one in (vision_config, language_config)]
    return Parts(
        vision=_load_vision(vision, vision_config),
        language=_load_language(language, language_config),
        tokenizer=load_tokenizer(language, connector),
        image=_sized(_image_input(vision, vision_config), vision_config, image_size),
        stored_as=torch.promote_types(*formats),
        image_tokens=image_tokens,
    )


def _load_vision(source: str, config: Any) -> PreTrainedModel:
    import transformers

    if hasattr(config, "vision_use_head"):
        config.vision_use_head = False  # pools into one vector, while the connector takes patches
    cls: Any = getattr(transformers, TOWER_CLASSES[config.model_type], None)
    if cls is None:  # not offered at the top
        from transformers.models.idefics2.modeling_idefics2 import Idefics2VisionTransformer

        cls = Idefics2VisionTransformer
    return _load(cls, source, config, "image encoder")


def _load_language(source: str, config: Any) -> PreTrainedModel:
    from transformers import AutoModelForCausalLM

    model = _load(AutoModelForCausalLM, source, config, "language model")
    head: Any = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    if head is None or getattr(head, "bias", None) is not None:
        raise UsageError(
            f"The language model {source} has an output layer with a bias, which no assembled "
            "model has; choose another one."
        )
    return model


def _load(cls: Any, source: str, config: Any, what: str) -> PreTrainedModel:
    """The model in float32, which holds every stored number as it is."""
    import torch

    with _explained(source, what):
        if not _has_weights(source):
            build = getattr(cls, "_from_config", None) or cls.from_config
            model = build(copy.deepcopy(config), dtype=torch.float32)
        else:
            model, report = cls.from_pretrained(
                source, config=config, dtype=torch.float32, output_loading_info=True
            )
            missing = [one for one in report["missing_keys"] if not one.startswith("pooler.")]
            if missing:
                raise ModelError(
                    f"The {what} {source} lacks weights ({sorted(missing)[0]} and "
                    f"{len(missing) - 1} more); give a complete checkpoint."
                )
    loaded: PreTrainedModel = model.eval()
    return loaded


def load_tokenizer(source: str, connector: Connector) -> Any:
    """The language model's tokenizer, with the special tokens that the connector needs.

    A usual spelling is kept where the vocabulary has it; else an unused token is taken, and only
    where there is none a token is added.

    Raises:
        ModelError: There is no tokenizer.
    """
    from transformers import AutoTokenizer

    with _explained(source, "tokenizer"):
        tokenizer: Any = AutoTokenizer.from_pretrained(source)
    vocabulary = tokenizer.get_vocab()
    unused = iter(sorted(filter(UNUSED.fullmatch, vocabulary), key=vocabulary.__getitem__))
    chosen = {
        role: next((one for one in usual if one in vocabulary), None) or next(unused, usual[0])
        for role, usual in connector.tokens.items()
    }
    if chosen:
        tokenizer = AutoTokenizer.from_pretrained(source, extra_special_tokens=chosen)
    if connector.fixed_image_token:
        tokenizer.add_special_tokens(
            {"additional_special_tokens": [connector.fixed_image_token]},
            replace_extra_special_tokens=False,
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "left"
    return tokenizer


def _sized(image: ImageInput, config: Any, side: int | None) -> ImageInput:
    """The input with another side, where the encoder's positions can be resized.

    Raises:
        UsageError: They cannot, or the side holds no whole number of patches.
    """
    if side is None or side == image.side:
        return image
    if config.model_type != "dinov2":
        raise UsageError(
            f"An image encoder of the kind {config.model_type} sees {image.side} pixels a side "
            "and no others; leave the image size out."
        )
    if side % int(config.patch_size):
        raise UsageError(
            f"The image size {side} is no multiple of the patches' side, {config.patch_size}; "
            f"choose {side - side % int(config.patch_size)}."
        )
    return replace(image, side=side)


def _image_input(source: str, config: Any) -> ImageInput:
    """From the encoder's preprocessor_config.json, or what is usual for its kind."""
    from transformers import AutoImageProcessor

    mean, std = NORMALIZATION.get(config.model_type, HALF)
    side = int(config.image_size)
    try:
        found: Any = AutoImageProcessor.from_pretrained(source)  # type: ignore[no-untyped-call]
    except BAD_CHECKPOINT:
        return ImageInput(side, mean, std)
    if config.model_type == "dinov2":  # its positions are resized; the others' are not
        crop = getattr(found, "crop_size", None) if found.do_center_crop else found.size
        side = int((crop or {}).get("height") or (crop or {}).get("shortest_edge") or side)
        side -= side % (2 * int(config.patch_size))
    return ImageInput(side, tuple(found.image_mean), tuple(found.image_std))
