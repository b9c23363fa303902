"""DeepSeek-VL and its hybrid, which looks with a second vision tower at high resolution."""

from __future__ import annotations

from typing import Any

from families.common import SIGLIP, TEXT_SIZES, Family, chat_template, ids, tokenizer

TEMPLATE = chat_template("<image_placeholder>")


def deepseek_vl() -> tuple[Any, Any]:
    from transformers import (
        DeepseekVLConfig,
        DeepseekVLForConditionalGeneration,
        DeepseekVLImageProcessor,
        DeepseekVLProcessor,
    )

    tokens = tokenizer(image_token="<image_placeholder>")
    config = DeepseekVLConfig(
        text_config={**TEXT_SIZES, **ids(tokens), "model_type": "llama"},
        vision_config=dict(SIGLIP),
        image_token_id=tokens.image_token_id,
    )
    processor = DeepseekVLProcessor(
        image_processor=DeepseekVLImageProcessor(size={"height": 32, "width": 32}, min_size=8),
        tokenizer=tokens,
        num_image_tokens=16,
        chat_template=TEMPLATE,
    )
    return DeepseekVLForConditionalGeneration(config), processor


def deepseek_vl_hybrid() -> tuple[Any, Any]:
    from transformers import (
        DeepseekVLHybridConfig,
        DeepseekVLHybridForConditionalGeneration,
        DeepseekVLHybridImageProcessor,
        DeepseekVLHybridProcessor,
    )

    tokens = tokenizer(image_token="<image_placeholder>")
    config = DeepseekVLHybridConfig(
        text_config={**TEXT_SIZES, **ids(tokens), "model_type": "llama"},
        vision_config=dict(SIGLIP),
        high_res_vision_config={
            "model_type": "sam_vision_model",
            "hidden_size": 32,
            "mlp_dim": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 64,
            "patch_size": 8,
            "output_channels": 16,
            "window_size": 4,
            "global_attn_indexes": [1],
        },
        image_token_id=tokens.image_token_id,
    )
    processor = DeepseekVLHybridProcessor(
        image_processor=DeepseekVLHybridImageProcessor(
            size={"height": 32, "width": 32},
            min_size=8,
            high_res_size={"height": 64, "width": 64},
        ),
        tokenizer=tokens,
        num_image_tokens=16,
        chat_template=TEMPLATE,
    )
    return DeepseekVLHybridForConditionalGeneration(config), processor


FAMILIES = (
    Family("deepseek_vl", deepseek_vl),
    Family("deepseek_vl_hybrid", deepseek_vl_hybrid),
)
