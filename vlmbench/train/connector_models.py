"""How each connector's stock model and processor are built, and what the parts' weights are named.

LLaVA, InternVL, BLIP-2, Idefics2 and Mllama in turn: `build_*` makes the model with random weights,
`*_processor` its processor, `*_weights` renames a part's weights.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from vlmbench.errors import UsageError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

Weights: TypeAlias = "dict[str, torch.Tensor]"


@dataclass(frozen=True, slots=True)
class ImageInput:
    """What an image encoder sees."""

    side: int
    """Of the square that an image becomes, in pixels."""
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def normalization(self) -> dict[str, Any]:
        """Mean and standard deviation, as image processors take them."""
        return {"image_mean": list(self.mean), "image_std": list(self.std)}


@dataclass(frozen=True, slots=True)
class Parts:
    """What is put together."""

    vision: PreTrainedModel
    language: PreTrainedModel
    tokenizer: Any
    """Knows the connector's special tokens already."""
    image: ImageInput
    stored_as: torch.dtype
    """The smallest number format in which no weight of either part changes."""
    image_tokens: int | None = None
    """Tokens that an image becomes; None for the connector's usual number."""


def _text_config(parts: Parts) -> dict[str, Any]:
    return dict(parts.language.config.to_dict())


def _tied(parts: Parts) -> bool:
    return bool(parts.language.config.tie_word_embeddings)


def _patches(parts: Parts) -> int:
    """Patches along a side of the image."""
    return parts.image.side // int(parts.vision.config.patch_size)


def _sizes_of(vision: Any) -> dict[str, Any]:
    """What a plain vision transformer needs to know."""
    return {
        "hidden_size": vision.hidden_size,
        "intermediate_size": vision.intermediate_size,
        "num_hidden_layers": vision.num_hidden_layers,
        "num_attention_heads": vision.num_attention_heads,
        "image_size": vision.image_size,
        "patch_size": vision.patch_size,
        "hidden_act": vision.hidden_act,
        "layer_norm_eps": vision.layer_norm_eps,
    }


def _square(parts: Parts) -> dict[str, Any]:
    side = parts.image.side
    return {"size": {"height": side, "width": side}, **parts.image.normalization}


def same_weights(parts: Parts) -> Weights:
    return dict(parts.vision.state_dict())


def base_and_head(parts: Parts) -> Weights:
    """The language model's weights with names from its base model on, and `lm_head.`."""
    language: Any = parts.language
    prefix = language.base_model_prefix + "."
    return {
        name.removeprefix(prefix) if name.startswith(prefix) else name: value
        for name, value in language.state_dict().items()
    }


# LLaVA


def build_llava(parts: Parts) -> PreTrainedModel:
    from transformers import LlavaConfig, LlavaForConditionalGeneration

    # CLIP's first token is no patch and its last layer is not used, as in LLaVA; SigLIP has
    # patches only, all of which count.
    is_clip = parts.vision.config.model_type == "clip_vision_model"
    config = LlavaConfig(
        vision_config=parts.vision.config.to_dict(),
        text_config=_text_config(parts),
        image_token_index=parts.tokenizer.image_token_id,
        image_seq_length=_patches(parts) ** 2,
        vision_feature_layer=-2 if is_clip else -1,
        vision_feature_select_strategy="default" if is_clip else "full",
        tie_word_embeddings=_tied(parts),
    )
    return LlavaForConditionalGeneration(config)


def llava_processor(parts: Parts, template: str) -> Any:
    from transformers import LlavaProcessor, SiglipImageProcessor

    is_clip = parts.vision.config.model_type == "clip_vision_model"
    return LlavaProcessor(  # type: ignore[no-untyped-call]
        image_processor=SiglipImageProcessor(**_square(parts)),
        tokenizer=parts.tokenizer,
        patch_size=parts.vision.config.patch_size,
        num_additional_image_tokens=1 if is_clip else 0,
        vision_feature_select_strategy="default" if is_clip else "full",
        chat_template=template,
    )


# InternVL, whose encoder computes what DINOv2 does under other names


