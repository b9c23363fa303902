"""Adapters, with parts that are trained in full beside them: kept, restored, merged, refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from families.common import save
from families.mllama import FAMILIES as MLLAMA
from families.observe import FAMILIES
from made_colors import color_rows, data_recipe, write_rows
from safetensors.torch import load_file

from vlmbench.errors import ConfigError
from vlmbench.models.families import family
from vlmbench.models.resolve import resolve_model
from vlmbench.runners.hf.load import load
from vlmbench.train.adapter import without_peft_warnings
from vlmbench.train.checkpoint import try_checkpoint
from vlmbench.train.export import merge_adapter
from vlmbench.train.prepare import Prepared, prepare
from vlmbench.train.recipe import Recipe
from vlmbench.train.recipe_file import parse_recipe, read_recipe
from vlmbench.train.run import train_by_recipe
from vlmbench.train.trainable import make_trainable

# PaliGemma's processor, of transformers, gives tensors to numpy in an old way.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

BESIDE = {
    "train": ["connector"],
    "learning_rate": {"language": 0.01, "connector": 0.005},
}


def recipe_of(path: Path) -> Recipe:
    return parse_recipe(read_recipe(path), path).stages[-1]


def weights(model: Any) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def unlike(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> list[str]:
    assert one.keys() == other.keys()
    return [name for name in one if not torch.equal(one[name], other[name])]


def trained(ready: Prepared) -> dict[str, torch.Tensor]:
    for _ in ready.loop.run():
        pass
    return weights(ready.trainable.model)


@pytest.fixture(scope="module")
def beside(seedling: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training by LoRA with the connector in full beside it."""
    folder = tmp_path_factory.mktemp("beside")
    write_rows(folder / "rows.parquet", color_rows(24))
    path = data_recipe(folder, seedling, max_steps=20, **BESIDE)
    return train_by_recipe(path, out=folder / "out", quiet=True)


def test_the_projector_of_a_training_by_lora_is_not_lost(beside: Path, seedling: Path) -> None:
    kept = load_file(beside / "adapter_model.safetensors")
    base = load_file(seedling / "model.safetensors")
    connector = {name for name in kept if ".merger." in name}
    assert {name.removeprefix("base_model.model.model.") for name in connector} == {
        name for name in base if name.startswith("visual.merger.")
    }
    for name in connector:
        before = base[name.removeprefix("base_model.model.model.")]
        assert not torch.equal(kept[name], before), name
    readme = (beside / "README.md").read_text()
    assert "lora, of the parts language; in full beside it: connector" in readme


def by_plain_peft(base: Path, adapter: Path) -> Any:
    """What people get who load a checkpoint without vlmbench."""
    import peft

    plain = load(resolve_model(str(base))).model
    with without_peft_warnings():
        peft.PeftModel.from_pretrained(plain, adapter)
    return plain


def test_plain_peft_loads_the_whole_checkpoint(beside: Path, seedling: Path) -> None:
    ours = load(resolve_model(str(beside))).model
    assert unlike(weights(by_plain_peft(seedling, beside)), weights(ours)) == []
    kept = load_file(beside / "adapter_model.safetensors")
    found = weights(ours)
    for name, value in kept.items():
        inner = name.removeprefix("base_model.model.").replace("_A.", "_A.default.")
        assert torch.equal(found[inner.replace("_B.", "_B.default.")], value), name


def test_merged_with_the_connector_it_answers_alike(beside: Path, tmp_path: Path) -> None:
    assert merge_adapter(str(beside), tmp_path / "merged") == 32
    kept = load_file(beside / "adapter_model.safetensors")
    merged = load(resolve_model(str(tmp_path / "merged"))).model
    for name, value in weights(merged).items():
        if ".merger." in name:
            assert torch.equal(kept[f"base_model.model.{name}"], value), name


def test_each_part_has_its_own_learning_rate(beside: Path) -> None:
    rows = [json.loads(line) for line in (beside / "log.jsonl").read_text().splitlines()]
    rates = rows[1]["train/learning_rate_by_part"]
    assert rates["language"] == 2 * rates["connector"]


