"""`vlmbench train preview|check|export|list`, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_colors import color_rows, data_recipe, write_rows

from vlmbench.cli.main import main
from vlmbench.train.recipe_file import parse_recipe, read_recipe
from vlmbench.train.run import SHIPPED_RECIPES, train_by_recipe


@pytest.fixture
def recipe(seedling: Path, tmp_path: Path) -> Path:
    write_rows(tmp_path / "rows.parquet", color_rows(12))
    return data_recipe(tmp_path, seedling)


def test_preview_marks_what_is_learned(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "preview", str(recipe), "--count", "2"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("【") == 2
    assert "【赤<|im_end|>】" in shown
    assert "<|image_pad|>×4" in shown  # 64 x 64 pixels, 16 x 16 a patch, four patches a token
    assert main(["train", "preview", str(recipe), "--html", str(tmp_path / "rows.html")]) == 0
    page = (tmp_path / "rows.html").read_text()
    assert page.count("<mark>") == 3
    assert page.count("data:image;base64,") == 3


@pytest.mark.parametrize("command", [["check"], ["run", "--dry-run"]])
def test_check_tells_and_leaves_nothing(
    command: list[str], recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(tmp_path.iterdir())
    assert main(["train", command[0], str(recipe), *command[1:]]) == 0
    shown = capsys.readouterr().out
    assert "Rows: 12 to train on, 0 for validation, 0 too long" in shown
    assert "it answers as the model in memory does" in shown
    assert sorted(tmp_path.iterdir()) == before


def test_generated_pictures_are_previewed_by_family(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "preview", "tiny-ja-tune", "--count", "6"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("【") == 6
    assert "chart chart:" in shown


def test_list_names_every_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {one["name"] for one in listed} == {path.stem for path in SHIPPED_RECIPES.glob("*.yaml")}
    embedded = next(one for one in listed if one["name"] == "tiny-ja")
    assert (embedded["stages"], embedded["steps"]) == (3, 3600)


def test_the_recipe_for_cauldron_ja_runs_on_a_small_model_and_rows(
    seedling: Path, tmp_path: Path
) -> None:
    shipped = SHIPPED_RECIPES / "qwen2-vl-2b-cauldron-ja.yaml"
    rows = write_rows(tmp_path / "rows.parquet", color_rows(24))
    out = train_by_recipe(
        shipped,
        out=tmp_path / "out",
        overrides=[
            f"model={seedling}",
            f"data=[{{path: {rows}}}]",
            "validation.rows=4",
            "max_steps=2",
            "guard.against=[]",
            "evaluate={every_steps: 2, best: validation.overlap.rouge_l}",
        ],
        quiet=True,
    )
    assert (out / "adapter_model.safetensors").exists()
    recipe = parse_recipe(read_recipe(shipped), shipped).stages[0]
    assert recipe.examples_per_step == 16
