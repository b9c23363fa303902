"""Rules 9 to 12: what is trained, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from made_colors import color_rows, data_recipe, write_rows
from made_families import checkpoint
from made_trainings import adapter, facts_of, prepared, recipe_of

from vlmbench.errors import ModelError
from vlmbench.train.prepare import prepare
from vlmbench.train.run import train_by_recipe

LAST_LAYER = "model.vision_tower.encoder.layers.1."
"""Of the tiny LLaVA, which hands over the features of the layer before it."""


@pytest.fixture(scope="module")
def llava(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint("llava", tmp_path_factory.getbasetemp())


@pytest.mark.parametrize("part", ["vision", "connector", "language"])
def test_rule_09_frozen_bytes_stay_and_the_rest_changes(
    part: str, seedling: Path, tmp_path: Path
) -> None:
    ready = prepared(tmp_path, seedling, method="full", train=[part], max_steps=3)
    model, parts = ready.trainable.model, ready.trainable.parts
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for _ in ready.loop.run():
        pass
    for name, parameter in model.named_parameters():
        changed = not torch.equal(before[name], parameter)
        assert changed == (parts.part_of(name) == part and name not in ready.loop.unreached), name


def test_rule_10_lora_stays_in_the_chosen_parts(llava: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.parquet", color_rows(4))
    suffixes = ["q_proj", "v_proj", "fc1"]  # the vision encoder has them all, too
    recipe = data_recipe(
        tmp_path,
        llava,
        lora={"r": 2, "parts": ["language"], "modules": suffixes[:2]},
        max_steps=2,
        per_device_train_batch_size=2,
    )
    out = train_by_recipe(recipe, out=tmp_path / "out", quiet=True)
    adapted = {name.rpartition(".lora_")[0].split(".", 2)[2] for name in adapter(out)}
    assert adapted == {
        f"model.language_model.layers.{layer}.self_attn.{name}"
        for layer in (0, 1)
        for name in suffixes[:2]
    }
    both = prepare(
        recipe_of(
            data_recipe(
                tmp_path, llava, lora={"parts": ["vision", "language"], "modules": ["q_proj"]}
            )
        ),
        tmp_path,
    )
    assert {part for _, part, _ in both.trainable.trained()} == {"vision", "language"}


@pytest.mark.parametrize("checkpointing", [False, True])
def test_rule_11_each_trained_part_gets_a_gradient(
    checkpointing: bool, seedling: Path, tmp_path: Path
) -> None:
    ready = prepared(
        tmp_path,
        seedling,
        lora={"r": 2, "parts": ["vision", "connector", "language"]},
        gradient_checkpointing=checkpointing,
        max_steps=2,
    )
    for report in ready.loop.run():
        assert report.grad_norm.keys() == {"vision", "connector", "language"}
        assert min(report.grad_norm.values()) > 0
    rows = color_rows(8)
    for row in rows:
        row["images"] = []
    write_rows(tmp_path / "rows.parquet", rows)
    recipe = data_recipe(tmp_path, seedling, lora={"parts": ["vision", "language"]})
    with pytest.raises(ModelError, match="vision part of Qwen2-VL is to be trained, but a bat"):
        prepare(recipe_of(recipe), tmp_path)


def test_rule_12_what_no_loss_reaches_is_frozen_and_named(llava: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.parquet", color_rows(4))
    changes = {"method": "full", "max_steps": 2, "per_device_train_batch_size": 2}
    recipe = data_recipe(tmp_path, llava, **changes)
    ready = prepare(recipe_of(recipe), tmp_path)
    parameters = dict(ready.trainable.model.named_parameters())
    last = {name for name in parameters if name.startswith(LAST_LAYER)}
    assert last and last <= set(ready.loop.unreached)
    assert not any(parameters[name].requires_grad for name in ready.loop.unreached)
    # What is left does get a gradient, so DDP needs no `find_unused_parameters`.
    batch = ready.encoder.batch(ready.loop.feed.update(0))
    torch.autograd.backward(ready.loop.token_losses(batch).mean())
    assert all(one.grad is not None for one in parameters.values() if one.requires_grad)
    out = train_by_recipe(recipe, out=tmp_path / "out", quiet=True)
    assert facts_of(out)["unreached"] == ready.loop.unreached
