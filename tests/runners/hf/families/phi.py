"""Phi-4-multimodal."""

from __future__ import annotations

from typing import Any

from families.common import TEXT_SIZES, Family, chat_template, ids, tokenizer


def phi4_multimodal() -> tuple[Any, Any]:
    from transformers import (
        Phi4MultimodalConfig,
        Phi4MultimodalFeatureExtractor,
        Phi4MultimodalForCausalLM,
        Phi4MultimodalImageProcessor,
        Phi4MultimodalProcessor,
    )

    # The count of image tokens is right for pictures of 448 pixels only.
    tokens = tokenizer(image_token="<|image|>", audio_token="<|audio|>")
    tokens.chat_template = chat_template("<|image|>")  # the processor would lose it
    config = Phi4MultimodalConfig(
        **{**TEXT_SIZES, **ids(tokens)},
        original_max_position_embeddings=4096,
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 3,
            "num_attention_heads": 2,
            "image_size": 448,
            "patch_size": 14,
            "crop_size": 448,
            "image_token_id": tokens.image_token_id,
        },
        audio_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_blocks": 1,
            "num_attention_heads": 2,
            "ext_pw_out_channel": 32,
            "depthwise_separable_out_channel": 32,
            "nemo_conv_channels": 32,
            "input_size": 80,
            "audio_token_id": tokens.audio_token_id,
        },
    )
    processor = Phi4MultimodalProcessor(
        image_processor=Phi4MultimodalImageProcessor(
            size={"height": 448, "width": 448}, patch_size=14, dynamic_hd=2
        ),
        audio_processor=Phi4MultimodalFeatureExtractor(),
        tokenizer=tokens,
    )
    return Phi4MultimodalForCausalLM(config), processor


FAMILIES = (Family("phi4_multimodal", phi4_multimodal, pixels={"max_pixels": 448 * 448}),)
