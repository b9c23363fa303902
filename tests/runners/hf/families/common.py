"""What the builders of tiny models share: a tokenizer, a chat template, and how one is saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

TEXTS = (
    "何色ですか。短く答えてください。",
    "この画像を日本語の一文で説明してください。",
    "これは一枚目の画像です。これは二枚目の画像です。違いを説明してください。",
    "赤青緑黄色 画像のない質問です。",
)
PAD, END, USER, ASSISTANT, SYSTEM = "<pad>", "<end>", "<user>", "<assistant>", "<system>"

TEXT_SIZES: Mapping[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
}
"""Of the language model, as most configurations name them."""

SIGLIP: Mapping[str, Any] = {
    "model_type": "siglip_vision_model",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 8,
    "vision_use_head": False,
}
SIDE = {"height": 32, "width": 32}


@dataclass(frozen=True, slots=True)
class Family:
    """One row of the table of families."""

    model_type: str
    build: Callable[[], tuple[Any, Any]]
    """Model and processor (a tokenizer for a text-only family), seeded by the caller."""
    pixels: Mapping[str, int] | None = None
    """Values for --min-pixels and --max-pixels that must change the inputs."""


def tokenizer(*tokens: str, **named: str) -> Any:
    """A byte-level BPE tokenizer trained on TEXTS.

    Args:
        tokens: Control tokens of the family.
        named: More of them, which the family's processor asks for by name (`image_token` ...).
    """
    from transformers import PreTrainedTokenizerFast

    specials = [PAD, END, USER, ASSISTANT, SYSTEM, *tokens, *named.values()]
    return PreTrainedTokenizerFast(
        tokenizer_object=_trained(tuple(dict.fromkeys(specials))),
        pad_token=PAD,
        eos_token=END,
        extra_special_tokens=dict(named),
        model_max_length=4096,
        clean_up_tokenization_spaces=False,
    )


@cache
def _trained(specials: tuple[str, ...]) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    whole = Tokenizer(models.BPE())
    whole.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    whole.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=len(specials) + 300,
        special_tokens=list(specials),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    whole.train_from_iterator(TEXTS, trainer)
    return whole


def chat_template(image: str = "<image>", *, system: bool = True) -> str:
    """A template of the usual form.

    Args:
        image: What stands for an image.
        system: Whether it has a system turn; otherwise such a turn is refused.
    """
    refusal = (
        ""
        if system
        else "{% if message.role == 'system' %}"
        "{{ raise_exception('System role not supported') }}{% endif %}"
    )
    return (
        "{% for message in messages %}" + refusal + "{{ '<' + message.role + '>' }}"
        "{% if message.content is string %}{{ message.content }}"
        "{% else %}{% for part in message.content %}"
        "{% if part.type == 'image' %}" + image + "{% else %}{{ part.text }}{% endif %}"
        "{% endfor %}{% endif %}<end>{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}"
    )


def ids(tokens: Any) -> dict[str, Any]:
    """The numbers of padding and end, for a configuration."""
    return {
        "vocab_size": len(tokens),
        "pad_token_id": tokens.pad_token_id,
        "eos_token_id": tokens.eos_token_id,
        "bos_token_id": None,
    }


def token_id(tokens: Any, name: str) -> int:
    """The number of one token."""
    number: int = tokens.convert_tokens_to_ids(name)
    return number


def save(family: Family, folder: Path) -> Path:
    """Build the family's model, make its answers differ, and save it as any checkpoint is."""
    import torch

    torch.manual_seed(0)
    model, processor = family.build()
    enlarge(model)
    generation = model.generation_config
    generation.pad_token_id, generation.bos_token_id = 0, None
    generation.eos_token_id = 1
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def enlarge(model: Any) -> None:
    """Draw weights with which a random model's answers depend on what it sees.

    With the usual ones it repeats its last token; with large embeddings too.
    """
    import torch

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1 and not name.endswith("norm.weight"):
                parameter.normal_(std=0.1 if "embed_tokens" in name else 0.25)
