"""Stages of a recipe on models put together of tiny parts: contrastive, align, instruct."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from made_colors import color_rows, data_recipe, write_rows
from made_parts import PAIRS, save_language, save_vision
from safetensors.torch import load_file

from vlmbench.cli.main import main
from vlmbench.errors import ConfigError, ModelError, UsageError
from vlmbench.train import contrastive
from vlmbench.train.recipe_file import parse_recipe, read_recipe
from vlmbench.train.run import find_recipe, train_by_recipe

# peft asks transformers for it, where an adapter is loaded.

STEPS = 6
CONTRASTIVE = {
    "objective": "contrastive",
    "method": "full",
    "train": ["connector"],
    "gradient_accumulation_steps": 2,
}
ALIGN = {"method": "full", "train": ["connector"]}
INSTRUCT = {"method": "lora", "lora": {"r": 4, "alpha": 8}}


def staged_recipe(
    folder: Path, parts: tuple[str, str, str], stages: list[dict[str, Any]], **changes: Any
) -> Path:
    """A recipe of few steps that puts its start together of tiny parts."""
    connector, tower, language = parts
    torch.manual_seed(1)
    recipe = {
        "name": "staged",
        "model": {
            "assemble": {
                "vision": str(save_vision(folder / "vision", tower)),
                "language": str(save_language(folder / "language", language)),
                "connector": connector,
            }
        },
        "data": [{"path": str(write_rows(folder / "rows.parquet", color_rows(24)))}],
        "validation": {"rows": 4},
        "learning_rate": 0.003,
        "max_steps": STEPS,
        "per_device_train_batch_size": 4,
        "save_steps": 2,
        "seed": 3,
        "stages": stages,
        **changes,
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe, allow_unicode=True), encoding="utf-8")
    return path


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return {
        name: value
        for file in folder.glob("*.safetensors")
        for name, value in load_file(file).items()
    }


def losses(folder: Path) -> list[float]:
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [row["train/loss"] for row in rows if "train/loss" in row]


def stages_of(connector: str) -> list[dict[str, Any]]:
    """Those that a connector has."""
    has_contrastive = connector in ("mlp", "qformer")
    return [*([CONTRASTIVE] if has_contrastive else []), ALIGN, INSTRUCT]


@pytest.mark.parametrize("parts", PAIRS, ids="-".join)
def test_each_connector_goes_through_its_stages(
    parts: tuple[str, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stages = stages_of(parts[0])
    out = tmp_path / "out"
    recipe = staged_recipe(tmp_path, parts, stages)
    assert main(["train", "run", str(recipe), "--out", str(out), "--quiet"]) == 0
    folders = [*(out / "stages" / str(at) for at in range(1, len(stages))), out]
    before = weights(out / "stages" / "0")
    for folder, stage in zip(folders, stages, strict=True):
        assert (folder / "checkpoint.json").is_file()
        assert len(losses(folder)) == STEPS and not list(folder.glob("contrastive.pt"))
        if stage["method"] == "full":
            after = weights(folder)
            changed = {name for name in after if not torch.equal(after[name], before[name].float())}
            assert changed == connector_of(parts[0], after)
            before = after
    runs = ["--device", "cpu", "--out", str(tmp_path / "runs")]
    assert main(["run", "--model", str(out), "--tasks", "ja-vqa", "--limit", "4", *runs]) == 0


def connector_of(connector: str, names: Iterable[str]) -> set[str]:
    """The connector's own weights, by how transformers names them."""
    marks = ["projector", "connector", "qformer", "query_tokens", "language_projection"]
    if connector == "cross-attention":
        marks.append("language_model.model.layers.1.")  # the new one of three
    return {name for name in names if any(mark in name for mark in marks)}


def test_each_stage_goes_on_where_it_was_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The contrastive stage is killed once, and the weights are those of an unbroken training."""
    stages = [CONTRASTIVE, ALIGN]
    recipe = staged_recipe(tmp_path, PAIRS[2], stages)
    whole = train_by_recipe(recipe, out=tmp_path / "whole", quiet=True)

    class Killed(Exception):
        pass

    backward = contrastive.backward_in_chunks
    calls = 0

    def kill(*args: Any, **options: Any) -> float:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise Killed
        return backward(*args, **options)

    monkeypatch.setattr(contrastive, "backward_in_chunks", kill)
    with pytest.raises(Killed):
        train_by_recipe(recipe, out=tmp_path / "out", quiet=True)
    with pytest.raises(UsageError, match="add --resume"):
        train_by_recipe(recipe, out=tmp_path / "out", quiet=True)
    resumed = train_by_recipe(recipe, out=tmp_path / "out", resume=True, quiet=True)
    for folder in (Path("stages/1"), Path()):
        expected, got = weights(whole / folder), weights(resumed / folder)
        assert expected and all(torch.equal(got[name], expected[name]) for name in expected)
    assert losses(resumed / "stages/1") == losses(whole / "stages/1")
    assert calls == 4 + 4  # two steps were saved, and three more wanted than those that were done


def test_a_staged_recipe_is_shown_and_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = staged_recipe(tmp_path, PAIRS[2], [CONTRASTIVE, ALIGN, INSTRUCT])
    assert main(["train", "preview", str(recipe), "--count", "1"]) == 0
    # The base model's answers end where `vlmbench run` ends them: not at a token that it never saw.
    assert "答え:【赤\n】" in capsys.readouterr().out
    assert main(["train", "check", str(recipe)]) == 0
    shown = capsys.readouterr().out
    assert "Stage 1 of 3 (contrastive)" in shown and "A checkpoint was written" in shown
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        ({"method": "lora"}, "needs 'method: full'"),
        ({"method": "full", "train": ["connector", "language"]}, "needs 'method: full'"),
        ({"model": {"assemble": {"vision": "a"}}}, "both 'vision' and 'language'"),
        ({"model": {"max_pixels": 9}}, "one of 'checkpoint', 'scratch' and 'assemble'"),
    ],
)
def test_contradictions_are_refused(change: dict[str, Any], fragment: str, tmp_path: Path) -> None:
    values = {"model": "tiny-ja", "objective": "contrastive", **ALIGN, **change}
    path = data_recipe(tmp_path, **values)
    with pytest.raises(ConfigError, match=fragment):
        parse_recipe(read_recipe(path), path)


def test_missing_parts_are_named_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(UsageError, match="'vlmbench train fetch-parts gemma3-dinov2'"):
        train_by_recipe(find_recipe("gemma3-dinov2-ja"), out=tmp_path / "out", quiet=True)


def test_a_connector_that_words_are_not_compared_with_is_refused(
    tmp_path: Path, seedling: Path
) -> None:
    write_rows(tmp_path / "rows.parquet", color_rows(8))
    path = data_recipe(tmp_path, seedling, **CONTRASTIVE)
    with pytest.raises(ModelError, match="does not know the connector of a 'qwen2_vl'"):
        train_by_recipe(path, out=tmp_path / "out", quiet=True)
