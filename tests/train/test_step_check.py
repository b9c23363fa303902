"""What the check of the first steps lets pass, and what stops the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from made_families import loaded, optimizer_of

from vlmbench.errors import ModelError
from vlmbench.models.families import known_families
from vlmbench.train.parts import freeze_unreached, partition, train_only
from vlmbench.train.step_check import StepCheck


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("parts")


@pytest.fixture
def ready(root: Path) -> tuple[Any, Any, dict[str, torch.Tensor]]:
    model, inputs = loaded("qwen2_vl", root)
    parts = partition(model, known_families()["qwen2_vl"])
    train_only(model, parts, ["connector"])
    return model, parts, inputs


def stepped(model: Any, inputs: dict[str, torch.Tensor], optimizer: Any) -> None:
    model(**inputs).loss.backward()
    optimizer.step()


def test_a_frozen_tensor_that_changes_stops_the_run(ready: Any) -> None:
    model, parts, inputs = ready
    optimizer = optimizer_of(model)
    check = StepCheck(model, parts, ["connector"], optimizer)
    stepped(model, inputs, optimizer)
    model.lm_head.weight.data[0, 0] += 1e-3
    with pytest.raises(ModelError, match=r"changed lm_head\.weight of Qwen2-VL, which is frozen"):
        check.after_step()


def test_a_trained_tensor_that_stands_still_stops_the_run(ready: Any) -> None:
    model, parts, inputs = ready
    optimizer = optimizer_of(model)
    check = StepCheck(model, parts, ["connector"], optimizer, patience=2)
    kept = model.model.visual.merger.mlp[0].weight
    before = kept.detach().clone()
    for step in range(2):
        stepped(model, inputs, optimizer)
        kept.data.copy_(before)
        if step == 0:
            assert check.after_step() == ["model.visual.merger.mlp.0.weight"] and not check.done
    with pytest.raises(ModelError, match=r"mlp\.0\.weight of the connector part .* not change"):
        check.after_step()


def test_a_part_without_gradient_stops_the_run(ready: Any) -> None:
    """Rows without images give the connector none."""
    model, parts, inputs = ready
    optimizer = optimizer_of(model)
    check = StepCheck(model, parts, ["connector"], optimizer, patience=1)
    text = inputs["input_ids"][:, :4]
    inner = model.model.language_model.embed_tokens.weight
    (model(input_ids=text, labels=text).loss + 0 * inner.sum()).requires_grad_().backward()
    with pytest.raises(ModelError, match="connector part of Qwen2-VL is to be trained, but a bat"):
        freeze_unreached(model, parts, ["connector"])
    optimizer.step()
    with pytest.raises(ModelError, match=r"\(and 5 more\) of the connector part .* no gradient"):
        check.after_step()


def test_a_warm_up_too_small_to_show_is_no_standstill(ready: Any) -> None:
    """A weight of 1 in float32 does not notice 1e-9."""
    model, parts, inputs = ready
    optimizer = optimizer_of(model, learning_rate=1e-9)
    check = StepCheck(model, parts, ["connector"], optimizer, patience=1)
    stepped(model, inputs, optimizer)
    assert "model.visual.merger.ln_q.weight" in check.after_step()
    optimizer.param_groups[0]["lr"] = 1e-3
    stepped(model, inputs, optimizer)
    assert check.after_step() == [] and check.done


def _trainable_head(model: Any) -> torch.optim.AdamW:
    model.lm_head.weight.requires_grad_(True)
    return optimizer_of(model)


def _all_frozen(model: Any) -> torch.optim.AdamW:
    optimizer = optimizer_of(model)
    model.requires_grad_(False)
    return optimizer


def _optimizer_without_one(model: Any) -> torch.optim.AdamW:
    return torch.optim.AdamW([one for one in model.parameters() if one.requires_grad][1:])


def _frozen_in_optimizer(model: Any) -> torch.optim.AdamW:
    return torch.optim.AdamW(model.parameters())


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (_trainable_head, r"lm_head\.weight of Qwen2-VL is trainable, but its language part"),
        (_all_frozen, "Nothing of the connector part of Qwen2-VL is trainable"),
        (_optimizer_without_one, r"merger\.ln_q\.weight is to be trained, but the optimizer does"),
        (_frozen_in_optimizer, "is frozen, but the optimizer has it"),
    ],
)
def test_what_is_trainable_is_what_was_asked_for(
    ready: Any, prepare: Callable[[Any], torch.optim.AdamW], message: str
) -> None:
    model, parts, _ = ready
    optimizer = prepare(model)
    with pytest.raises(ModelError, match=message):
        StepCheck(model, parts, ["connector"], optimizer)
