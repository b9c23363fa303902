"""What can go wrong while a model is trained: one sentence, exit code 2, and nothing lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from made_colors import color_rows, data_recipe, write_rows
from made_families import checkpoint
from made_trainings import adapter, losses, resumable, same

from vlmbench.cli.main import main
from vlmbench.errors import UsageError
from vlmbench.train.batch import Batch
from vlmbench.train.loop import Loop
from vlmbench.train.output import claimed
from vlmbench.train.run import train_by_recipe

EVENTS = (
    "open .checkpoint-3.part/README.md",  # nothing to go on from yet
    "open log.jsonl*7",  # between two checkpoints
    "open .checkpoint-6.part/checkpoint.json",
    "os.rename checkpoint-6/.state.pt.part",
    "os.rename last",  # all steps are done
    "os.rename final/tokenizer.json",  # half of the result is in its place
)
"""What a training is killed at, in the order of its doing."""


def one_sentence(capsys: pytest.CaptureFixture[str], *command: str | Path) -> str:
    """What a command that fails says, which is one line."""
    assert main([str(one) for one in command]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and said[0].startswith("vlmbench: ")
    return said[0]


def test_killed_anywhere_and_resumed_equals_never_killed(
    whole: Path, seedling: Path, tmp_path: Path
) -> None:
    recipe = resumable(tmp_path, seedling)
    script = Path(__file__).with_name("killed_trainings.py")
    done = subprocess.run(
        [sys.executable, str(script), str(recipe), str(tmp_path), *EVENTS],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["SIGKILL"] * len(EVENTS), done.stderr
    kept = []
    for number in range(len(EVENTS)):
        out = tmp_path / str(number)
        assert not (out / "checkpoint.json").exists()
        kept.append(len(list(out.glob("checkpoint-*/state.pt"))))
        train_by_recipe(recipe, out=out, resume=True, quiet=True)
        assert same(adapter(out), adapter(whole)), EVENTS[number]
        assert losses(out) == losses(whole)
        assert {path.name for path in out.iterdir()} == {path.name for path in whole.iterdir()}
    assert kept == [0, 1, 1, 1, 2, 0]


def test_of_two_trainings_in_one_directory_the_second_is_refused(
    seedling: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_rows(tmp_path / "rows.parquet", color_rows(8))
    recipe, out = data_recipe(tmp_path, seedling, max_steps=1), tmp_path / "out"
    with claimed(out) as begun:
        assert not begun
        for more in ((), ("--resume",)):
            said = one_sentence(capsys, "train", "run", recipe, "--out", out, "--quiet", *more)
            assert f"Another training writes {out} (process {os.getpid()}); wait for it" in said
    assert not out.exists()  # nothing was written


def test_what_was_killed_at_once_is_begun_by_resume(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt), claimed(out):
        raise KeyboardInterrupt
    with claimed(out) as begun:
        assert begun
    assert not out.exists()
    with pytest.raises(UsageError), claimed(out):
        raise UsageError
    with claimed(out) as begun:
        assert not begun


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[tuple[Path, Callable[[str], None]]]:
    """A disk with room for one checkpoint, and what gives it another size."""
    disk = tmp_path / "disk"
    disk.mkdir()

    def mount(options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)]
        subprocess.run(command, check=True, capture_output=True)

    try:
        mount("size=4m")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a small disk needs root")
    yield disk, lambda size: mount(f"remount,size={size}")
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_loses_nothing(
    small_disk: tuple[Path, Callable[[str], None]],
    seedling: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_rows(tmp_path / "rows.parquet", color_rows(8))
    recipe = data_recipe(tmp_path, seedling, method="full", max_steps=4, save_steps=1)
    disk, resize = small_disk
    out = disk / "out"
    said = one_sentence(capsys, "train", "run", recipe, "--out", out, "--quiet")
    assert "could not be written" in said and "make room, then go on with --resume" in said
    assert (out / "checkpoint-1" / "state.pt").exists()
    resize("200m")
    train_by_recipe(recipe, out=out, resume=True, quiet=True)
    unbroken = train_by_recipe(recipe, out=tmp_path / "unbroken", quiet=True)
    weights = "model.safetensors"
    assert (out / weights).read_bytes() == (unbroken / weights).read_bytes()


def test_a_loss_that_is_no_number_keeps_the_last_checkpoint(
    seedling: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_rows(tmp_path / "rows.parquet", color_rows(8))
    recipe = data_recipe(tmp_path, seedling, method="full", save_steps=1)
    out = tmp_path / "out"
    losses = Loop.token_losses

    def spoilt(self: Loop, batch: Batch) -> torch.Tensor:
        second = torch.is_grad_enabled() and (out / "checkpoint-1").exists()
        return losses(self, batch) * (torch.nan if second else 1)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "token_losses", spoilt)
        said = one_sentence(capsys, "train", "run", recipe, "--out", out, "--quiet")
    assert "step 2 is nan; lower 'learning_rate'" in said
    facts = json.loads((out / "checkpoint-1" / "checkpoint.json").read_text())
    assert facts["step"] == 1 and (out / "checkpoint-1" / "state.pt").exists()


def test_a_model_that_a_rate_broke_is_not_kept(
    seedling: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_rows(tmp_path / "rows.parquet", color_rows(8))
    changes: dict[str, Any] = {"method": "full", "learning_rate": 1e30, "save_steps": 1}
    recipe = data_recipe(tmp_path, seedling, **changes)
    said = one_sentence(capsys, "train", "run", recipe, "--out", tmp_path / "out", "--quiet")
    assert "not a number" in said and "lower 'learning_rate'" in said
    assert not list((tmp_path / "out").glob("checkpoint-*"))


def _unreadable(rows: list[dict[str, Any]]) -> dict[str, Any]:
    rows[2]["images"][0]["bytes"] = rows[2]["images"][0]["bytes"][:60]
    return {}


def _all_too_long(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"max_length": 4}


def _never_drawn(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"data": [{"path": "rows.parquet", "weight": 1e-9}]}


def _all_of_a_task(rows: list[dict[str, Any]]) -> dict[str, Any]:
    from vlmbench.tasks.registry import load_task
    from vlmbench.tasks.samples import read_samples

    sample = next(read_samples(load_task("ja-vqa")))
    for row in rows:
        row["images"] = [{"bytes": sample.images[0].data, "path": None}]
    return {"guard": {"against": ["ja-vqa"], "same_picture": "drop", "on_hit": "drop"}}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_unreadable, "Row 'rows.parquet#2' of rows.parquet cannot be learned from (The image"),
        (_all_too_long, "8 of 8 rows are longer than 4 tokens"),
        (_never_drawn, "The mixture has no row; name a source or raise a weight"),
        (_all_of_a_task, "There is no row left to train on; check 'data' in the recipe"),
    ],
)
def test_rows_that_cannot_be_used(
    change: Callable[[list[dict[str, Any]]], dict[str, Any]],
    sentence: str,
    seedling: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = color_rows(8)
    recipe = data_recipe(tmp_path, seedling, **change(rows))
    write_rows(tmp_path / "rows.parquet", rows)
    out = tmp_path / "out"
    assert sentence in one_sentence(capsys, "train", "run", recipe, "--out", out, "--quiet")
    assert not list(out.glob("**/*.safetensors"))


def test_an_adapter_on_the_wrong_base(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = checkpoint("qwen2_vl", tmp_path)  # the same family in another size
    run = ["run", "--tasks", "ja-vqa", "--limit", "1", "--out", tmp_path / "runs", "--quiet"]
    said = one_sentence(capsys, *run, "--model", other, "--adapter", whole)
    assert f"The adapter {whole} was trained on other weights" in said
    moved = tmp_path / "adapter"
    shutil.copytree(whole, moved)
    settings = moved / "adapter_config.json"
    values = json.loads(settings.read_text())
    settings.write_text(json.dumps({**values, "base_model_name_or_path": str(other)}))
    said = one_sentence(capsys, "train", "export", moved, "-o", tmp_path / "merged")
    assert (
        f"The adapter {moved} was trained on other weights" in said
        and not (tmp_path / "merged").exists()
    )
