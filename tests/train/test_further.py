"""Training that goes on from an adapter: with all of its weights, or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from made_colors import color_rows, data_recipe, write_rows
from safetensors.torch import load_file, save_file

from vlmbench.errors import ConfigError, ModelError
from vlmbench.models.resolve import resolve_model
from vlmbench.runners.hf.load import check_checkpoint, load
from vlmbench.train.prepare import Prepared, prepare
from vlmbench.train.recipe_file import parse_recipe, read_recipe
from vlmbench.train.run import train_by_recipe

PREFIX = "base_model.model."


def prepared(path: Path) -> Prepared:
    return prepare(parse_recipe(read_recipe(path), path).stages[-1], path.parent)


def weights(model: Any) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def held(folder: Path) -> dict[str, torch.Tensor]:
    return dict(load_file(folder / "adapter_model.safetensors"))


@pytest.fixture(scope="module")
def first(seedling: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter with the connector in full beside it."""
    folder = tmp_path_factory.mktemp("first")
    write_rows(folder / "rows.parquet", color_rows(24))
    path = data_recipe(folder, seedling, train=["connector"])
    return train_by_recipe(path, out=folder / "out", quiet=True)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    write_rows(tmp_path / "rows.parquet", color_rows(24))
    return tmp_path


@pytest.mark.parametrize("train", [["connector"], []])
def test_it_starts_from_every_weight_of_the_adapter(
    train: list[str], first: Path, rows: Path
) -> None:
    ready = prepared(data_recipe(rows, first, train=train))
    loaded = weights(load(resolve_model(str(first))).model)
    now = weights(ready.trainable.model)
    assert now.keys() == loaded.keys()
    assert [name for name in now if not torch.equal(now[name], loaded[name])] == []


def test_the_new_checkpoint_is_one_of_the_same_base(
    first: Path, seedling: Path, rows: Path
) -> None:
    out = train_by_recipe(data_recipe(rows, first, train=[]), out=rows / "out", quiet=True)
    config = json.loads((out / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(seedling.resolve())
    before, after = held(first), held(out)
    assert before.keys() == after.keys()
    for name, value in before.items():  # the connector is not trained any more, and not lost
        assert torch.equal(value, after[name]) == (".merger." in name), name


def test_a_stage_goes_on_with_the_adapter_of_the_one_before(
    first: Path, seedling: Path, rows: Path
) -> None:
    stages = [{"train": ["connector"]}, {"train": [], "seed": 4}]
    path = data_recipe(rows, seedling, stages=stages)
    staged = train_by_recipe(path, out=rows / "staged", quiet=True)
    path = data_recipe(rows, first, train=[], seed=4)
    by_hand = held(train_by_recipe(path, out=rows / "by-hand", quiet=True))
    assert held(staged).keys() == by_hand.keys()
    assert all(torch.equal(value, by_hand[name]) for name, value in held(staged).items())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"lora": {"r": 2, "alpha": 8}}, "its lora.r is 4, not 2"),
        ({"lora": {"r": 4, "alpha": 4}}, "its lora.alpha is 8, not 4"),
        ({"lora": {"r": 4, "alpha": 8, "modules": ["q_proj"]}}, r"it has .+proj.+ too"),
        ({"lora": {"r": 4, "alpha": 8, "parts": ["vision"]}}, "it has no .+visual"),
    ],
)
def test_an_adapter_of_another_form(
    changes: dict[str, Any], reason: str, first: Path, rows: Path
) -> None:
    with pytest.raises(ModelError, match=reason) as caught:
        prepared(data_recipe(rows, first, **changes))
    assert f"'vlmbench train export {first} -o DIR'" in str(caught.value)


def test_full_training_needs_the_merged_model(first: Path, rows: Path) -> None:
    with pytest.raises(ModelError, match=r"'method: full' .+ 'vlmbench train export"):
        prepared(data_recipe(rows, first, method="full"))


def test_an_adapter_of_other_weights_is_refused(
    first: Path, seedling: Path, tmp_path: Path
) -> None:
    other = shutil.copytree(seedling, tmp_path / "other")
    (other / "notes.txt").write_text("Not a weight.")
    on_other = resolve_model(str(other), options={"adapter": str(first)})
    check_checkpoint(on_other)
    changed = load_file(other / "model.safetensors")
    changed[min(changed)] += 1
    save_file(changed, other / "model.safetensors", metadata={"format": "pt"})
    for use in (check_checkpoint, load):
        with pytest.raises(ModelError, match=r"was trained on other weights \(.+; give the model"):
            use(on_other)


def test_rule_24_an_adapter_without_what_was_trained_beside_it_is_refused(
    first: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(first, tmp_path / "adapter")
    file = folder / "adapter_model.safetensors"
    kept = {name: value for name, value in held(first).items() if "merger.mlp" not in name}
    save_file(kept, file, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks model\.visual\.merger\.mlp\.0\.bias, which was"):
        load(resolve_model(str(folder)))


@pytest.mark.parametrize(
    ("second", "sentence"),
    [
        ({"method": "full"}, "stage 2 of .+ cannot start from the adapter of the stage before"),
        ({"lora": {"r": 2}}, "'lora.r' of stage 2 of .+ is not that of the stage before"),
    ],
)
def test_stages_that_cannot_follow_each_other(
    second: dict[str, Any], sentence: str, rows: Path
) -> None:
    path = data_recipe(rows, "tiny-ja", stages=[{}, second])
    with pytest.raises(ConfigError, match=sentence):
        parse_recipe(read_recipe(path), path)
