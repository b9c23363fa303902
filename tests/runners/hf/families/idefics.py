"""Idefics2, Idefics3 and SmolVLM."""

from __future__ import annotations

from typing import Any

from families.common import TEXT_SIZES, Family, chat_template, ids, tokenizer

VISION = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 8,
}
TILES = tuple(f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7))
MARKS = ("<fake_token_around_image>", "<end_of_utterance>", "<global-img>")


def idefics2() -> tuple[Any, Any]:
    from transformers import (
        Idefics2Config,
        Idefics2ForConditionalGeneration,
        Idefics2ImageProcessor,
        Idefics2Processor,
    )

    tokens = tokenizer(
        "<end_of_utterance>",
        image_token="<image>",
        image_boundary_token="<fake_token_around_image>",
    )
    config = Idefics2Config(
        text_config={**TEXT_SIZES, **ids(tokens), "model_type": "mistral", "head_dim": 16},
        vision_config=VISION,
        perceiver_config={
            "hidden_size": 32,
            "resampler_n_latents": 4,
            "resampler_depth": 1,
            "resampler_n_heads": 2,
            "resampler_head_dim": 16,
            "num_key_value_heads": 2,
        },
        image_token_id=tokens.image_token_id,
    )
    processor = Idefics2Processor(
        image_processor=Idefics2ImageProcessor(
            size={"shortest_edge": 16, "longest_edge": 32}, do_image_splitting=False
        ),
        tokenizer=tokens,
        image_seq_len=4,
        chat_template=chat_template("<image>"),
    )
    return Idefics2ForConditionalGeneration(config), processor


SIZES = {"size": {"longest_edge": 64}, "max_image_size": {"longest_edge": 32}}


def idefics3() -> tuple[Any, Any]:
    from transformers import (
        Idefics3Config,
        Idefics3ForConditionalGeneration,
        Idefics3ImageProcessor,
        Idefics3Processor,
    )

    tokens = tokenizer(*MARKS, *TILES, image_token="<image>")
    config = Idefics3Config(
        text_config={**TEXT_SIZES, **ids(tokens), "model_type": "llama"},
        vision_config=VISION,
        image_token_id=tokens.image_token_id,
        scale_factor=2,
    )
    processor = Idefics3Processor(
        image_processor=Idefics3ImageProcessor(**SIZES),
        tokenizer=tokens,
        image_seq_len=4,
        chat_template=chat_template("<image>"),
    )
    return Idefics3ForConditionalGeneration(config), processor


def smolvlm() -> tuple[Any, Any]:
    from transformers import (
        SmolVLMConfig,
        SmolVLMForConditionalGeneration,
        SmolVLMImageProcessor,
        SmolVLMProcessor,
        SmolVLMVideoProcessor,
    )

    tokens = tokenizer(*MARKS, *TILES, image_token="<image>", video_token="<video>")
    config = SmolVLMConfig(
        text_config={**TEXT_SIZES, **ids(tokens), "model_type": "llama"},
        vision_config=VISION,
        image_token_id=tokens.image_token_id,
        scale_factor=2,
    )
    processor = SmolVLMProcessor(
        image_processor=SmolVLMImageProcessor(**SIZES),
        tokenizer=tokens,
        video_processor=SmolVLMVideoProcessor(
            **SIZES, video_sampling={"fps": 1, "max_frames": 4, "video_size": {"longest_edge": 32}}
        ),
        image_seq_len=4,
        chat_template=chat_template("<image>"),
    )
    return SmolVLMForConditionalGeneration(config), processor


PIXELS = {"max_pixels": 32 * 32}
FAMILIES = (
    Family("idefics2", idefics2, pixels={"max_pixels": 24 * 24}),
    Family("idefics3", idefics3, pixels=PIXELS),
    Family("smolvlm", smolvlm, pixels=PIXELS),
)
