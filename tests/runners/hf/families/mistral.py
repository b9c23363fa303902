"""Pixtral (a LLaVA with Pixtral's vision tower) and Mistral 3."""

from __future__ import annotations

from typing import Any

from families.common import TEXT_SIZES, Family, chat_template, ids, token_id, tokenizer

VISION = {
    "model_type": "pixtral",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 128,
    "patch_size": 8,
}


def _processor(tokens: Any, *, merge: int) -> Any:
    from transformers import PixtralImageProcessor, PixtralProcessor

    return PixtralProcessor(
        image_processor=PixtralImageProcessor(
            patch_size={"height": 8, "width": 8}, size={"longest_edge": 64}
        ),
        tokenizer=tokens,
        patch_size=8,
        spatial_merge_size=merge,
        chat_template=chat_template("[IMG]"),
    )


def pixtral() -> tuple[Any, Any]:
    from transformers import LlavaConfig, LlavaForConditionalGeneration

    tokens = tokenizer("[IMG]", "[IMG_BREAK]", "[IMG_END]")
    config = LlavaConfig(
        text_config={**TEXT_SIZES, **ids(tokens), "model_type": "mistral", "head_dim": 16},
        vision_config=VISION,
        image_token_index=token_id(tokens, "[IMG]"),
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
    )
    return LlavaForConditionalGeneration(config), _processor(tokens, merge=1)


def mistral3() -> tuple[Any, Any]:
    from transformers import Mistral3Config, Mistral3ForConditionalGeneration

    tokens = tokenizer("[IMG]", "[IMG_BREAK]", "[IMG_END]")
    config = Mistral3Config(
        text_config={**TEXT_SIZES, **ids(tokens), "model_type": "mistral", "head_dim": 16},
        vision_config=VISION,
        image_token_index=token_id(tokens, "[IMG]"),
        spatial_merge_size=2,
    )
    return Mistral3ForConditionalGeneration(config), _processor(tokens, merge=2)


FAMILIES = (
    Family("llava/pixtral", pixtral, pixels={"max_pixels": 32 * 32}),
    Family("mistral3", mistral3, pixels={"max_pixels": 32 * 32}),
)
