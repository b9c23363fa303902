"""Llama 3.2 Vision, which looks at images by cross-attention."""

from __future__ import annotations

from typing import Any

from families.common import SIDE, TEXT_SIZES, Family, chat_template, ids, token_id, tokenizer


def mllama() -> tuple[Any, Any]:
    from transformers import (
        MllamaConfig,
        MllamaForConditionalGeneration,
        MllamaImageProcessor,
        MllamaProcessor,
    )

    tokens = tokenizer("<begin>", "<|image|>")
    tokens.bos_token = "<begin>"
    text = {
        **TEXT_SIZES,
        **ids(tokens),
        "bos_token_id": tokens.bos_token_id,
        "num_hidden_layers": 3,
        "cross_attention_layers": [1],
        "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0},
    }
    config = MllamaConfig(
        text_config=text,
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_global_layers": 1,
            "attention_heads": 2,
            "image_size": 32,
            "patch_size": 8,
            "max_num_tiles": 2,
            "vision_output_dim": 64,
            "intermediate_layers_indices": [1],
            "supported_aspect_ratios": [[1, 1], [1, 2], [2, 1]],
        },
        image_token_index=token_id(tokens, "<|image|>"),
    )
    processor = MllamaProcessor(
        image_processor=MllamaImageProcessor(size=SIDE, max_image_tiles=2),
        tokenizer=tokens,
        chat_template="{{ bos_token }}" + chat_template("<|image|>"),
    )
    model = MllamaForConditionalGeneration(config)
    for name, parameter in model.named_parameters():
        if "gate" in name.split(".")[-1]:
            parameter.data.fill_(1.0)  # at zero, as drawn, no image is seen
    return model, processor


FAMILIES = (Family("mllama", mllama),)
