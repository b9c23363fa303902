"""Training on a user's own rows: that it does what it says, and survives bad luck."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from made_colors import color_rows, data_recipe, write_rows
from made_trainings import adapter, gradients, log_of, losses, prepared, recipe_of, resumable, same

from vlmbench.errors import DataError, ModelError, UsageError
from vlmbench.train.batch import Batch
from vlmbench.train.loop import Loop
from vlmbench.train.prepare import prepare
from vlmbench.train.run import train_by_recipe


def test_what_a_training_by_lora_leaves(whole: Path) -> None:
    assert {path.name for path in whole.iterdir()} == {
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "chat_template.jinja",
        "checkpoint.json",
        "generation_config.json",
        "log.jsonl",
        "processor_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    facts = json.loads((whole / "checkpoint.json").read_text())
    assert (facts["step"], facts["data"]["training_rows"]) == (8, 20)
    assert facts["data"]["validation_rows"] == 4
    assert losses(whole)[-1] < losses(whole)[0]
    assert [row["step"] for row in log_of(whole) if "eval/loss" in row] == [0, 4, 8]


@pytest.mark.parametrize("method", ["full", "lora"])
def test_the_checkpoint_answers_as_the_live_model(
    method: str, seedling: Path, tmp_path: Path
) -> None:
    from vlmbench.models.resolve import resolve_model
    from vlmbench.runners.hf.runner import HFRunner
    from vlmbench.train.live import answers_of

    write_rows(tmp_path / "rows.parquet", color_rows(24))
    path = data_recipe(
        tmp_path,
        seedling,
        method=method,
        max_steps=30,
        validation={"rows": 4},
        evaluate={"every_steps": 30},
    )
    out = train_by_recipe(path, out=tmp_path / "out", quiet=True)
    ready = prepare(recipe_of(path), tmp_path)
    runner = HFRunner()
    runner.prepare(resolve_model(str(out)))
    samples = [row["samples"] for row in log_of(out) if "samples" in row][-1]
    held = ready.rows.validation
    assert answers_of(runner, held) == [one["answer"] for one in samples[: len(held)]]
    assert answers_of(runner, held) != ready.live.answers(held)  # it has learned something


def test_the_loss_is_the_one_of_transformers(seedling: Path, tmp_path: Path) -> None:
    ready = prepared(tmp_path, seedling, method="full")
    batch = ready.encoder.batch([(one,) for one in ready.rows.training[:3]])
    ready.trainable.model.eval()
    with torch.no_grad():
        theirs = ready.trainable.model(**batch.inputs, labels=batch.labels).loss
        ours = ready.loop.token_losses(batch).mean()
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-6)


class Killed(BaseException):
    """Ends a training where a kill would, without another process."""


def interrupted(folder: Path, seedling: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A recipe, and what its training left when it was killed after step 7."""
    path, out = resumable(folder, seedling), folder / "out"
    update = Loop._update

    def killed(self: Loop, step: int, *rest: Any) -> Any:
        if step == 7:
            raise Killed
        return update(self, step, *rest)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Loop, "_update", killed)
        train_by_recipe(path, out=out, quiet=True)
    return path, out