def build_internvl(parts: Parts) -> PreTrainedModel:
    from transformers import InternVLConfig, InternVLForConditionalGeneration

    merged = _merged_patches(parts)
    config = InternVLConfig(
        vision_config=_internvl_vision(parts),
        text_config=_text_config(parts),
        image_token_id=parts.tokenizer.context_image_token_id,
        image_seq_length=(_patches(parts) // merged) ** 2,
        downsample_ratio=1 / merged,
        tie_word_embeddings=_tied(parts),
    )
    model = InternVLForConditionalGeneration(config)
    _average_first(model, merged**2)
    return model


def _merged_patches(parts: Parts) -> int:
    """Patches along a side of what becomes one token: InternVL merges 1, 4, 16 ... to one.

    Raises:
        UsageError: The patches do not divide so.
    """
    side, wanted = _patches(parts), parts.image_tokens
    counts = {(side // merged) ** 2: merged for merged in (1, 2, 4, 8, 16) if side % merged == 0}
    if wanted is None and side % 2 == 0:
        return 2
    if wanted not in counts:
        raise UsageError(
            f"The image encoder makes {side} x {side} patches, which InternVL merges to "
            f"{', '.join(map(str, counts))} tokens an image; choose one of these, or another "
            "image size."
        )
    return counts[wanted]


def _average_first(model: Any, patches: int) -> None:
    """Lets a fresh projector begin with the average of the patches that it merges.

    Random weights would tell each patch's place in a block apart, which few pictures teach.
    """
    import torch

    weight = model.model.multi_modal_projector.linear_1.weight
    with torch.no_grad():
        first = weight[:, : weight.shape[1] // patches] / patches**0.5
        weight.copy_(first.repeat(1, patches))


def _internvl_vision(parts: Parts) -> dict[str, Any]:
    vision: Any = parts.vision.config
    side = [parts.image.side] * 2
    if vision.use_swiglu_ffn:
        raise UsageError("DINOv2-giant has gated layers, which InternVL has not; choose a smaller.")
    return {
        "hidden_size": vision.hidden_size,
        "num_hidden_layers": vision.num_hidden_layers,
        "num_attention_heads": vision.num_attention_heads,
        "intermediate_size": vision.hidden_size * vision.mlp_ratio,
        "hidden_act": vision.hidden_act,
        "layer_norm_eps": vision.layer_norm_eps,
        "attention_bias": vision.qkv_bias,
        "image_size": side,
        "patch_size": [vision.patch_size] * 2,
        "use_mean_pooling": False,  # keeps the last layer norm
        "use_mask_token": False,
    }


_DINO_NAMES = (
    (r"\.norm1\.", ".layernorm_before."),
    (r"\.norm2\.", ".layernorm_after."),
    (r"\.layer_scale(\d)\.lambda1", r".lambda_\1"),
    (r"attention\.o_proj\.", "attention.projection_layer."),
)


def dino_weights(parts: Parts) -> Weights:
    weights: Weights = {}
    for name, value in parts.vision.state_dict().items():
        for pattern, new in _DINO_NAMES:
            name = re.sub(pattern, new, name)
        weights[name] = value
    del weights["embeddings.mask_token"]  # of DINOv2's own training
    table = weights["embeddings.position_embeddings"]
    weights["embeddings.position_embeddings"] = resized_positions(table, _patches(parts))
    return weights


def resized_positions(table: torch.Tensor, side: int) -> torch.Tensor:
    """A position table (1, 1 + n * n, width) for `side` * `side` patches, as DINOv2 makes it."""
    import torch
    from torch.nn.functional import interpolate

    first, rest = table[:, :1], table[:, 1:]
    old = int(rest.shape[1] ** 0.5)
    if old == side:
        return table
    grid = rest.reshape(1, old, old, -1).permute(0, 3, 1, 2).float()
    grid = interpolate(grid, size=(side, side), mode="bicubic", align_corners=False)
    rest = grid.permute(0, 2, 3, 1).reshape(1, side * side, -1).to(table.dtype)
    return torch.cat([first, rest], dim=1)


def internvl_processor(parts: Parts, template: str) -> Any:
    from transformers import GotOcr2ImageProcessor, InternVLProcessor, InternVLVideoProcessor

    return InternVLProcessor(
        image_processor=GotOcr2ImageProcessor(
            **_square(parts), crop_to_patches=True, min_patches=1, max_patches=1
        ),
        tokenizer=parts.tokenizer,
        video_processor=InternVLVideoProcessor(**_square(parts)),
        image_seq_length=(_patches(parts) // _merged_patches(parts)) ** 2,
        chat_template=template,
    )


# BLIP-2, whose encoder computes what ViT does, query, key and value in one matrix

QUERIES = 32


def build_blip2(parts: Parts) -> PreTrainedModel:
    import torch
    from transformers import Blip2Config, Blip2ForConditionalGeneration

    vision: Any = parts.vision.config
    width = min(768, vision.hidden_size)
    config = Blip2Config(
        vision_config=_sizes_of(vision),
        qformer_config={
            "hidden_size": width,
            "intermediate_size": 4 * width,
            "num_hidden_layers": min(12, vision.num_hidden_layers),
            "num_attention_heads": max(1, width // 64),
        },
        text_config=_text_config(parts),
        num_query_tokens=QUERIES,
        image_token_index=parts.tokenizer.convert_tokens_to_ids("<image>"),
    )
    model = Blip2ForConditionalGeneration(config)
    with torch.no_grad():  # transformers starts with zeros, and equal queries stay equal
        model.query_tokens.normal_(std=0.02)
    return model


def vit_weights(parts: Parts) -> Weights:
    import torch

    old = parts.vision.state_dict()
    if parts.vision.config.model_type == "blip_2_vision_model":
        return dict(old)
    weights: Weights = {
        "embeddings.class_embedding": old["embeddings.cls_token"],
        "embeddings.position_embedding": old["embeddings.position_embeddings"],
    }
    for kind in ("weight", "bias"):
        weights[f"embeddings.patch_embedding.{kind}"] = old[
            f"embeddings.patch_embeddings.projection.{kind}"
        ]
        weights[f"post_layernorm.{kind}"] = old[f"layernorm.{kind}"]
        for layer in range(parts.vision.config.num_hidden_layers):
            before, after = f"layers.{layer}", f"encoder.layers.{layer}"
            projections = [old[f"{before}.attention.{name}_proj.{kind}"] for name in "qkv"]
            weights[f"{after}.self_attn.qkv.{kind}"] = torch.cat(projections)
            for name, new in _VIT_NAMES.items():
                weights[f"{after}.{new}.{kind}"] = old[f"{before}.{name}.{kind}"]
    return weights


_VIT_NAMES = {
    "attention.o_proj": "self_attn.projection",
    "layernorm_before": "layer_norm1",
    "layernorm_after": "layer_norm2",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}


def blip2_processor(parts: Parts, template: str) -> Any:
    from transformers import Blip2Processor, BlipImageProcessor

    # The processor drops a template and puts the image in front by itself.
    parts.tokenizer.chat_template = template
    return Blip2Processor(  # type: ignore[no-untyped-call]
        image_processor=BlipImageProcessor(**_square(parts)),
        tokenizer=parts.tokenizer,
        num_query_tokens=QUERIES,
    )


# Idefics2, whose encoder is SigLIP

LATENTS = 64


def build_idefics2(parts: Parts) -> PreTrainedModel:
    import torch
    from transformers import Idefics2Config, Idefics2ForConditionalGeneration

    vision: Any = parts.vision.config
    text = _text_config(parts)
    heads = max(1, min(16, text["hidden_size"] // 64))
    config = Idefics2Config(
        vision_config=_sizes_of(vision),
        perceiver_config={
            "hidden_size": text["hidden_size"],
            "resampler_n_latents": LATENTS,
            "resampler_n_heads": heads,
            "num_key_value_heads": max(one for one in (1, 2, 4) if heads % one == 0),
        },
        text_config=text,
        image_token_id=parts.tokenizer.image_token_id,
        tie_word_embeddings=_tied(parts),
    )
    model = Idefics2ForConditionalGeneration(config)
    with torch.no_grad():  # transformers starts with ones, and equal latents stay equal
        model.model.connector.perceiver_resampler.latents.normal_(std=1.0)
    return model


def idefics2_processor(parts: Parts, template: str) -> Any:
    from transformers import Idefics2ImageProcessor, Idefics2Processor

    side = parts.image.side
    return Idefics2Processor(
        image_processor=Idefics2ImageProcessor(
            size={"shortest_edge": side // 2, "longest_edge": side},
            do_image_splitting=False,
            **parts.image.normalization,
        ),
        tokenizer=parts.tokenizer,
        image_seq_len=LATENTS,
        chat_template=template,
    )


# Mllama: an own image encoder, and a Llama with cross-attention layers between its layers


def _cross_layers(layers: int) -> list[int]:
    """Numbers of the new layers among all, one to four of the old: Llama 3.2 Vision has 8 to 32."""
    new = max(1, layers // 4)
    return [min(3, layers - 1) + 5 * number for number in range(new)]


def build_mllama(parts: Parts) -> PreTrainedModel:
    from transformers import MllamaConfig, MllamaForConditionalGeneration

    if parts.tokenizer.bos_token is None:
        raise UsageError(
            "The language model's tokenizer has no token for the beginning of a text, which "
            "Mllama needs; name one as bos_token in its tokenizer_config.json."
        )
    text = _text_config(parts)
    for name in ("model_type", "architectures", "head_dim"):
        text.pop(name, None)
    cross = _cross_layers(text["num_hidden_layers"])
    text["num_hidden_layers"] += len(cross)
    text["bos_token_id"] = parts.tokenizer.bos_token_id
    config = MllamaConfig(
        vision_config=parts.vision.config.to_dict(),
        text_config={**text, "cross_attention_layers": cross, "tie_word_embeddings": False},
        image_token_index=parts.tokenizer.image_token_id,
    )
    return MllamaForConditionalGeneration(config)


def llama_weights(parts: Parts) -> Weights:
    """The old layers moved up to where cross-attention leaves them room."""
    import torch

    layers = parts.language.config.num_hidden_layers
    cross = _cross_layers(layers)
    rest = [number for number in range(layers + len(cross)) if number not in cross]
    weights: Weights = {}
    for name, value in base_and_head(parts).items():
        name = re.sub(r"^layers\.(\d+)\.", lambda found: f"layers.{rest[int(found[1])]}.", name)
        weights[name] = value
    table = weights["embed_tokens.weight"]  # Mllama has eight more, of which one is the image
    weights["embed_tokens.weight"] = torch.cat([table, table.mean(0, keepdim=True).expand(8, -1)])
    return weights


def mllama_processor(parts: Parts, template: str) -> Any:
    from transformers import MllamaImageProcessor, MllamaProcessor

    return MllamaProcessor(  # type: ignore[no-untyped-call]
        image_processor=MllamaImageProcessor(
            **_square(parts), max_image_tiles=parts.vision.config.max_num_tiles
        ),
        tokenizer=parts.tokenizer,
        chat_template=template,
    )
