"""Training on generated pictures, alone and beside rows, from a checkpoint and from nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from made_colors import color_rows, data_recipe, write_rows
from safetensors.torch import load_file

from vlmbench.errors import DataError
from vlmbench.models.resolve import resolve_model
from vlmbench.train.fit import StepLog
from vlmbench.train.prepare import FROM_NOTHING, Prepared, prepare
from vlmbench.train.recipe import parse_recipe, read_recipe
from vlmbench.train.run import train_by_recipe

COLORS = {"synthetic": {"mixture": {"single": 1}, "kinds": {"what": 0}, "questions": 2}}
"""Asks for the color of the ground."""


def drawn_recipe(folder: Path, model: Any, **changes: Any) -> Path:
    """Nine steps of Muon on generated pictures."""
    return data_recipe(
        folder,
        model,
        **{
            "method": "full",
            "lora": None,
            "data": [COLORS],
            "optim": "muon",
            "learning_rate": 0.02,
            "optim_args": {"adamw_learning_rate": 0.01},
            "warmup_ratio": 0.2,
            "max_steps": 9,
            "save_steps": 4,
            "per_device_train_batch_size": 3,
            "gradient_accumulation_steps": 2,
            "validation": {"rows": 4},
            "evaluate": {"every_steps": 3, "best": "validation.match.exact"},
            **changes,
        },
    )


def prepared(folder: Path, model: Path, **changes: Any) -> Prepared:
    path = drawn_recipe(folder, model, **changes)
    return prepare(parse_recipe(read_recipe(path), path).stages[0], folder)


def log_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def losses(out: Path) -> list[float]:
    return [row["train/loss"] for row in log_of(out) if "train/loss" in row]


@pytest.fixture(scope="module")
def whole(seedling: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    return train_by_recipe(drawn_recipe(folder, seedling), out=folder / "out", quiet=True)


def test_it_learns_and_says_what_it_was_shown(whole: Path, seedling: Path) -> None:
    found = losses(whole)
    assert len(found) == 9
    assert found[-1] < 0.7 * found[0]
    updates = [row for row in log_of(whole) if "train/loss" in row]
    assert all(row["train/loss_by_source"].keys() == {"single"} for row in updates)
    rates = [row["train/learning_rate"] for row in updates]
    assert rates[1] == pytest.approx({"matrices": 0.02, "rest": 0.01})
    assert rates[0] == pytest.approx({"matrices": 0.01, "rest": 0.005})  # of two warm-up steps
    checks = [row for row in log_of(whole) if "eval/validation.match.exact" in row]
    assert [row["step"] for row in checks] == [3, 6, 9]
    facts = json.loads((whole / "checkpoint.json").read_text())
    assert facts["data"]["generated"] == [{**COLORS, "name": None, "weight": 1.0, "seed": 3}]
    assert facts["data"]["validation_rows"] == 4  # each with the one question that there is
    assert facts["best"] == max(row["eval/validation.match.exact"] for row in checks)
    readme = (whole / "README.md").read_text()
    assert "drawn while training (single 1)" in readme
    assert f"base_model: {seedling}" in readme


def test_resumed_equals_never_interrupted(
    whole: Path, seedling: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, out = drawn_recipe(tmp_path, seedling), tmp_path / "out"
    step = StepLog.step

    def stop(log: StepLog, report: Any) -> None:
        step(log, report)
        if report.step == 6:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(StepLog, "step", stop)
        train_by_recipe(recipe, out=out, quiet=True)
    assert [path.name for path in out.glob("checkpoint-*")] == ["checkpoint-4"]
    train_by_recipe(recipe, out=out, resume=True, quiet=True)
    assert losses(out) == losses(whole)
    one, other = (load_file(folder / "model.safetensors") for folder in (out, whole))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_rows_and_generated_pictures_in_one_recipe(seedling: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.parquet", color_rows(12))
    rows = {"path": "rows.parquet", "name": "rows", "weight": 2.0}
    ready = prepared(tmp_path, seedling, data=[rows, {**COLORS, "name": "drawn"}])
    held = [example.source for example in ready.rows.validation]
    assert {name: held.count(name) for name in held} == {"rows": 4, "drawn/single": 4}
    trained = [set(report.loss_by_source) for report in ready.loop.run()]
    assert len(trained) == 9
    assert {"rows"} in trained and {"drawn/single"} in trained


def test_a_task_of_generated_pictures_is_reported_and_rows_are_refused(
    seedling: Path, tmp_path: Path
) -> None:
    from made_rows import write_parquet

    ready = prepared(tmp_path, seedling)
    example = ready.loop.feed.some(1)[0]
    picture = {"bytes": example.images[0].data, "path": None}
    write_parquet(
        tmp_path / "task.parquet", [{"id": "a", "image": picture, "question": "?", "answer": "赤"}]
    )
    (tmp_path / "task.yaml").write_text(
        "name: seen\ndisplay: {title: x, capability: vqa, licence: CC0-1.0}\n"
        "data: {path: task.parquet}\n"
        "fields: {id: '{{ row.id }}', images: [image], references: ['{{ row.answer }}']}\n"
        "prompt: '{{ row.question }}'\nmetrics: [{use: match.exact, headline: true}]\n"
    )
    guard = {"against": [str(tmp_path / "task.yaml")]}
    ready = prepared(tmp_path, seedling, guard=guard)
    report = ready.guard.as_dict()
    assert report["seen"] == {"seen": ["a"]}
    assert report["dropped"] == 0
    assert report["pictures"] == 200
    row = {"images": [picture], "texts": [{"user": "何色？", "assistant": "赤"}]}
    write_rows(tmp_path / "rows.parquet", [*color_rows(8), row])
    with pytest.raises(DataError, match=r"data in 1 examples: the first, .*parquet"):
        prepared(tmp_path, seedling, data=[{"path": "rows.parquet"}, COLORS], guard=guard)


def test_pictures_that_do_not_fit_stop_before_the_first_step(
    seedling: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"take up to \d+ tokens .* and 12 are allowed"):
        prepared(tmp_path, seedling, max_length=12)


SIZES = {
    "vocabulary": 600,
    "vision_width": 32,
    "vision_depth": 1,
    "vision_heads": 2,
    "text_width": 64,
    "text_feed_forward": 64,
    "text_depth": 1,
    "text_heads": 2,
}


def test_from_nothing_in_stages(tmp_path: Path) -> None:
    recipe = drawn_recipe(
        tmp_path,
        {"scratch": SIZES},
        max_steps=2,
        validation=None,
        evaluate=None,
        stages=[{}, {"seed": 4, "data": [{"synthetic": {"mixture": {"chart": 1}}}]}],
    )
    out = train_by_recipe(recipe, out=tmp_path / "out", quiet=True)
    tokenizer = json.loads((out / "tokenizer.json").read_text())
    assert len(tokenizer["model"]["vocab"]) == 600
    first = json.loads((out / "stages" / "1" / "checkpoint.json").read_text())
    assert first["base"]["location"] == FROM_NOTHING
    assert "base_model" not in (out / "stages" / "1" / "README.md").read_text()
    last = json.loads((out / "checkpoint.json").read_text())
    assert last["base"]["location"] == str(out / "stages" / "1")
    assert resolve_model(str(out)).runner == "hf"
