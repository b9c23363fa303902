"""The check while training against what it stands for: greedy generation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from vlmbench.train.check import exact_answers
from vlmbench.train.collate import PackedCollator
from vlmbench.train.optimizer import Rates, build_optimizer
from vlmbench.train.synthetic.split import training_group
from vlmbench.train.synthetic_data import Demonstration, MicroBatch, demonstrations

BATCHES: list[MicroBatch] = [
    [demonstrations(training_group(family, f"same:{n}", questions=3)) for n in range(2)]
    for family in ("single", "grid", "chart", "pair")
]


@pytest.fixture(scope="module")
def half_taught(seedling: Path) -> tuple[Any, Any]:
    """A model that knows some of the answers by heart, and its processor."""
    from transformers import AutoModelForImageTextToText, AutoProcessor

    model: Any = AutoModelForImageTextToText.from_pretrained(seedling)
    processor: Any = AutoProcessor.from_pretrained(seedling)  # type: ignore[no-untyped-call]
    collator = PackedCollator(processor)
    optimizer = build_optimizer(model, Rates(muon=0.02, adamw=0.01))
    for _ in range(30):
        for batch in BATCHES:
            inputs = collator([batch])
            labels = inputs.pop("labels")[:, 1:]
            logits = model(**inputs).logits[:, :-1]
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
            torch.autograd.backward(loss)
            optimizer.step()
            optimizer.zero_grad()
        found = exact_answers(model, collator, BATCHES)
        if sum(found.values()) / len(found) > 0.4:
            break
    return model, processor


def generated(model: Any, processor: Any, shown: Demonstration) -> str:
    """The answer that the model writes, by the stock processor and the stock generation."""
    content = [
        {"type": "text", "text": part} if isinstance(part, str) else {"type": "image"}
        for part in shown.content
    ]
    text = processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True
    )
    pictures = [part for part in shown.content if not isinstance(part, str)]
    inputs = processor(text=[text], images=pictures, return_tensors="pt")
    ids = model.generate(**inputs, max_new_tokens=24, do_sample=False)
    answer: str = processor.tokenizer.decode(
        ids[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True
    )
    return answer


def test_exact_answers_are_what_greedy_generation_writes(half_taught: tuple[Any, Any]) -> None:
    model, processor = half_taught
    right: dict[str, list[bool]] = {}
    for shown in (shown for batch in BATCHES for group in batch for shown in group):
        same = generated(model.eval(), processor, shown) == shown.answer
        right.setdefault(shown.kind, []).append(same)
    expected = {kind: sum(same) / len(same) for kind, same in right.items()}
    assert exact_answers(model, PackedCollator(processor), BATCHES) == expected
    assert 0 < sum(expected.values()) < len(expected)  # some are right and some are wrong


@pytest.mark.parametrize("training", [True, False])
def test_the_check_leaves_the_model_as_it_was(half_taught: tuple[Any, Any], training: bool) -> None:
    model, processor = half_taught
    model.train(training)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    exact_answers(model, PackedCollator(processor), BATCHES[:1])
    assert model.training == training
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