def test_a_checkpoint_that_was_not_saved_whole_is_passed_over(
    whole: Path, seedling: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = interrupted(tmp_path, seedling, monkeypatch)
    (out / "checkpoint-6" / "state.pt").unlink()
    train_by_recipe(path, out=out, resume=True, quiet=True)
    assert same(adapter(out), adapter(whole))
    assert losses(out) == losses(whole)


def test_resuming_by_another_recipe_is_refused(
    seedling: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = interrupted(tmp_path, seedling, monkeypatch)
    with pytest.raises(UsageError, match=r"was started with another 'seed'"):
        train_by_recipe(path, out=out, resume=True, overrides=["seed=9"], quiet=True)


def test_a_gradient_that_is_no_number_stops_and_the_last_checkpoint_is_gone_on_from(
    whole: Path, seedling: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside test_bad_luck's loss: here the loss is a number and its gradient is none."""
    path, out = resumable(tmp_path, seedling), tmp_path / "out"
    token_losses = Loop.token_losses

    def spoilt(self: Loop, batch: Batch) -> torch.Tensor:
        found = token_losses(self, batch)
        if found.requires_grad and (out / "checkpoint-3").exists():
            found.register_hook(lambda gradient: gradient * torch.inf)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "token_losses", spoilt)
        with pytest.raises(ModelError, match=r"loss or a gradient of step \d is (nan|inf)"):
            train_by_recipe(path, out=out, quiet=True)
    assert (out / "checkpoint-3" / "checkpoint.json").exists()
    train_by_recipe(path, out=out, resume=True, quiet=True)
    assert same(adapter(out), adapter(whole))
    assert losses(out) == losses(whole)


def test_validation_rows_share_no_picture_with_training(seedling: Path, tmp_path: Path) -> None:
    rows = color_rows(12)
    write_rows(tmp_path / "rows.parquet", [*rows, *rows])
    path = data_recipe(tmp_path, seedling, validation={"fraction": 0.25, "by": "picture"})
    ready = prepare(recipe_of(path), tmp_path)
    seen = {image.digest for one in ready.rows.training for image in one.images}
    held = {image.digest for one in ready.rows.validation for image in one.images}
    assert held and not seen & held
    assert len(ready.rows.validation) == 6
    by_row = recipe_of(data_recipe(tmp_path, seedling, validation={"rows": 7, "by": "row"}))
    assert len(prepare(by_row, tmp_path).rows.validation) == 7


def test_stages_follow_one_another(seedling: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.parquet", color_rows(12))
    path = data_recipe(
        tmp_path,
        seedling,
        max_steps=3,
        stages=[{"method": "full", "train": ["connector"]}, {"method": "lora"}],
    )
    out = train_by_recipe(path, out=tmp_path / "out", quiet=True)
    base = json.loads((out / "adapter_config.json").read_text())["base_model_name_or_path"]
    assert Path(base) == (out / "stages" / "1").resolve()
    assert (Path(base) / "model.safetensors").exists()


def test_training_data_that_a_task_asks_about_is_refused(seedling: Path, tmp_path: Path) -> None:
    from vlmbench.tasks.registry import load_task
    from vlmbench.tasks.samples import read_samples

    sample = next(read_samples(load_task("ja-vqa")))
    rows = color_rows(8)
    rows[3]["images"] = [{"bytes": sample.images[0].data, "path": None}]
    write_rows(tmp_path / "rows.parquet", rows)
    changes = {"evaluate": {"every_steps": 3, "tasks": {"ja-vqa": 4}}}
    with pytest.raises(DataError, match="holds evaluation data in 1 examples"):
        prepare(recipe_of(data_recipe(tmp_path, seedling, **changes)), tmp_path)
    dropping = {"guard": {"same_picture": "drop"}, **changes}
    ready = prepare(recipe_of(data_recipe(tmp_path, seedling, **dropping)), tmp_path)
    assert (len(ready.rows.training), ready.guard.dropped) == (7, 1)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model": "tiny-jp"}, "tiny-jp"),
        ({"data": [{"path": "gone.parquet"}]}, "gone.parquet"),
        ({"lora": {"modules": ["q_prj"]}}, "Did you mean 'q_proj'"),
    ],
)
def test_bad_luck_in_one_sentence(
    changes: dict[str, Any], sentence: str, seedling: Path, tmp_path: Path
) -> None:
    from vlmbench.errors import VlmbenchError

    write_rows(tmp_path / "rows.parquet", color_rows(8))
    path = data_recipe(tmp_path, changes.pop("model", seedling), **changes)
    with pytest.raises(VlmbenchError) as caught:
        train_by_recipe(path, out=tmp_path / "out", quiet=True)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_gradient_checkpointing_changes_no_gradient(seedling: Path, tmp_path: Path) -> None:
    plain = gradients(prepared(tmp_path, seedling))
    ready = prepared(tmp_path, seedling, gradient_checkpointing=True)
    for name, gradient in gradients(ready).items():
        torch.testing.assert_close(gradient, plain[name], atol=1e-6, rtol=1e-5)


def test_muon_and_bfloat16_learn_too(seedling: Path, tmp_path: Path) -> None:
    ready = prepared(tmp_path, seedling, method="full", optim="muon", bf16=True, max_steps=10)
    found = [report.loss for report in ready.loop.run()]
    assert found[-1] < 0.7 * found[0]
    assert {p.dtype for *_, p in ready.trainable.trained()} == {torch.float32}
