"""LLaVA-1.5, LLaVA-NeXT, LLaVA-OneVision and Aya Vision."""

from __future__ import annotations

from typing import Any

from families.common import SIDE, SIGLIP, TEXT_SIZES, Family, chat_template, ids, tokenizer

CLIP = {
    "model_type": "clip_vision_model",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 8,
    "projection_dim": 32,
}
GRID = [[32, 64], [64, 32], [64, 64]]
SQUARE = {"size": {"shortest_edge": 32}, "crop_size": SIDE}


def llava() -> tuple[Any, Any]:
    from transformers import (
        CLIPImageProcessor,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    tokens = tokenizer(image_token="<image>")
    config = LlavaConfig(
        text_config={**TEXT_SIZES, **ids(tokens), "model_type": "llama"},
        vision_config=CLIP,
        image_token_index=tokens.image_token_id,
        vision_feature_layer=-2,
    )
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessor(**SQUARE),
        tokenizer=tokens,
        patch_size=8,
        num_additional_image_tokens=1,
        vision_feature_select_strategy="default",
        chat_template=chat_template("<image>\n"),
    )
    return LlavaForConditionalGeneration(config), processor


def llava_next() -> tuple[Any, Any]:
    from transformers import (
        LlavaNextConfig,
        LlavaNextForConditionalGeneration,
        LlavaNextImageProcessor,
        LlavaNextProcessor,
    )

    tokens = tokenizer(image_token="<image>")
    config = LlavaNextConfig(
        text_config={**TEXT_SIZES, **ids(tokens), "model_type": "mistral"},
        vision_config=CLIP,
        image_token_index=tokens.image_token_id,
        image_grid_pinpoints=GRID,
    )
    processor = LlavaNextProcessor(
        image_processor=LlavaNextImageProcessor(image_grid_pinpoints=GRID, **SQUARE),
        tokenizer=tokens,
        patch_size=8,
        num_additional_image_tokens=1,
        vision_feature_select_strategy="default",
        chat_template=chat_template("<image>\n"),
    )
    return LlavaNextForConditionalGeneration(config), processor


def llava_onevision() -> tuple[Any, Any]:
    from transformers import (
        LlavaOnevisionConfig,
        LlavaOnevisionForConditionalGeneration,
        LlavaOnevisionImageProcessor,
        LlavaOnevisionProcessor,
        LlavaOnevisionVideoProcessor,
    )

    tokens = tokenizer(image_token="<image>", video_token="<video>")
    config = LlavaOnevisionConfig(
        text_config={**TEXT_SIZES, **ids(tokens), "model_type": "qwen2"},
        vision_config=dict(SIGLIP),
        image_token_index=tokens.image_token_id,
        video_token_index=tokens.video_token_id,
        image_grid_pinpoints=GRID,
    )
    processor = LlavaOnevisionProcessor(
        image_processor=LlavaOnevisionImageProcessor(image_grid_pinpoints=GRID, size=SIDE),
        tokenizer=tokens,
        video_processor=LlavaOnevisionVideoProcessor(size=SIDE),
        num_image_tokens=16,
        vision_feature_select_strategy="full",
        chat_template=chat_template("<image>\n"),
    )
    return LlavaOnevisionForConditionalGeneration(config), processor


def aya_vision() -> tuple[Any, Any]:
    from transformers import (
        AyaVisionConfig,
        AyaVisionForConditionalGeneration,
        AyaVisionProcessor,
        GotOcr2ImageProcessor,
    )

    marks = ("<|START_OF_IMG|>", "<|END_OF_IMG|>", "<|IMG_LINE_BREAK|>", "TILE_GLOBAL")
    tiles = tuple(f"TILE_{number}" for number in range(1, 13))
    tokens = tokenizer(*marks, *tiles, "<|IMG_PATCH|>", image_token="<image>")
    config = AyaVisionConfig(
        text_config={
            **TEXT_SIZES,
            **ids(tokens),
            "model_type": "cohere2",
            "layer_types": ["sliding_attention", "full_attention"],
            "sliding_window": 64,
        },
        vision_config=dict(SIGLIP),
        image_token_index=tokens.convert_tokens_to_ids("<|IMG_PATCH|>"),
        downsample_factor=2,
    )
    processor = AyaVisionProcessor(
        image_processor=GotOcr2ImageProcessor(
            size=SIDE, crop_to_patches=True, min_patches=1, max_patches=4
        ),
        tokenizer=tokens,
        patch_size=8,
        img_size=32,
        downsample_factor=2,
        chat_template=chat_template("<image>"),
    )
    return AyaVisionForConditionalGeneration(config), processor


FAMILIES = (
    Family("llava", llava),
    Family("llava_next", llava_next),
    Family("llava_onevision", llava_onevision),
    Family("aya_vision", aya_vision, pixels={"max_pixels": 2 * 32 * 32}),
)
