"""A Qwen2-VL from nothing: tokenizer, processor and random weights, saved as any Hub model is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, PositiveFloat, PositiveInt

if TYPE_CHECKING:
    from transformers import (
        PreTrainedTokenizerFast,
        Qwen2VLForConditionalGeneration,
        Qwen2VLProcessor,
    )

SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_end|>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)

SCRIPT_RUN = r"[ァ-ヴー]+|[ぁ-ん]+|[一-龥々〇]+|[A-Za-z]+|\d| +|[^ァ-ヴーぁ-ん一-龥々〇A-Za-z\d ]+"
"""No token crosses from one script to another, and every digit is a token: a name stays the same
token whatever particle follows it, and numbers are read digit by digit."""

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message.role + '|>' }}"
    "{% if message.content is string %}{{ message.content }}"
    "{% else %}{% for part in message.content %}"
    "{% if part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif part.type == 'text' %}{{ part.text }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""One token a role and one at the end of a turn: a small model has few tokens to spare."""


class ScratchSpec(BaseModel):
    """Sizes of a Qwen2-VL that is built from nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    vocabulary: PositiveInt = 2000
    """Most tokens of the byte-level BPE; fewer if the texts do not yield as many."""
    patch_size: PositiveInt = 16
    """Side of a vision patch; four patches make one image token."""
    vision_width: PositiveInt = 192
    vision_depth: PositiveInt = 4
    vision_heads: PositiveInt = 3
    text_width: PositiveInt = 256
    text_feed_forward: PositiveInt = 768
    text_depth: PositiveInt = 4
    text_heads: PositiveInt = 4
    rope_theta: PositiveFloat = 2.0
    """Base of the rotary frequencies. Qwen2-VL gives the lowest ones to an image token's column:
    with its usual base of a million, the four columns of a small picture look all the same; with
    2, neighbors differ by half a radian and more."""
    min_pixels: PositiveInt = 64 * 64
    max_pixels: PositiveInt = 224 * 160
    """Larger pictures are shrunk to this many pixels."""


def build_tokenizer(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer: it can write any text, and writes `texts` in few tokens."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SCRIPT_RUN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=list(SPECIAL_TOKENS[2:]),
        padding_side="left",
        model_max_length=4096,
        clean_up_tokenization_spaces=False,
    )


def build_processor(tokenizer: PreTrainedTokenizerFast, spec: ScratchSpec) -> Qwen2VLProcessor:
    """The stock Qwen2-VL processor around that tokenizer."""
    from transformers import Qwen2VLImageProcessor, Qwen2VLProcessor, Qwen2VLVideoProcessor

    sizes: dict[str, Any] = {
        "patch_size": spec.patch_size,
        "temporal_patch_size": 1,
        "merge_size": 2,
        "min_pixels": spec.min_pixels,
        "max_pixels": spec.max_pixels,
    }
    return Qwen2VLProcessor(  # type: ignore[no-untyped-call]
        image_processor=Qwen2VLImageProcessor(**sizes),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(**sizes),
        chat_template=CHAT_TEMPLATE,
    )


def build_model(
    tokenizer: PreTrainedTokenizerFast, spec: ScratchSpec
) -> Qwen2VLForConditionalGeneration:
    """A model of these sizes with random weights; seed torch first."""
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

    def token(name: str) -> int:
        number: Any = tokenizer.convert_tokens_to_ids(name)  # a list for a list of names
        return int(number)

    config = Qwen2VLConfig(
        vision_config={
            "embed_dim": spec.vision_width,
            "hidden_size": spec.text_width,
            "depth": spec.vision_depth,
            "num_heads": spec.vision_heads,
            "mlp_ratio": 4,
            "patch_size": spec.patch_size,
            "temporal_patch_size": 1,
            "spatial_merge_size": 2,
        },
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": spec.text_width,
            "intermediate_size": spec.text_feed_forward,
            "num_hidden_layers": spec.text_depth,
            "num_attention_heads": spec.text_heads,
            "num_key_value_heads": spec.text_heads,
            "max_position_embeddings": 4096,
            "tie_word_embeddings": True,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": spec.rope_theta,
                "mrope_section": _sections(spec.text_width // spec.text_heads // 2),
            },
            "bos_token_id": None,
            "eos_token_id": token("<|im_end|>"),
            "pad_token_id": token("<|endoftext|>"),
        },
        image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
        tie_word_embeddings=True,
    )
    model = Qwen2VLForConditionalGeneration(config)
    generation = model.generation_config
    generation.eos_token_id = token("<|im_end|>")
    generation.pad_token_id = token("<|endoftext|>")
    generation.bos_token_id = None
    return model


def write_scratch(spec: ScratchSpec, texts: Iterable[str], folder: Path) -> None:
    """Writes a checkpoint of these sizes with random weights; seed torch first.

    Args:
        texts: What the tokenizer is trained on.
    """
    tokenizer = build_tokenizer(texts, spec.vocabulary)
    build_model(tokenizer, spec).save_pretrained(folder)
    build_processor(tokenizer, spec).save_pretrained(folder)


def _sections(half: int) -> list[int]:
    """How the rotary frequencies are shared between time, height and width: 1 : 3.5 : 3.5."""
    side = half * 7 // 16
    return [half - 2 * side, side, side]
