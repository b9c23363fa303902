"""Tiny image encoders and language models to put together: random weights, real classes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import transformers

sys.path.insert(0, str(Path(__file__).parent / "runners/hf"))
from families.common import TEXT_SIZES, enlarge, ids, tokenizer
from families.common import chat_template as chat_template

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 8,
}
TOWERS: dict[str, Any] = {
    "siglip": lambda: transformers.SiglipVisionModel(transformers.SiglipVisionConfig(**SIZES)),
    "clip": lambda: transformers.CLIPVisionModel(transformers.CLIPVisionConfig(**SIZES)),
    "dinov2": lambda: transformers.Dinov2Model(
        transformers.Dinov2Config(**{**SIZES, "intermediate_size": None, "image_size": 40})
    ),
    "vit": lambda: transformers.ViTModel(transformers.ViTConfig(**SIZES)),
    "mllama": lambda: transformers.MllamaVisionModel(
        transformers.MllamaVisionConfig(
            **{**SIZES, "num_attention_heads": 2},
            num_global_layers=1,
            intermediate_layers_indices=[0, 1],
            vision_output_dim=96,
        )
    ),
}
PAIRS = [
    ("mlp", "siglip", "gemma3_text"),
    ("mlp", "clip", "llama"),
    ("mlp", "dinov2", "gemma3_text"),
    ("qformer", "vit", "llama"),
    ("resampler", "siglip", "qwen2"),
    ("cross-attention", "mllama", "llama"),
]


def save_language(folder: Path, model_type: str, *, template: str | None = None) -> Path:
    """A text model whose answers depend on what it reads, with spare tokens in its vocabulary."""
    tokens = tokenizer("<bos>", *(f"<unused{number}>" for number in range(5)))
    tokens.bos_token = "<bos>"
    tokens.chat_template = template
    extra = {"head_dim": 16, "layer_types": ["sliding_attention", "full_attention"]}
    config = transformers.AutoConfig.for_model(
        model_type,
        **TEXT_SIZES,
        **ids(tokens),
        **(extra if model_type == "gemma3_text" else {}),
        tie_word_embeddings=model_type == "gemma3_text",
    )
    model = transformers.AutoModelForCausalLM.from_config(config)
    enlarge(model)
    model.save_pretrained(folder)
    tokens.save_pretrained(folder)
    return folder


def save_vision(folder: Path, name: str) -> Path:
    tower = TOWERS[name]()
    enlarge(tower)
    tower.save_pretrained(folder)
    if name == "dinov2":  # a position table of 5 x 5 patches, pictures of 4 x 4
        transformers.BitImageProcessor(
            size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
        ).save_pretrained(folder)
    return folder
