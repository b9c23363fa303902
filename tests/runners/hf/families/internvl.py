"""InternVL as transformers has it (the `-HF` conversions)."""

from __future__ import annotations

from typing import Any

from families.common import SIDE, TEXT_SIZES, Family, chat_template, ids, tokenizer


def internvl() -> tuple[Any, Any]:
    from transformers import (
        GotOcr2ImageProcessor,
        InternVLConfig,
        InternVLForConditionalGeneration,
        InternVLProcessor,
        InternVLVideoProcessor,
    )

    tokens = tokenizer(
        start_image_token="<img>",
        end_image_token="</img>",
        context_image_token="<IMG_CONTEXT>",
        video_token="<video>",
    )
    config = InternVLConfig(
        text_config={**TEXT_SIZES, **ids(tokens), "model_type": "qwen2"},
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": [32, 32],
            "patch_size": [8, 8],
        },
        image_token_id=tokens.context_image_token_id,
        image_seq_length=4,
    )
    processor = InternVLProcessor(
        image_processor=GotOcr2ImageProcessor(
            size=SIDE, crop_to_patches=True, min_patches=1, max_patches=4
        ),
        tokenizer=tokens,
        video_processor=InternVLVideoProcessor(size=SIDE),
        image_seq_length=4,
        chat_template=chat_template("<IMG_CONTEXT>\n"),
    )
    return InternVLForConditionalGeneration(config), processor


FAMILIES = (Family("internvl", internvl, pixels={"max_pixels": 2 * 32 * 32}),)
