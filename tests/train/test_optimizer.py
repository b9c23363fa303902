"""Muon and AdamW as one: who gets what, one schedule, and a state that can be restored."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import torch

from vlmbench.train.optimizer import MuonAdamW, Rates, build_optimizer

RATES = Rates(muon=0.02, adamw=0.01)


def load(seedling: Path, **changes: Any) -> Any:
    from transformers import AutoConfig, AutoModelForImageTextToText

    config = AutoConfig.from_pretrained(seedling)
    for key, value in changes.items():
        setattr(config, key, value)
        setattr(config.text_config, key, value)
    torch.manual_seed(0)
    return AutoModelForImageTextToText.from_config(config)  # type: ignore[no-untyped-call]


def names(model: Any, part: torch.optim.Optimizer) -> set[str]:
    held = {id(parameter) for group in part.param_groups for parameter in group["params"]}
    return {name for name, parameter in model.named_parameters() if id(parameter) in held}


def test_matrices_go_to_muon_and_everything_else_to_adamw(seedling: Path) -> None:
    model = load(seedling)
    muon, adamw = (names(model, part) for part in build_optimizer(model, RATES).parts)
    assert muon | adamw == {name for name, _ in model.named_parameters()}
    assert not muon & adamw
    layer = "model.language_model.layers.0."
    assert {layer + "self_attn.q_proj.weight", layer + "mlp.up_proj.weight"} <= muon
    assert {"model.visual.blocks.0.attn.qkv.weight", "model.visual.merger.mlp.2.weight"} <= muon
    for name in adamw:
        assert name.endswith(("bias", "norm.weight", "layernorm.weight")) or any(
            part in name for part in ("embed_tokens", "patch_embed", "norm1", "norm2", "ln_q")
        ), name
    assert "model.language_model.embed_tokens.weight" in adamw


def test_an_output_layer_of_its_own_is_no_inner_matrix(seedling: Path) -> None:
    model = load(seedling, tie_word_embeddings=False)
    muon, adamw = (names(model, part) for part in build_optimizer(model, RATES).parts)
    assert "lm_head.weight" in adamw
    assert "model.language_model.layers.0.mlp.down_proj.weight" in muon


def test_frozen_weights_are_left_out(seedling: Path) -> None:
    model = load(seedling)
    model.model.visual.requires_grad_(False)
    optimizer = build_optimizer(model, RATES)
    held = set().union(*(names(model, part) for part in optimizer.parts))
    assert held
    assert not any("visual" in name for name in held)


def small() -> tuple[list[torch.nn.Parameter], MuonAdamW]:
    """One matrix and one vector."""
    generator = torch.Generator().manual_seed(1)
    parameters = [
        torch.nn.Parameter(torch.randn(6, 4, generator=generator)),
        torch.nn.Parameter(torch.randn(4, generator=generator)),
    ]
    return parameters, MuonAdamW(parameters[:1], parameters[1:], RATES)


def advance(parameters: list[torch.nn.Parameter], optimizer: MuonAdamW, steps: range) -> None:
    """Steps with gradients that depend on the step's number alone."""
    for step in steps:
        generator = torch.Generator().manual_seed(100 + step)
        for parameter in parameters:
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        optimizer.step()


def test_the_parts_do_what_they_do_alone() -> None:
    parameters, optimizer = small()
    alone, _ = small()
    muon = torch.optim.Muon(alone[:1], lr=0.02, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    adamw = torch.optim.AdamW(alone[1:], lr=0.01, betas=(0.9, 0.98), weight_decay=0.0)
    advance(parameters, optimizer, range(4))
    for part in (muon, adamw):
        for step in range(4):
            generator = torch.Generator().manual_seed(100 + step)
            for parameter in alone:
                parameter.grad = torch.randn(parameter.shape, generator=generator)
            part.step()  # type: ignore[no-untyped-call]
    for one, other in zip(parameters, alone, strict=True):
        assert torch.equal(one, other)


def test_a_schedule_reaches_both_parts() -> None:
    parameters, optimizer = small()
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step))
    for step in range(4):
        rates = [group["lr"] for part in optimizer.parts for group in part.param_groups]
        assert rates == pytest.approx([0.02 / (1 + step), 0.01 / (1 + step)])
        advance(parameters, optimizer, range(step, step + 1))
        schedule.step()
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    before = [parameter.clone() for parameter in parameters]
    advance(parameters, optimizer, range(9, 10))
    assert all(torch.equal(*both) for both in zip(parameters, before, strict=True))


def test_zero_grad_reaches_both_parts() -> None:
    parameters, optimizer = small()
    advance(parameters, optimizer, range(1))
    optimizer.zero_grad()
    assert [parameter.grad for parameter in parameters] == [None, None]


def test_a_restored_state_goes_on_identically() -> None:
    parameters, optimizer = small()
    advance(parameters, optimizer, range(6))

    stopped, before = small()
    torch.optim.lr_scheduler.LambdaLR(before, lambda _: 1.0)  # adds `initial_lr` to what is saved
    advance(stopped, before, range(3))
    file = io.BytesIO()
    torch.save({"optimizer": before.state_dict(), "weights": stopped}, file)
    saved = torch.load(io.BytesIO(file.getvalue()), weights_only=False)

    resumed, after = small()
    for parameter, weight in zip(resumed, saved["weights"], strict=True):
        parameter.data.copy_(weight)
    after.load_state_dict(saved["optimizer"])
    advance(resumed, after, range(3, 6))
    assert all(torch.equal(*both) for both in zip(resumed, parameters, strict=True))

    torch.optim.lr_scheduler.LambdaLR(after, lambda _: 0.5)
    rates = [group["lr"] for part in after.parts for group in part.param_groups]
    assert rates == pytest.approx([0.01, 0.005])


def test_without_the_state_it_would_go_on_differently() -> None:
    """Shows that the test above can fail."""
    parameters, optimizer = small()
    advance(parameters, optimizer, range(6))
    stopped, before = small()
    advance(stopped, before, range(3))
    fresh = MuonAdamW(stopped[:1], stopped[1:], RATES)
    advance(stopped, fresh, range(3, 6))
    assert not any(torch.equal(*both) for both in zip(stopped, parameters, strict=True))
