"""Training by a recipe: it learns, it survives being killed, and it explains what is wrong."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from vlmbench.errors import ModelError, UsageError, VlmbenchError
from vlmbench.train.run import find_recipe, train_by_recipe

WriteRecipe = Callable[..., Path]
STEPS, SAVE_EVERY = 9, 4


def log_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def losses(out: Path) -> list[tuple[int, float]]:
    return [(row["step"], row["loss"]) for row in log_of(out) if "loss" in row]


def weights(out: Path) -> dict[str, torch.Tensor]:
    return dict(load_file(out / "model.safetensors"))


def same_weights(first: Path, second: Path) -> bool:
    one, other = weights(first), weights(second)
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.fixture
def whole(trained: Path) -> Path:
    """A training that nothing interrupted."""
    return trained


def test_the_loss_falls(whole: Path) -> None:
    found = losses(whole)
    assert [step for step, _ in found] == list(range(1, STEPS + 1))
    assert found[-1][1] < 0.7 * found[0][1]
    assert [row["step"] for row in log_of(whole) if "exact" in row] == [4, 8, 9]


def test_what_a_training_leaves(whole: Path) -> None:
    assert {path.name for path in whole.iterdir()} == {
        "README.md",
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "log.jsonl",
        "model.safetensors",
        "processor_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "training.json",
    }


def test_the_checkpoint_loads_as_any_other_and_has_learned(whole: Path, seedling: Path) -> None:
    from transformers import AutoModelForImageTextToText, AutoProcessor

    model = AutoModelForImageTextToText.from_pretrained(whole)
    processor = AutoProcessor.from_pretrained(whole)  # type: ignore[no-untyped-call]
    assert model.config.model_type == "qwen2_vl"
    assert processor.tokenizer.padding_side == "left"
    assert not same_weights(whole, seedling)


def test_training_twice_gives_the_same_weights(
    whole: Path, write_recipe: WriteRecipe, tmp_path: Path
) -> None:
    assert same_weights(train_by_recipe(write_recipe(), out=tmp_path / "out", quiet=True), whole)


def test_killed_and_resumed_equals_never_killed(
    whole: Path, write_recipe: WriteRecipe, tmp_path: Path
) -> None:
    recipe, out = write_recipe(), tmp_path / "out"
    command = ["train", "run", str(recipe), "--out", str(out), "--quiet"]
    training = subprocess.Popen(
        [sys.executable, "-m", "vlmbench", *command],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    while not (out / f"checkpoint-{SAVE_EVERY}" / "trainer_state.json").exists():
        assert training.poll() is None, training.communicate()[1].decode()
        time.sleep(0.002)
    training.send_signal(signal.SIGKILL)
    training.communicate()
    assert not (out / "training.json").exists()
    with pytest.raises(UsageError, match=r"not finished; add --resume"):
        train_by_recipe(recipe, out=out, quiet=True)
    train_by_recipe(recipe, out=out, resume=True, quiet=True)
    assert same_weights(out, whole)
    assert losses(out) == losses(whole)
    # The check after step 4 may have been killed with the process; none is there twice.
    assert [row["step"] for row in log_of(out) if "exact" in row][-2:] == [8, 9]
    assert {path.name for path in out.iterdir()} == {path.name for path in whole.iterdir()}


class Killed(BaseException):
    """Ends a training where a kill would, without another process."""


@pytest.fixture
def unfinished(
    write_recipe: WriteRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, Path]:
    """A recipe, and what its training left when it was stopped before the model was saved."""
    from vlmbench.train import run

    def stop(*_: Any) -> None:
        raise Killed

    recipe, out = write_recipe(), tmp_path / "unfinished"
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(run, "_save", stop)
        train_by_recipe(recipe, out=out, quiet=True)
    assert {path.name for path in out.glob("checkpoint-*")} == {"checkpoint-8", "checkpoint-9"}
    return recipe, out


def test_resumed_after_the_last_step(unfinished: tuple[Path, Path], whole: Path) -> None:
    recipe, out = unfinished
    train_by_recipe(recipe, out=out, resume=True, quiet=True)
    assert same_weights(out, whole)
    facts = json.loads((out / "training.json").read_text())
    assert facts["final_loss"] == losses(whole)[-1][1]
    assert facts["exact_by_kind"].keys() == {"what", "colour"}


def test_a_checkpoint_that_was_not_saved_whole_is_passed_over(
    unfinished: tuple[Path, Path], whole: Path
) -> None:
    recipe, out = unfinished
    (out / "checkpoint-9" / "trainer_state.json").write_text('{"epoch": 1')
    (out / "checkpoint-9" / "optimizer.pt").write_bytes(b"")
    with (out / "log.jsonl").open("a") as log:
        log.write('{"step": 9, "lo')
    train_by_recipe(recipe, out=out, resume=True, quiet=True)
    assert same_weights(out, whole)
    assert losses(out) == losses(whole)


def test_no_whole_checkpoint_means_from_the_beginning(
    unfinished: tuple[Path, Path], whole: Path
) -> None:
    recipe, out = unfinished
    for folder in out.glob("checkpoint-*"):
        (folder / "trainer_state.json").unlink()
    train_by_recipe(recipe, out=out, resume=True, quiet=True)
    assert same_weights(out, whole)
    assert losses(out) == losses(whole)


def test_resuming_what_is_finished_changes_nothing(whole: Path, write_recipe: WriteRecipe) -> None:
    before = {path.name: path.read_bytes() for path in whole.iterdir()}
    (whole / "checkpoint-9").mkdir()  # killed while it cleaned up
    assert train_by_recipe(write_recipe(), out=whole, resume=True, quiet=True) == whole
    assert {path.name: path.read_bytes() for path in whole.iterdir()} == before


def test_resuming_by_another_recipe_is_refused(
    unfinished: tuple[Path, Path], write_recipe: WriteRecipe
) -> None:
    _, out = unfinished
    with pytest.raises(UsageError, match=r"was started with another 'seed'; resume it with the"):
        train_by_recipe(write_recipe(seed=4), out=out, resume=True, quiet=True)


def test_going_on_from_a_checkpoint_starts_where_it_ended(
    whole: Path, write_recipe: WriteRecipe, tmp_path: Path
) -> None:
    recipe = write_recipe(model={"checkpoint": str(whole)})
    out = train_by_recipe(recipe, out=tmp_path / "further", quiet=True)
    assert losses(out)[0][1] < losses(whole)[2][1]
    card = (out / "README.md").read_text()
    assert f"- Start: {whole}" in card


def test_from_nothing(write_recipe: WriteRecipe, tmp_path: Path) -> None:
    sizes = {
        "vocabulary": 600,
        "vision_width": 32,
        "vision_depth": 1,
        "vision_heads": 2,
        "text_width": 64,
        "text_feed_forward": 64,
        "text_depth": 1,
        "text_heads": 2,
    }
    recipe = write_recipe(
        model={"scratch": sizes}, steps=2, save_every=2, check_groups=0, weights_dtype="bfloat16"
    )
    out = train_by_recipe(recipe, out=tmp_path / "scratch", quiet=True)
    assert {tensor.dtype for tensor in weights(out).values()} == {torch.bfloat16}
    assert [row["step"] for row in log_of(out)] == [1, 2]
    tokenizer = json.loads((out / "tokenizer.json").read_text())
    assert len(tokenizer["model"]["vocab"]) == 600


def test_bfloat16_arithmetic_learns_too(write_recipe: WriteRecipe, tmp_path: Path) -> None:
    out = train_by_recipe(write_recipe(precision="bfloat16"), out=tmp_path / "out", quiet=True)
    assert losses(out)[-1][1] < 0.7 * losses(out)[0][1]


def test_only_the_bar_is_shown(
    write_recipe: WriteRecipe, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    train_by_recipe(write_recipe(steps=2, check_groups=0), out=tmp_path / "quiet", quiet=True)
    assert capfd.readouterr() == ("", "")
    train_by_recipe(write_recipe(steps=2, check_groups=0), out=tmp_path / "shown")
    shown = capfd.readouterr()
    assert shown.out == ""
    assert re.search(r"training.*2/2.*loss \d\.\d{3}", shown.err)


def _text_model(folder: Path, seedling: Path) -> str:
    """A checkpoint of a language model without eyes."""
    (folder / "text").mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json", "processor_config.json"):
        (folder / "text" / name).write_bytes((seedling / name).read_bytes())
    (folder / "text" / "config.json").write_text('{"model_type": "qwen2"}')
    return str(folder / "text")


def _damaged(folder: Path, seedling: Path) -> str:
    """A checkpoint whose weights were cut off."""
    (folder / "damaged").mkdir()
    for path in seedling.iterdir():
        content = path.read_bytes()
        cut = len(content) // 2 if path.suffix == ".safetensors" else len(content)
        (folder / "damaged" / path.name).write_bytes(content[:cut])
    return str(folder / "damaged")


@pytest.mark.parametrize(
    ("checkpoint", "sentence"),
    [
        (_text_model, "is a qwen2; the trainer knows the Qwen2-VL family only"),
        (_damaged, "cannot be loaded for training (Error while deserializing"),
        (lambda folder, _: str(folder / "gone"), "gone"),
        (lambda *_: "qwen2-vl-2", "Did you mean 'qwen2-vl-2b'"),
    ],
)
def test_a_checkpoint_that_cannot_be_trained(
    checkpoint: Callable[[Path, Path], str],
    sentence: str,
    seedling: Path,
    write_recipe: WriteRecipe,
    tmp_path: Path,
) -> None:
    recipe = write_recipe(model={"checkpoint": checkpoint(tmp_path, seedling)})
    with pytest.raises(VlmbenchError) as caught:
        train_by_recipe(recipe, out=tmp_path / "out", quiet=True)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ModelError | UsageError)


def test_directories_that_cannot_be_used(
    whole: Path, write_recipe: WriteRecipe, tmp_path: Path
) -> None:
    recipe = write_recipe()
    (tmp_path / "file").touch()
    cases = [
        (whole, False, "holds a model already; choose another directory with --out."),
        (tmp_path / "new", True, "There is no checkpoint to resume from in"),
        (tmp_path / "file" / "out", False, "cannot be written (Not a directory)"),
        (Path("/proc"), False, "The directory /proc cannot be written"),  # read-only even to root
    ]
    for out, resume, sentence in cases:
        with pytest.raises(UsageError) as caught:
            train_by_recipe(recipe, out=out, resume=resume, quiet=True)
        assert sentence in str(caught.value)


@pytest.mark.parametrize("room", [500_000, 700_000])  # less than the weights, the optimizer's state
def test_a_full_disk_loses_nothing(
    room: int, write_recipe: WriteRecipe, whole: Path, tmp_path: Path
) -> None:
    """A limit on the size of files stands in for the disk: the checkpoint does not fit."""
    recipe, out = write_recipe(), tmp_path / "out"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        with pytest.raises(UsageError, match=r"could not be written \(.+\); make room, then go on"):
            train_by_recipe(recipe, out=out, quiet=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    train_by_recipe(recipe, out=out, resume=True, quiet=True)
    assert same_weights(out, whole)


def test_recipes_by_name(tmp_path: Path) -> None:
    assert find_recipe("tiny-ja").name == "tiny-ja.yaml"
    (tmp_path / "own.yaml").touch()
    assert find_recipe(str(tmp_path / "own.yaml")) == tmp_path / "own.yaml"
    with pytest.raises(UsageError, match=r"Unknown recipe 'tiny-jp'. Did you mean 'tiny-ja"):
        find_recipe("tiny-jp")


def test_an_adapter_is_no_start(seedling: Path, tmp_path: Path, write_recipe: WriteRecipe) -> None:
    folder = tmp_path / "adapter"
    folder.mkdir()
    settings = {"base_model_name_or_path": str(seedling)}
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    recipe = find_recipe(str(write_recipe(model={"checkpoint": str(folder)})))
    with pytest.raises(ModelError, match="is an adapter, which is not trained further"):
        train_by_recipe(recipe, out=tmp_path / "out", quiet=True)
