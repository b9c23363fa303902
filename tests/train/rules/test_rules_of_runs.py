"""Rules 18, 20 and 23 to 25: prompts, padding, the loss of an update, and what is saved."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from made_colors import COLORS, color_rows, data_recipe, picture, write_rows
from made_trainings import adapter, alone, facts_of, gradients, log_of, prepared, recipe_of
from safetensors.torch import save_file

from vlmbench.cli.main import main
from vlmbench.errors import ModelError
from vlmbench.models.resolve import resolve_model
from vlmbench.records import Image
from vlmbench.runners.hf.runner import HFRunner
from vlmbench.train.data.examples import Example, Turn
from vlmbench.train.live import answers_of
from vlmbench.train.prepare import prepare
from vlmbench.train.questions import question_of
from vlmbench.train.run import train_by_recipe

ALL_FILES = {
    "README.md",
    "chat_template.jinja",
    "checkpoint.json",
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "processor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
}


def test_rule_18_training_and_run_make_the_same_prompts(
    seedling: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_rows(tmp_path / "rows.parquet", color_rows(8))
    model = {"checkpoint": str(seedling), "max_pixels": 32 * 32}
    recipe = data_recipe(tmp_path, model, method="full", max_steps=2)
    ready = prepare(recipe_of(recipe), tmp_path)
    one = ready.rows.training[0]
    batch = ready.encoder.batch(alone(one))
    out = train_by_recipe(recipe, out=tmp_path / "out", quiet=True)
    runner = HFRunner()
    runner.prepare(resolve_model(str(out)))  # without a word of max_pixels
    prompt = runner.encode([question_of(one, "a")]).inputs
    length = prompt["input_ids"].shape[1]
    assert torch.equal(batch.inputs["input_ids"][:, :length], prompt["input_ids"])
    assert torch.equal(batch.inputs["pixel_values"], prompt["pixel_values"])

    def run(*options: str) -> tuple[str, Any]:
        command = ["run", "--model", str(out), "--tasks", "ja-vqa", "--limit", "1", "--no-cache"]
        runs = tmp_path / "runs"
        main([*command, "--quiet", "--fresh", "--out", str(runs), "--replicas", "1", *options])
        record = json.loads((runs / "out" / "ja-vqa" / "run.json").read_text())
        return capsys.readouterr().err, record["environment"]["asked_as_trained"]

    warning, alike = run()
    assert alike is True and "trained" not in warning
    for options in (["--max-pixels", "4096"], ["--system", "短く答えてください。"]):
        warning, alike = run(*options)
        assert alike is False
        assert warning.count("out was trained on prompts that differ from those of this run") == 1
    template = out / "chat_template.jinja"
    template.write_text(template.read_text().replace("<|im_end|>", "<|im_end|>\n"))
    assert run()[1] is False


def test_rule_20_padding_is_right_in_training_and_left_in_a_run(
    seedling: Path, tmp_path: Path
) -> None:
    ready = prepared(tmp_path, seedling)
    red = Image(picture(COLORS["赤"], 1))

    def example(question: str) -> Example:
        return Example("1", (Turn("user", (red, question)), Turn("assistant", ("赤",))), "made")

    short, long = example("何色？"), example("これは何色ですか。短く答えてください。")
    batch = ready.encoder.batch(alone(short, long))
    mask = batch.inputs["attention_mask"]
    assert mask[:, 0].tolist() == [1, 1]
    assert mask[0, -1] == 0 and mask[1, -1] == 1
    single = ready.encoder.batch(alone(short))
    length = single.labels.shape[1]
    assert torch.equal(batch.inputs["input_ids"][0, :length], single.inputs["input_ids"][0])
    assert torch.equal(batch.labels[0, :length], single.labels[0])
    ready.live.loaded.tokenizer.padding_side = "right"  # as if a tokenizer brought that along
    runner = HFRunner()
    runner.prepare(resolve_model(str(seedling)))
    asked = runner.encode([question_of(short, "a"), question_of(long, "b")]).inputs
    assert asked["attention_mask"][:, -1].tolist() == [1, 1]
    assert asked["attention_mask"][0, 0] == 0


def test_rule_23_the_gradient_does_not_depend_on_how_an_update_is_cut(
    seedling: Path, tmp_path: Path
) -> None:
    rows = color_rows(8)
    for number, row in enumerate(rows):  # answers of different lengths, or a mean of means agrees
        row["texts"][0]["assistant"] *= 1 + number
    write_rows(tmp_path / "rows.parquet", rows)
    found = []
    for size, accumulation in ((8, 1), (4, 2), (1, 8)):
        path = data_recipe(
            tmp_path,
            seedling,
            method="full",
            per_device_train_batch_size=size,
            gradient_accumulation_steps=accumulation,
        )
        found.append(gradients(prepare(recipe_of(path), tmp_path)))
    for other in found[1:]:
        assert found[0].keys() == other.keys()
        for name, gradient in found[0].items():
            torch.testing.assert_close(other[name], gradient, atol=1e-6, rtol=1e-5)


def test_rule_24_a_checkpoint_is_whole_and_another_process_has_tried_it(
    seedling: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    write_rows(tmp_path / "rows.parquet", color_rows(8))
    changes = {"method": "full", "max_steps": 2, "evaluate": {"every_steps": 2}}
    recipe = data_recipe(tmp_path, seedling, **changes)
    out = train_by_recipe(recipe, out=tmp_path / "out", quiet=True)
    assert {path.name for path in out.iterdir()} == ALL_FILES | {"log.jsonl"}
    samples = [row["samples"] for row in log_of(out) if "samples" in row][-1]
    assert facts_of(out)["answers"] == [one["answer"] for one in samples[:4]]

    # A processor that is not saved is found before the first step, by the other process; one
    # that finds nothing wrong is in rule 14.
    from transformers import Qwen2VLProcessor

    request.getfixturevalue("own_process")
    monkeypatch.setattr(Qwen2VLProcessor, "save_pretrained", lambda *_, **__: None)
    with pytest.raises(ModelError) as refused:
        train_by_recipe(recipe, out=tmp_path / "other", quiet=True)
    sentence = str(refused.value)
    assert "cannot be used by another process (The checkpoint" in sentence
    assert "has no image processor; save its processor beside the weights" in sentence
    assert "\n" not in sentence and "Traceback" not in sentence
    assert not [row for row in log_of(tmp_path / "other") if "train/loss" in row]
    assert not list((tmp_path / "other").glob("*.safetensors"))


def _renamed(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """As transformers renamed them between two versions: nothing matches."""
    return {name.replace("language_model", "text_model"): one for name, one in weights.items()}


def _incomplete(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return dict(list(weights.items())[1:])


def test_rule_25_a_merged_adapter_answers_as_before(
    seedling: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_rows(tmp_path / "rows.parquet", color_rows(12))
    path = data_recipe(tmp_path, seedling, learning_rate=0.02, max_steps=24)
    tuned = train_by_recipe(path, out=tmp_path / "adapter", quiet=True)
    merged = tmp_path / "merged"
    assert main(["train", "export", str(tuned), "-o", str(merged)]) == 0
    assert "32 answers are the same as before" in capsys.readouterr().out
    assert "adapter" not in resolve_model(str(merged)).options
    rows = prepare(recipe_of(path), tmp_path).rows.training
    found = []
    for model in (seedling, tuned, merged):
        runner = HFRunner()
        runner.prepare(resolve_model(str(model)))
        found.append(answers_of(runner, rows))
    assert found[0] != found[1] == found[2]  # the adapter has an effect, and merged it is the same
    assert main(["train", "export", str(merged), "-o", str(tmp_path / "twice")]) == 2
    assert "is no adapter" in capsys.readouterr().err
    changes: tuple[Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]], ...]
    changes = (_renamed, _incomplete)
    for change in changes:
        broken = tmp_path / change.__name__
        shutil.copytree(tuned, broken)
        save_file(change(adapter(tuned)), broken / "adapter_model.safetensors")
        with pytest.raises(ModelError, match=r"adapter .+ does not fit the Qwen2VL"):
            runner.prepare(resolve_model(str(broken)))
