"""The connectors that `train init` can put between an image encoder and a language model.

    mlp               LLaVA (SigLIP, CLIP) and InternVL (DINOv2): an MLP on the patches
    qformer           BLIP-2: queries that read the patches, in front of the text
    resampler         Idefics2: a perceiver resampler, as many tokens for every image
    cross-attention   Mllama: new layers inside the language model look at the patches

Each makes a stock transformers model with random weights and says how the weights of the two
parts are named inside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vlmbench.errors import UsageError
from vlmbench.train.connector_models import (
    Parts,
    Weights,
    base_and_head,
    blip2_processor,
    build_blip2,
    build_idefics2,
    build_internvl,
    build_llava,
    build_mllama,
    dino_weights,
    idefics2_processor,
    internvl_processor,
    llama_weights,
    llava_processor,
    mllama_processor,
    same_weights,
    vit_weights,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True)
class Connector:
    """One way of putting an image encoder and a language model together."""

    name: str
    family: str
    """As people call models of this kind."""
    towers: tuple[str, ...]
    """`model_type` of the image encoders that fit."""
    languages: tuple[str, ...] | None
    """`model_type` of the language models that fit; None: all that transformers loads."""
    tokens: Mapping[str, tuple[str, ...]]
    """Special tokens by the name that the processor asks for, each with usual spellings."""
    build: Callable[[Parts], PreTrainedModel]
    processor: Callable[[Parts, str], Any]
    """From the parts and a chat template."""
    vision_weights: Callable[[Parts], Weights]
    language_weights: Callable[[Parts], Weights]
    vision_path: str
    """Of the image encoder in the assembled model."""
    language_paths: tuple[str, ...]
    """Of the language model, with its head if that is apart."""
    output: str
    """Module whose output enters the language model; its weights set the scale."""
    placeholder: Callable[[Any], str]
    """What stands for an image in a prompt, from the tokenizer."""
    fixed_image_token: str | None = None
    """Where the processor takes no other spelling."""


def find_connector(name: str, tower: str, language: str) -> Connector:
    """The connector of that name that suits both model types.

    Raises:
        UsageError: None does.
    """
    named = [one for one in CONNECTORS if one.name == name]
    if not named:
        known = ", ".join(dict.fromkeys(one.name for one in CONNECTORS))
        raise UsageError(f"There is no connector '{name}'; choose one of {known}.")
    fitting = [one for one in named if tower in one.towers]
    if not fitting:
        towers = ", ".join(sorted(one for each in named for one in each.towers))
        raise UsageError(
            f"The image encoder is a '{tower}', which the connector '{name}' cannot hold with its "
            f"weights as they are; it takes {towers}."
        )
    (connector,) = fitting
    if connector.languages is not None and language not in connector.languages:
        raise UsageError(
            f"The language model is a '{language}', and {connector.family} computes as "
            f"{', '.join(connector.languages)} does; choose such a one, or another connector."
        )
    return connector


_IMAGE = ("<image>", "<|image|>", "<|image_pad|>", "<image_soft_token>")

CONNECTORS: tuple[Connector, ...] = (
    Connector(
        name="mlp",
        family="LLaVA",
        towers=("siglip_vision_model", "clip_vision_model"),
        languages=None,
        tokens={"image_token": _IMAGE},
        build=build_llava,
        processor=llava_processor,
        vision_weights=same_weights,
        language_weights=base_and_head,
        vision_path="model.vision_tower",
        language_paths=("model.language_model", "lm_head"),
        output="model.multi_modal_projector.linear_2",
        placeholder=lambda tokenizer: f"{tokenizer.image_token}\n",
    ),
    Connector(
        name="mlp",
        family="InternVL",
        towers=("dinov2",),
        languages=None,
        tokens={
            "context_image_token": ("<IMG_CONTEXT>", *_IMAGE),
            "start_image_token": ("<img>", "<|vision_start|>", "<start_of_image>"),
            "end_image_token": ("</img>", "<|vision_end|>", "<end_of_image>"),
            "video_token": ("<video>", "<|video_pad|>"),
        },
        build=build_internvl,
        processor=internvl_processor,
        vision_weights=dino_weights,
        language_weights=base_and_head,
        vision_path="model.vision_tower",
        language_paths=("model.language_model", "lm_head"),
        output="model.multi_modal_projector.linear_2",
        placeholder=lambda tokenizer: f"{tokenizer.context_image_token}\n",
    ),
    Connector(
        name="qformer",
        family="BLIP-2",
        towers=("vit", "blip_2_vision_model"),
        languages=None,
        tokens={},
        build=build_blip2,
        processor=blip2_processor,
        vision_weights=vit_weights,
        language_weights=lambda parts: dict(parts.language.state_dict()),
        vision_path="vision_model",
        language_paths=("language_model",),
        output="language_projection",
        placeholder=lambda tokenizer: "",
        fixed_image_token="<image>",
    ),
    Connector(
        name="resampler",
        family="Idefics2",
        towers=("siglip_vision_model", "idefics2_vision"),
        languages=None,
        tokens={
            "image_token": _IMAGE,
            "image_boundary_token": ("<fake_token_around_image>", "<|vision_start|>"),
        },
        build=build_idefics2,
        processor=idefics2_processor,
        vision_weights=same_weights,
        language_weights=base_and_head,
        vision_path="model.vision_model",
        language_paths=("model.text_model", "lm_head"),
        output="model.connector.perceiver_resampler.norm",
        placeholder=lambda tokenizer: str(tokenizer.image_token),
    ),
    Connector(
        name="cross-attention",
        family="Mllama",
        towers=("mllama_vision_model",),
        languages=("llama",),
        tokens={"image_token": ("<|image|>", *_IMAGE)},
        build=build_mllama,
        processor=mllama_processor,
        vision_weights=same_weights,
        language_weights=llama_weights,
        vision_path="model.vision_model",
        language_paths=("model.language_model", "lm_head"),
        output="model.multi_modal_projector",
        placeholder=lambda tokenizer: str(tokenizer.image_token),
    ),
)
