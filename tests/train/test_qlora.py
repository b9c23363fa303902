"""QLoRA: an adapter on four bits, merged onto the weights that were not quantized."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
import torch
from made_colors import color_rows, data_recipe, write_rows
from safetensors.torch import load_file

from vlmbench.errors import DependencyError
from vlmbench.models.resolve import resolve_model
from vlmbench.runners.hf.load import load
from vlmbench.train.export import merge_adapter
from vlmbench.train.parts import describe
from vlmbench.train.prepare import Prepared, prepare
from vlmbench.train.recipe_file import parse_recipe, read_recipe
from vlmbench.train.run import train_by_recipe

needs_bitsandbytes = pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed"
)


CHANGES = {
    "train": ["connector"],
    "learning_rate": {"language": 0.01, "connector": 0.005},
    "max_steps": 12,
}


def prepared(folder: Path, seedling: Path, method: str = "qlora") -> Prepared:
    write_rows(folder / "rows.parquet", color_rows(24))
    path = data_recipe(folder, seedling, method=method, **CHANGES)
    return prepare(parse_recipe(read_recipe(path), path).stages[-1], folder)


@pytest.fixture(scope="module")
def trained(seedling: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("qlora")
    write_rows(folder / "rows.parquet", color_rows(24))
    path = data_recipe(folder, seedling, method="qlora", **CHANGES)
    return train_by_recipe(path, out=folder / "out", quiet=True)


@needs_bitsandbytes
def test_only_layers_of_the_language_model_are_in_four_bits(seedling: Path, tmp_path: Path) -> None:
    ready = prepared(tmp_path, seedling)
    model, parts = ready.trainable.model, ready.trainable.parts
    quantized = {name for name, one in model.named_parameters() if one.dtype == torch.uint8}
    assert {parts.part_of(name) for name in quantized} == {"language"}
    assert {name.split(".")[2] for name in quantized} == {"layers"}  # no embeddings, no head
    assert {one.dtype for *_, one in ready.trainable.trained()} == {torch.float32}
    sizes = {row.part: row.parameters - row.trained for row in describe(model, parts)}
    whole = {row.part: row.parameters for row in describe(load(ready.spec).model, parts)}
    plain = load(resolve_model(str(seedling))).model
    assert whole["language"] == sizes["language"]
    assert whole == {row.part: row.parameters for row in describe(plain, parts)}


@needs_bitsandbytes
def test_it_learns_nearly_as_lora_does(trained: Path, seedling: Path, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in (trained / "log.jsonl").read_text().splitlines()]
    found = [line["train/loss"] for line in lines if "train/loss" in line]
    whole = [report.loss for report in prepared(tmp_path, seedling, "lora").loop.run()]
    fallen = whole[0] - whole[-1]
    assert fallen > 0.3
    assert found == pytest.approx(whole, abs=0.2 * fallen)
    assert found != whole


@needs_bitsandbytes
def test_it_says_how_to_run_it(trained: Path) -> None:
    readme = (trained / "README.md").read_text()
    assert "- Method: qlora, of the parts language; in full beside it: connector" in readme
    assert "Run it with `--quantization 4bit`, as it was trained" in readme
    assert "bitsandbytes" in json.loads((trained / "checkpoint.json").read_text())["packages"]


@needs_bitsandbytes
def test_rule_25_it_is_merged_onto_the_unquantized_base(
    trained: Path, seedling: Path, tmp_path: Path
) -> None:
    assert merge_adapter(str(trained), tmp_path / "merged") == 32
    base, held = (
        load_file(seedling / "model.safetensors"),
        load_file(trained / "adapter_model.safetensors"),
    )
    merged = load_file(tmp_path / "merged" / "model.safetensors")
    assert merged.keys() == base.keys()
    changed = {name for name in base if not torch.equal(base[name], merged[name])}
    adapted = {name for name in changed if "visual.merger" not in name}
    assert adapted and all(".layers." in name for name in adapted)
    for name in adapted:
        inner = name.replace("model.", "base_model.model.model.language_model.", 1)
        down = held[inner.replace(".weight", ".lora_A.weight")]
        up = held[inner.replace(".weight", ".lora_B.weight")]
        expected = base[name].float() + 8 / 4 * up @ down  # alpha / r (Hu et al. 2021)
        torch.testing.assert_close(merged[name].float(), expected, atol=1e-6, rtol=1e-6)


def test_without_bitsandbytes(
    seedling: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "bitsandbytes" else find(name)
    )
    with pytest.raises(DependencyError, match=r"'method: qlora'.+'vlmbench-ja\[quantization\]'"):
        prepared(tmp_path, seedling)
