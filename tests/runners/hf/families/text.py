"""Language models without eyes, asked blind."""

from __future__ import annotations

from typing import Any

from families.common import TEXT_SIZES, Family, chat_template, ids, tokenizer


def llama() -> tuple[Any, Any]:
    from transformers import LlamaConfig, LlamaForCausalLM

    tokens = tokenizer()
    tokens.chat_template = chat_template()
    return LlamaForCausalLM(LlamaConfig(**{**TEXT_SIZES, **ids(tokens)})), tokens


def gemma2() -> tuple[Any, Any]:
    from transformers import Gemma2Config, Gemma2ForCausalLM

    tokens = tokenizer()
    tokens.chat_template = chat_template(system=False)  # as Gemma 2 refuses it
    sizes = {**TEXT_SIZES, **ids(tokens), "head_dim": 16, "sliding_window": 64}
    return Gemma2ForCausalLM(Gemma2Config(**sizes)), tokens


FAMILIES = (Family("llama", llama), Family("gemma2", gemma2))
