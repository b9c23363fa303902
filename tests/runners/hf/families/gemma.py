"""Gemma 3, Gemma 4 and PaliGemma."""

from __future__ import annotations

from typing import Any

from families.common import (
    SIDE,
    SIGLIP,
    TEXT_SIZES,
    Family,
    chat_template,
    ids,
    token_id,
    tokenizer,
)

LAYERS = {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 64}


def gemma3() -> tuple[Any, Any]:
    from transformers import (
        Gemma3Config,
        Gemma3ForConditionalGeneration,
        Gemma3ImageProcessor,
        Gemma3Processor,
    )

    marks = {"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>"}
    tokens = tokenizer(image_token="<image_soft_token>", **marks)
    config = Gemma3Config(
        text_config={**TEXT_SIZES, **ids(tokens), **LAYERS, "head_dim": 16},
        vision_config=dict(SIGLIP),
        mm_tokens_per_image=4,
        boi_token_index=tokens.boi_token_id,
        eoi_token_index=tokens.eoi_token_id,
        image_token_index=tokens.image_token_id,
    )
    processor = Gemma3Processor(
        image_processor=Gemma3ImageProcessor(size=SIDE, image_seq_length=4),
        tokenizer=tokens,
        image_seq_length=4,
        chat_template=chat_template("<start_of_image>"),
    )
    return Gemma3ForConditionalGeneration(config), processor


def gemma4() -> tuple[Any, Any]:
    from transformers import (
        Gemma4AudioFeatureExtractor,
        Gemma4Config,
        Gemma4ForConditionalGeneration,
        Gemma4ImageProcessor,
        Gemma4Processor,
        Gemma4VideoProcessor,
    )

    marks = {"boi_token": "<|image>", "eoi_token": "<image|>", "image_token": "<|image|>"}
    sounds = {"boa_token": "<|audio>", "eoa_token": "<audio|>", "audio_token": "<|audio|>"}
    tokens = tokenizer("<|video|>", **marks, **sounds)
    config = Gemma4Config(
        text_config={
            **TEXT_SIZES,
            **ids(tokens),
            **LAYERS,
            "head_dim": 16,
            "hidden_size_per_layer_input": 8,
            "vocab_size_per_layer_input": len(tokens),
        },
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "patch_size": 4,
            "pooling_kernel_size": 3,
            "position_embedding_size": 1024,
        },
        audio_config=None,
        image_token_id=tokens.image_token_id,
        boi_token_id=tokens.boi_token_id,
        eoi_token_id=tokens.eoi_token_id,
        video_token_id=token_id(tokens, "<|video|>"),
        audio_token_id=tokens.audio_token_id,
        boa_token_id=tokens.boa_token_id,
        eoa_token_index=tokens.eoa_token_id,
    )
    processor = Gemma4Processor(
        feature_extractor=Gemma4AudioFeatureExtractor(),
        image_processor=Gemma4ImageProcessor(
            patch_size=4, pooling_kernel_size=3, max_soft_tokens=140
        ),
        tokenizer=tokens,
        video_processor=Gemma4VideoProcessor(
            patch_size=4, pooling_kernel_size=3, max_soft_tokens=70
        ),
        image_seq_length=140,
        chat_template=chat_template("<|image|>"),
    )
    return Gemma4ForConditionalGeneration(config), processor


def paligemma() -> tuple[Any, Any]:
    from transformers import (
        PaliGemmaConfig,
        PaliGemmaForConditionalGeneration,
        PaliGemmaProcessor,
        SiglipImageProcessor,
    )

    tokens = tokenizer(image_token="<image>", bos_token="<bos>")
    images = SiglipImageProcessor(size=SIDE)
    images.image_seq_length = 16
    processor = PaliGemmaProcessor(image_processor=images, tokenizer=tokens)
    config = PaliGemmaConfig(
        text_config={**TEXT_SIZES, **ids(tokens), "model_type": "gemma2", "head_dim": 16},
        vision_config={**SIGLIP, "projection_dim": 32},
        image_token_index=tokens.image_token_id,
        projection_dim=32,
        hidden_size=32,
    )
    return PaliGemmaForConditionalGeneration(config), processor


FAMILIES = (
    Family("gemma3", gemma3),
    Family("gemma4", gemma4, pixels={"max_pixels": 70 * 12 * 12}),
    Family("paligemma", paligemma),
)
