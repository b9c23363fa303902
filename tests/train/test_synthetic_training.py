"""Training on generated pictures, alone and beside rows, from a checkpoint and from nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from made_colors import color_rows, write_rows
from made_recipes import DRAWN, SIZES, drawn_recipe
from safetensors.torch import load_file

from vlmbench.errors import DataError
from vlmbench.models.resolve import resolve_model
from vlmbench.train.packing_check import packing_is_exact
from vlmbench.train.prepare import FROM_NOTHING, Prepared, prepare
from vlmbench.train.progress import StepLog
from vlmbench.train.recipe_file import parse_recipe, read_recipe
from vlmbench.train.run import train_by_recipe
from vlmbench.train.synthetic.examples import group_examples
from vlmbench.train.synthetic.split import FAMILIES


def prepared(folder: Path, model: Path, **changes: Any) -> Prepared:
    path = drawn_recipe(folder, model, **changes)
    return prepare(parse_recipe(read_recipe(path), path).stages[0], folder)


def log_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def losses(out: Path) -> list[float]:
    return [row["train/loss"] for row in log_of(out) if "train/loss" in row]


def test_it_learns_and_says_what_it_was_shown(trained: Path, seedling: Path) -> None:
    found = losses(trained)
    assert len(found) == 9
    assert found[-1] < 0.7 * found[0]
    updates = [row for row in log_of(trained) if "train/loss" in row]
    assert all(row["train/loss_by_source"].keys() == {"single"} for row in updates)
    rates = [row["train/learning_rate_by_part"] for row in updates]
    assert rates[1] == pytest.approx({"matrices": 0.02, "rest": 0.01})
    assert rates[0] == pytest.approx({"matrices": 0.01, "rest": 0.005})  # of two warm-up steps
    checks = [row for row in log_of(trained) if "eval/validation.match.exact" in row]
    assert [row["step"] for row in checks] == [0, 3, 6, 9]
    facts = json.loads((trained / "checkpoint.json").read_text())
    assert facts["data"]["generated"] == [{**DRAWN, "name": None, "weight": 1.0, "seed": 3}]
    assert facts["data"]["validation_rows"] == 4  # each with the one question that there is
    assert facts["best"] == max(row["eval/validation.match.exact"] for row in checks)
    readme = (trained / "README.md").read_text()
    assert "drawn while training (single 1)" in readme
    assert f"- Start: {seedling.name}" in readme
    assert "base_model" not in readme  # a folder is nothing that the Hub knows


def test_resumed_equals_never_interrupted(
    trained: Path, seedling: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
    assert losses(out) == losses(trained)
    one, other = (load_file(folder / "model.safetensors") for folder in (out, trained))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_rows_and_generated_pictures_in_one_recipe(seedling: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.parquet", color_rows(12))
    rows = {"path": "rows.parquet", "name": "rows", "weight": 2.0}
    ready = prepared(tmp_path, seedling, data=[rows, {**DRAWN, "name": "drawn"}])
    held = [example.source for example in ready.rows.validation]
    assert {name: held.count(name) for name in held} == {"rows": 4, "drawn/single": 4}
    trained = [set(report.loss_by_source) for report in ready.loop.run()]
    assert len(trained) == 9
    assert {"rows"} in trained and {"drawn/single"} in trained


def test_every_generated_picture_is_compared_with_the_tasks(seedling: Path, tmp_path: Path) -> None:
    from made_rows import write_parquet

    ready = prepared(tmp_path, seedling)
    (example,) = ready.loop.feed.update(8)[-1]  # of the last update
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
    with pytest.raises(DataError, match=r"picture of 'single:\S+' is that of sample 'a' .*'seed'"):
        prepared(tmp_path, seedling, guard=guard)
    prepared(tmp_path, seedling, guard=guard, max_steps=8)  # which do not show it
    warned = {**guard, "on_hit": "warn", "same_picture": "warn"}
    report = prepared(tmp_path, seedling, guard=warned).guard.as_dict()
    assert report["seen"] == {"seen": ["a"]}
    assert report["dropped"] == 0
    assert report["pictures"] == 9 * 6
    row = {"images": [picture], "texts": [{"user": "何色？", "assistant": "赤"}]}
    write_rows(tmp_path / "rows.parquet", [*color_rows(8), row])
    data = [{"path": "rows.parquet"}, DRAWN]
    with pytest.raises(DataError, match=r"data in 1 examples: the first, .*parquet"):
        prepared(tmp_path, seedling, data=data, guard=guard, max_steps=1)


def test_pictures_that_do_not_fit_stop_before_the_first_step(
    seedling: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"take up to \d+ tokens .* and 12 are allowed"):
        prepared(tmp_path, seedling, max_length=12)


def test_the_questions_on_a_picture_share_a_row_and_lose_nothing(
    seedling: Path, tmp_path: Path
) -> None:
    ready = prepared(tmp_path, seedling)
    for family in FAMILIES:
        group = group_examples(family, "shared", questions=4, kinds={}, source=family)
        batch = ready.encoder.batch([group])
        assert len(batch.labels) == 1
        assert len(batch.examples) == len(group)
        if len(group) > 1:
            assert packing_is_exact(ready.trainable.model, ready.encoder, [group]), family


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
