"""The packed layout against the model's own: every answer gets the logits it would get alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from vlmbench.train.collate import IGNORE, PackedCollator
from vlmbench.train.scratch import ScratchSpec, build_model, build_processor, build_tokenizer
from vlmbench.train.synthetic.split import FAMILIES, training_group
from vlmbench.train.synthetic_data import Demonstration, demonstrations

SMALL = ScratchSpec(
    vocabulary=600,
    vision_width=32,
    vision_depth=1,
    vision_heads=2,
    text_width=64,
    text_feed_forward=64,
    text_depth=2,
    text_heads=2,
)


@pytest.fixture(scope="module")
def parts() -> tuple[Any, Any]:
    torch.manual_seed(0)
    tokenizer = build_tokenizer(
        ["これは何ですか。", "イヌ", "単語か数値だけで"] * 5, SMALL.vocabulary
    )
    model: Any = build_model(tokenizer, SMALL)
    return model.eval(), build_processor(tokenizer, SMALL)


def alone(model: Any, processor: Any, shown: Demonstration) -> torch.Tensor:
    """Logits for the answer's tokens, by the stock processor and the model's own positions."""
    pictures = [part for part in shown.content if not isinstance(part, str)]
    content = [
        {"type": "text", "text": part} if isinstance(part, str) else {"type": "image"}
        for part in shown.content
    ]
    text = processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True
    )
    inputs = processor(text=[text + shown.answer], images=pictures, return_tensors="pt")
    prompt = processor(text=[text], images=pictures, return_tensors="pt")["input_ids"].shape[1]
    with torch.no_grad():
        logits: torch.Tensor = model(**inputs).logits[0, prompt - 1 :]
    return logits


@pytest.mark.parametrize("family", FAMILIES)
def test_packing_changes_no_logit(parts: tuple[Any, Any], family: str) -> None:
    model, processor = parts
    groups = [demonstrations(training_group(family, str(seed), questions=4)) for seed in range(3)]
    inputs = PackedCollator(processor)([groups])
    labels = inputs.pop("labels")[:, 1:]
    with torch.no_grad():
        packed = model(**inputs).logits[:, :-1]
    for row, group in enumerate(groups):
        got = packed[row][labels[row] != IGNORE]
        expected = torch.cat([alone(model, processor, shown) for shown in group])
        torch.testing.assert_close(got, expected, atol=2e-5, rtol=1e-4)


def test_loss_falls_on_the_answers_alone(parts: tuple[Any, Any]) -> None:
    _, processor = parts
    group = demonstrations(training_group("grid", "loss", questions=3))
    labels = PackedCollator(processor)([[group]])["labels"][0]
    learned = processor.tokenizer.decode(labels[labels != IGNORE])
    assert learned == "".join(shown.answer + "<|im_end|>" for shown in group)
