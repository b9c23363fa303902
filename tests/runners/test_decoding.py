"""The text of generated tokens, on the tokenizer of a tiny real checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from vlmbench.runners.decoding import decode_answer
from vlmbench.text.reasoning import without_reasoning

MARKS = ["<think>", "</think>", "[THINK]", "[/THINK]", "◁think▷", "◁/think▷"]


@pytest.fixture(scope="module")
def tokenizer(checkpoint: Path) -> PreTrainedTokenizerBase:
    loaded: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(checkpoint)
    loaded.add_special_tokens(
        {"additional_special_tokens": [*MARKS, "<extra>"]}, replace_extra_special_tokens=False
    )
    return loaded


@pytest.mark.parametrize("at", range(0, len(MARKS), 2))
def test_marks_of_reasoning_stay(tokenizer: PreTrainedTokenizerBase, at: int) -> None:
    said = f"{MARKS[at]}赤い花{MARKS[at + 1]}青い花"
    tokens = tokenizer(f"<extra>{said}<extra>", add_special_tokens=False)["input_ids"]
    text = decode_answer(tokenizer, tokens)
    assert text == said
    assert without_reasoning(text) == "青い花"


def test_other_special_tokens_are_left_out(tokenizer: PreTrainedTokenizerBase) -> None:
    tokens = tokenizer("<extra>青い花<extra>", add_special_tokens=False)["input_ids"]
    assert decode_answer(tokenizer, tokens) == "青い花"