@pytest.mark.parametrize(
    "model_type",
    [
        "qwen3_vl",  # a list of mergers that is never called
        "gemma3",  # a bare parameter in the connector
        "llava_next",  # one beside it
        "blip-2",  # queries, and a Q-Former
        "mllama",  # cross-attention between the layers of the language model
        "idefics2",
    ],
)
def test_any_connector_is_trained_beside_an_adapter(model_type: str, tmp_path: Path) -> None:
    kind = next(one for one in (*FAMILIES, *MLLAMA) if one.model_type == model_type)
    write_rows(tmp_path / "rows.parquet", color_rows(8))
    start = save(kind, tmp_path / "model")
    ready = prepare(recipe_of(data_recipe(tmp_path, start, max_steps=4, **BESIDE)), tmp_path)
    parts, before = ready.trainable.parts, weights(ready.trainable.model)
    after = trained(ready)
    changed = {name for name in after if not torch.equal(before[name], after[name])}
    connector = {name for name in after if parts.part_of(name) == "connector"}
    assert connector and connector - changed == {
        name for name in ready.loop.unreached if name in connector
    }
    assert all("lora_" in name for name in changed - connector)
    try_checkpoint(tmp_path, ready.trainable, ready.live, ready.rows.training[0])
    ready.trainable.save(tmp_path / "saved")
    assert unlike(weights(load(resolve_model(str(tmp_path / "saved"))).model), after) == []
    assert unlike(weights(by_plain_peft(start, tmp_path / "saved")), after) == []


def test_answers_in_half_precision_are_those_of_the_loaded_checkpoint(
    seedling: Path, tmp_path: Path
) -> None:
    recipe = recipe_of(data_recipe(tmp_path, seedling, **BESIDE))
    live = load(resolve_model(str(seedling), dtype="bfloat16")).model
    ready = make_trainable(live, family("qwen2_vl"), recipe, str(seedling))
    with torch.no_grad():
        for *_, parameter in ready.trained():
            parameter.add_(0.01 * torch.randn_like(parameter))
    exact = weights(live)
    ready.save(tmp_path / "saved")
    loaded = load(resolve_model(str(tmp_path / "saved"), dtype="bfloat16")).model
    with ready.as_loaded():
        assert unlike(weights(live), weights(loaded)) == []
    assert unlike(weights(live), exact) == []
    assert {exact[name].dtype for name, *_ in ready.trained()} == {torch.float32}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"train": ["language"]}, "the part 'language' is in 'train' and in 'lora.parts'"),
        ({"method": "full", "train": []}, "'train' names no part"),
        (
            {"train": ["connector"], "learning_rate": {"language": 0.01}},
            "'learning_rate' has no value for the part 'connector'",
        ),
    ],
)
def test_parts_that_do_not_go_together(
    changes: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        recipe_of(data_recipe(tmp_path, "tiny-ja", **changes))


def test_with_lora_nothing_else_is_trained_unless_named(tmp_path: Path) -> None:
    assert recipe_of(data_recipe(tmp_path, "tiny-ja")).trained_parts == ("language",)
    assert recipe_of(data_recipe(tmp_path, "tiny-ja", train=[])).full_parts == ()
    both = recipe_of(data_recipe(tmp_path, "tiny-ja", train=["connector"]))
    assert both.trained_parts == ("connector", "language")


def test_an_adapter_remembers_how_far_images_were_shrunk(seedling: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.parquet", color_rows(8))
    model = {"checkpoint": str(seedling), "max_pixels": 4096}
    path = data_recipe(tmp_path, model, max_steps=1)
    out = train_by_recipe(path, out=tmp_path / "out", quiet=True)
    assert resolve_model(str(out)).options["max_pixels"] == 4096
    beside = resolve_model(str(seedling), options={"adapter": str(out)})
    assert beside.options["max_pixels"] == 4096
    assert resolve_model(str(out), options={"max_pixels": 8192}).options["max_pixels"] == 8192
    further = data_recipe(tmp_path, out, max_steps=1)
    again = train_by_recipe(further, out=tmp_path / "again", quiet=True)
    assert json.loads((again / "checkpoint.json").read_text())["max_pixels"] == 4096
    assert "--max-pixels" not in (out / "README.md").read_text()
    merge_adapter(str(out), tmp_path / "merged")
    processor = load(resolve_model(str(tmp_path / "merged"))).processor
    assert processor.image_processor.size["longest_edge"] == 4096
