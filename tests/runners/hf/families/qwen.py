"""Qwen2-VL, Qwen2.5-VL and Qwen3-VL."""

from __future__ import annotations

from typing import Any

from families.common import TEXT_SIZES, Family, chat_template, ids, token_id, tokenizer

MARKS = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
TEMPLATE = chat_template("<|vision_start|><|image_pad|><|vision_end|>")
ROPE = {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [2, 3, 3]}


def _tokens(tokens: Any) -> dict[str, int]:
    return {
        "image_token_id": token_id(tokens, "<|image_pad|>"),
        "video_token_id": token_id(tokens, "<|video_pad|>"),
        "vision_start_token_id": token_id(tokens, "<|vision_start|>"),
        "vision_end_token_id": token_id(tokens, "<|vision_end|>"),
    }


def _processor(kind: Any, video: Any, tokens: Any, patch: int) -> Any:
    from transformers import Qwen2VLImageProcessor

    sizes = {"patch_size": patch, "merge_size": 2, "temporal_patch_size": 2}
    bounds = {"min_pixels": 16 * 16, "max_pixels": 64 * 64}
    return kind(
        image_processor=Qwen2VLImageProcessor(**sizes, **bounds),
        tokenizer=tokens,
        video_processor=video(**sizes),
        chat_template=TEMPLATE,
    )


def qwen2_vl() -> tuple[Any, Any]:
    from transformers import (
        Qwen2VLConfig,
        Qwen2VLForConditionalGeneration,
        Qwen2VLProcessor,
        Qwen2VLVideoProcessor,
    )

    tokens = tokenizer(*MARKS)
    vision = {"embed_dim": 32, "hidden_size": 32, "depth": 2, "num_heads": 2, "patch_size": 8}
    config = Qwen2VLConfig(
        text_config={**TEXT_SIZES, **ids(tokens), "rope_parameters": ROPE},
        vision_config=vision,
        **_tokens(tokens),
    )
    processor = _processor(Qwen2VLProcessor, Qwen2VLVideoProcessor, tokens, 8)
    return Qwen2VLForConditionalGeneration(config), processor


def qwen2_5_vl() -> tuple[Any, Any]:
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLProcessor,
        Qwen2VLVideoProcessor,
    )

    tokens = tokenizer(*MARKS)
    vision = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "out_hidden_size": 32,
        "depth": 2,
        "num_heads": 2,
        "patch_size": 8,
        "window_size": 32,
        "fullatt_block_indexes": [1],
    }
    config = Qwen2_5_VLConfig(
        text_config={**TEXT_SIZES, **ids(tokens), "rope_parameters": ROPE},
        vision_config=vision,
        **_tokens(tokens),
    )
    processor = _processor(Qwen2_5_VLProcessor, Qwen2VLVideoProcessor, tokens, 8)
    return Qwen2_5_VLForConditionalGeneration(config), processor


def qwen3_vl() -> tuple[Any, Any]:
    from transformers import (
        Qwen3VLConfig,
        Qwen3VLForConditionalGeneration,
        Qwen3VLProcessor,
        Qwen3VLVideoProcessor,
    )

    tokens = tokenizer(*MARKS)
    vision = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "out_hidden_size": 32,
        "depth": 2,
        "num_heads": 2,
        "patch_size": 8,
        "num_position_embeddings": 64,
        "deepstack_visual_indexes": [0],
    }
    rope = {**ROPE, "mrope_interleaved": True}
    config = Qwen3VLConfig(
        text_config={**TEXT_SIZES, **ids(tokens), "head_dim": 16, "rope_parameters": rope},
        vision_config=vision,
        **_tokens(tokens),
    )
    processor = _processor(Qwen3VLProcessor, Qwen3VLVideoProcessor, tokens, 8)
    return Qwen3VLForConditionalGeneration(config), processor


PIXELS = {"min_pixels": 48 * 48, "max_pixels": 32 * 32}
FAMILIES = (
    Family("qwen2_vl", qwen2_vl, pixels=PIXELS),
    Family("qwen2_5_vl", qwen2_5_vl, pixels=PIXELS),
    Family("qwen3_vl", qwen3_vl, pixels=PIXELS),
)
