"""Which weights are kept: averaged ones, the best ones, and all of them after a crash."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from made_colors import color_rows, data_recipe, write_rows
from safetensors.torch import load_file

from vlmbench.errors import ConfigError
from vlmbench.models.checkpoints import directory_name
from vlmbench.models.resolve import resolve_model
from vlmbench.runners.hf.load import load
from vlmbench.train.loop import Loop
from vlmbench.train.prepare import Prepared, prepare
from vlmbench.train.recipe_file import parse_recipe, read_recipe
from vlmbench.train.run import train_by_recipe

DECAY = 0.75


def recipe_in(folder: Path, seedling: Path, **changes: Any) -> Path:
    write_rows(folder / "rows.parquet", color_rows(24))
    return data_recipe(folder, seedling, **changes)


def averaging(folder: Path, seedling: Path) -> Path:
    """Averaged, the two best kept, by another schedule: all that has a state."""
    return recipe_in(
        folder,
        seedling,
        ema={"decay": DECAY},
        lr_scheduler_type="cosine_with_min_lr",
        lr_scheduler_kwargs={"min_lr_rate": 0.1},
        warmup_steps=2,
        max_steps=8,
        save_steps=3,
        validation={"rows": 4},
        evaluate={"every_steps": 2, "best": "validation.loss", "keep": 2},
    )


def prepared(path: Path) -> Prepared:
    return prepare(parse_recipe(read_recipe(path), path).stages[-1], path.parent)


def adapter(folder: Path) -> dict[str, torch.Tensor]:
    return dict(load_file(folder / "adapter_model.safetensors"))


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def checks(out: Path) -> dict[int, float]:
    """The value of each check, by its step."""
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return {row["step"]: row["eval/loss"] for row in rows if "eval/loss" in row and row["step"]}


@pytest.fixture(scope="module")
def whole(seedling: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    return train_by_recipe(averaging(folder, seedling), out=folder / "out", quiet=True)


def test_the_average_is_the_one_of_the_formula_and_is_what_is_saved(
    whole: Path, seedling: Path, tmp_path: Path
) -> None:
    ready = prepared(averaging(tmp_path, seedling))
    trained = {name: parameter for name, _, parameter in ready.trainable.trained()}
    expected: dict[str, torch.Tensor] = {}
    for report in ready.loop.run():
        for name, parameter in trained.items():
            now = parameter.detach().double()
            before = expected.get(name, now)
            expected[name] = DECAY * before + (1 - DECAY) * now
        raw = {name: parameter.detach().clone() for name, parameter in trained.items()}
        with ready.loop.averaged():
            for name, parameter in trained.items():
                assert parameter.dtype == torch.float32
                torch.testing.assert_close(
                    parameter.detach().double(), expected[name], atol=1e-7, rtol=1e-5
                )
        for name, parameter in trained.items():
            assert torch.equal(parameter, raw[name])
        if report.step == json.loads((whole / "checkpoint.json").read_text())["step"]:
            with ready.loop.averaged():
                ready.trainable.save(tmp_path / "saved")
    assert same(adapter(tmp_path / "saved"), adapter(whole))


def test_the_best_are_kept_and_the_very_best_is_the_result(whole: Path) -> None:
    values = checks(whole)
    first, second, *_ = sorted(values, key=lambda step: values[step])
    facts = json.loads((whole / "checkpoint.json").read_text())
    assert (facts["step"], facts["best"]) == (first, values[first])
    kept = [path.name for path in whole.iterdir() if path.is_dir() and path.name != "checks"]
    assert kept == [f"best-step-{second}"]
    folder = whole / kept[0]
    assert json.loads((folder / "checkpoint.json").read_text())["step"] == second
    assert load(resolve_model(str(folder))).model is not None
    assert directory_name(folder) == f"out-best-step-{second}"
    assert not same(adapter(folder), adapter(whole))


class Killed(BaseException):
    """Ends a training where a kill would, without another process."""


def test_rule_14_averages_and_kept_checkpoints_are_those_of_an_unbroken_training(
    whole: Path, seedling: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = averaging(tmp_path, seedling), tmp_path / "out"
    update = Loop._update

    def killed(self: Loop, step: int, *rest: Any) -> Any:
        if step == 7:  # after the checks of steps 2, 4 and 6, and the checkpoints of 3 and 6
            raise Killed
        return update(self, step, *rest)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Loop, "_update", killed)
        train_by_recipe(path, out=out, quiet=True)
    (out / "checkpoint-6" / "state.pt").unlink()  # so that it goes on from 3
    train_by_recipe(path, out=out, resume=True, quiet=True)
    assert checks(out) == checks(whole)
    assert same(adapter(out), adapter(whole))
    (kept,), (expected,) = (list(one.glob("best-step-*")) for one in (out, whole))
    assert kept.name == expected.name and same(adapter(kept), adapter(expected))


def test_weights_saved_in_half_the_bytes_answer_as_the_training_said(
    seedling: Path, tmp_path: Path
) -> None:
    """`train_by_recipe` refuses a checkpoint whose answers differ from the live model's."""
    whole = train_by_recipe(
        recipe_in(tmp_path, seedling, method="full", lora=None, save_steps=4, max_steps=6),
        out=tmp_path / "whole",
        quiet=True,
    )
    half = recipe_in(
        tmp_path, seedling, method="full", lora=None, save_steps=4, save_dtype="bfloat16"
    )
    out = train_by_recipe(half, out=tmp_path / "half", quiet=True)
    exact, rounded = (load_file(folder / "model.safetensors") for folder in (whole, out))
    assert {one.dtype for one in rounded.values()} == {torch.bfloat16}
    assert all(torch.equal(rounded[name], exact[name].bfloat16()) for name in exact)
    assert json.loads((out / "config.json").read_text())["dtype"] == "bfloat16"
    assert {one.dtype for one in load(resolve_model(str(out))).model.parameters()} == {
        torch.float32
    }
    with pytest.raises(ConfigError, match="'save_dtype: bfloat16' needs 'method: full'"):
        prepared(recipe_in(tmp_path, seedling, save_dtype="bfloat16"))


def test_fp16_needs_a_gpu(seedling: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"'fp16: true' needs a CUDA GPU; write 'bf16: true'"):
        prepared(recipe_in(tmp_path, seedling, fp16=True))


def test_updates_whose_scaled_gradient_overflows_are_passed_over(
    seedling: Path, tmp_path: Path
) -> None:
    ready = prepared(recipe_in(tmp_path, seedling, max_steps=12, ema={"decay": DECAY}))
    # Recipes say it for GPUs alone; torch scales losses on a CPU in the same way.
    recipe = ready.recipe.model_copy(update={"fp16": True})
    loop = Loop(recipe, ready.trainable, ready.encoder, ready.loop.feed)
    loop.updates._scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40, backoff_factor=2.0**-15)
    before = {name: p.detach().clone() for name, _, p in ready.trainable.trained()}
    reports = loop.run()
    first = next(reports)
    assert first.grad_norm == {}
    assert all(torch.equal(p, before[name]) for name, _, p in ready.trainable.trained())
    rest = list(reports)
    assert rest[-1].loss < first.loss - 0.2
    assert {p.dtype for *_, p in ready.trainable.trained()} == {torch.float32}
