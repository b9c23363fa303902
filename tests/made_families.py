"""Tiny models of every family with images, a batch to learn from, and some training steps."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import torch
from families import mllama
from families.common import save
from families.observe import FAMILIES, LONG, ONE, TWO, answerable, load

from vlmbench.models.families import known_families
from vlmbench.train.parts import Parts
from vlmbench.train.step_check import StepCheck

BUILT = (*FAMILIES, *mllama.FAMILIES)
SEEING = {one.model_type: one for one in BUILT if known_families()[one.model_type].parts}


@cache
def checkpoint(model_type: str, root: Path) -> Path:
    return save(SEEING[model_type], root / model_type.replace("/", "-"))


def build(key: str) -> Any:
    """The tiny model alone, as transformers initializes it."""
    torch.manual_seed(0)
    return SEEING[key].build()[0]


def loaded(key: str, root: Path) -> tuple[Any, dict[str, torch.Tensor]]:
    """A model, and a batch with images from its family's processor, all tokens to be learned."""
    runner = load(checkpoint(key, root))
    # Mllama takes prompts with as many images only.
    requests = [ONE, LONG] if key == "mllama" else answerable(runner, (ONE, LONG, TWO))
    batch = runner.encode(requests)
    assert not batch.failed
    inputs = dict(batch.inputs)
    labels = inputs["input_ids"].masked_fill(inputs["attention_mask"] == 0, -100)
    return runner._ready().model.train(), {**inputs, "labels": labels}


def optimizer_of(model: Any, *, learning_rate: float = 1e-3) -> torch.optim.AdamW:
    learned = [one for one in model.parameters() if one.requires_grad]
    return torch.optim.AdamW(learned, lr=learning_rate, weight_decay=0.0)


def values(model: Any) -> dict[str, torch.Tensor]:
    return {name: one.detach().clone() for name, one in model.named_parameters()}


def train_steps(
    model: Any, parts: Parts, inputs: dict[str, torch.Tensor], trained: list[str], *, most: int = 3
) -> None:
    """Steps until all has changed; what changed is looked at in another way than by the check."""
    before = values(model)
    optimizer = optimizer_of(model)
    check = StepCheck(model, parts, trained, optimizer, patience=most)
    while not check.done:
        model(**inputs).loss.backward()
        optimizer.step()
        check.after_step()
        optimizer.zero_grad()
    for name, parameter in model.named_parameters():
        assert torch.equal(before[name], parameter) != parameter.requires_grad, name
