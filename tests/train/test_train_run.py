"""Training by a recipe: what it leaves, what it shows, and what it says of a wrong start."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from made_recipes import drawn_recipe
from safetensors.torch import load_file

from vlmbench.errors import ModelError, UsageError, VlmbenchError
from vlmbench.train.run import find_recipe, train_by_recipe


def log_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def losses(out: Path) -> list[float]:
    return [row["train/loss"] for row in log_of(out) if "train/loss" in row]


def quick(folder: Path, model: Any, **changes: Any) -> Path:
    """Two steps that nothing is measured in."""
    quiet = {"max_steps": 2, "validation": None, "evaluate": None}
    return drawn_recipe(folder, model, **{**quiet, **changes})


def test_what_a_training_in_full_leaves(trained: Path) -> None:
    assert {path.name for path in trained.iterdir()} == {
        "README.md",
        "chat_template.jinja",
        "checkpoint.json",
        "config.json",
        "generation_config.json",
        "log.jsonl",
        "model.safetensors",
        "processor_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }


def test_the_checkpoint_loads_as_any_other_and_has_learned(trained: Path, seedling: Path) -> None:
    from transformers import AutoModelForImageTextToText, AutoProcessor

    model = AutoModelForImageTextToText.from_pretrained(trained)
    processor = AutoProcessor.from_pretrained(trained)  # type: ignore[no-untyped-call]
    assert model.config.model_type == "qwen2_vl"
    assert processor.tokenizer.padding_side == "left"
    one, other = (load_file(folder / "model.safetensors") for folder in (trained, seedling))
    assert not any(torch.equal(one[name], other[name]) for name in one)


def test_resuming_what_is_finished_changes_nothing(trained: Path, seedling: Path) -> None:
    before = {path: path.read_bytes() for path in trained.iterdir()}
    recipe = drawn_recipe(trained.parent, seedling)
    assert train_by_recipe(recipe, out=trained, resume=True, quiet=True) == trained
    assert {path: path.read_bytes() for path in before} == before


def test_going_on_from_a_checkpoint_starts_where_it_ended(trained: Path, tmp_path: Path) -> None:
    out = train_by_recipe(quick(tmp_path, trained), out=tmp_path / "further", quiet=True)
    assert losses(out)[0] < losses(trained)[2]
    assert f"- Start: {trained.name}\n" in (out / "README.md").read_text()


def test_bfloat16_arithmetic_learns_too(seedling: Path, tmp_path: Path) -> None:
    recipe = quick(tmp_path, seedling, max_steps=9, bf16=True)
    out = train_by_recipe(recipe, out=tmp_path / "out", quiet=True)
    assert losses(out)[-1] < 0.7 * losses(out)[0]
    kept = {tensor.dtype for tensor in load_file(out / "model.safetensors").values()}
    assert kept == {torch.float32}


def test_only_the_bar_is_shown(
    seedling: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    recipe = quick(tmp_path, seedling)
    train_by_recipe(recipe, out=tmp_path / "quiet", quiet=True)
    assert capfd.readouterr() == ("", "")
    train_by_recipe(recipe, out=tmp_path / "shown")
    shown = capfd.readouterr()
    assert shown.out == ""
    assert re.search(r"training.*2/2.*loss \d\.\d{3}", shown.err)


def _damaged(folder: Path, seedling: Path) -> str:
    """A checkpoint whose weights were cut off."""
    (folder / "damaged").mkdir()
    for path in seedling.iterdir():
        content = path.read_bytes()
        cut = len(content) // 2 if path.suffix == ".safetensors" else len(content)
        (folder / "damaged" / path.name).write_bytes(content[:cut])
    return str(folder / "damaged")


def _adapter(folder: Path, seedling: Path) -> str:
    (folder / "adapter").mkdir()
    settings = {"base_model_name_or_path": str(seedling)}
    (folder / "adapter" / "adapter_config.json").write_text(json.dumps(settings))
    return str(folder / "adapter")


@pytest.mark.parametrize(
    ("checkpoint", "sentence"),
    [
        (_damaged, "cannot be loaded"),
        (_adapter, "merge it first with"),
        (lambda folder, _: str(folder / "gone"), "gone"),
        (lambda *_: "qwen2-vl-2", "Did you mean 'qwen2-vl-2b'"),
        (lambda *_: "baseline:majority", "is not one that transformers loads"),
    ],
)
def test_a_checkpoint_that_cannot_be_trained(
    checkpoint: Callable[[Path, Path], str], sentence: str, seedling: Path, tmp_path: Path
) -> None:
    recipe = quick(tmp_path, checkpoint(tmp_path, seedling))
    with pytest.raises(VlmbenchError) as caught:
        train_by_recipe(recipe, out=tmp_path / "out", quiet=True)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ModelError | UsageError)


def test_directories_that_cannot_be_used(trained: Path, seedling: Path, tmp_path: Path) -> None:
    recipe = quick(tmp_path, seedling)
    (tmp_path / "file").touch()
    cases = [
        (trained, False, "holds a model already; choose another directory with --out."),
        (tmp_path / "new", True, "There is no checkpoint to resume from in"),
        (tmp_path / "file" / "out", False, "cannot be written (Not a directory)"),
        (Path("/proc"), False, "The directory /proc cannot be written"),  # read-only even to root
    ]
    for out, resume, sentence in cases:
        with pytest.raises(UsageError) as caught:
            train_by_recipe(recipe, out=out, resume=resume, quiet=True)
        assert sentence in str(caught.value)


def test_recipes_by_name(tmp_path: Path) -> None:
    assert find_recipe("tiny-ja").name == "tiny-ja.yaml"
    (tmp_path / "own.yaml").touch()
    assert find_recipe(str(tmp_path / "own.yaml")) == tmp_path / "own.yaml"
    with pytest.raises(UsageError, match=r"Unknown recipe 'tiny-jp'. Did you mean 'tiny-ja"):
        find_recipe("tiny-jp")
    with pytest.raises(UsageError, match=r"There is no recipe file tiny-ja\.yml; check the path"):
        find_recipe("tiny-ja.yml")
