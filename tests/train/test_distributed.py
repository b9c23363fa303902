"""Several processes that train one model: as one process would, and none waits for a dead one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from made_colors import color_rows, data_recipe, write_rows
from made_processes import ACCELERATE, TORCHRUN, result, run_together, start
from safetensors.torch import load_file

from vlmbench.errors import UsageError
from vlmbench.train.distributed import Processes
from vlmbench.train.run import train_by_recipe

FSDP = {"ACCELERATE_USE_FSDP": "true"}
METHODS: dict[str, dict[str, Any]] = {
    "full": {"method": "full"},
    "lora": {},
    "packed": {"packing": True},
}


def updates(folder: Path, seedling: Path, *, size: int, **changes: Any) -> Path:
    """A recipe whose six updates have 8, 8 and 1 rows with images, and 8 and 1 rows without.

    In two processes of 2 rows at a time, one row leaves a process without any. With packing some
    rows show the same picture.
    """
    rows = color_rows(26)
    for number, row in enumerate(rows):  # answers of different lengths, or a mean of means agrees
        row["texts"][0]["assistant"] *= 1 + number % 5
        if number >= 17:
            row["images"] = []
        elif number % 4 == 3 and changes.get("packing"):
            row["images"] = rows[number - 1]["images"]
    folder.mkdir()
    write_rows(folder / "rows.parquet", rows)
    return data_recipe(
        folder,
        seedling,
        per_device_train_batch_size=size,
        gradient_accumulation_steps=2,
        learning_rate=1e-4,
        max_grad_norm=0.5,
        **changes,
    )


def training(folder: Path, seedling: Path, **changes: Any) -> Path:
    """A recipe with all that happens between updates."""
    folder.mkdir()
    write_rows(folder / "rows.parquet", color_rows(24))
    recipe = {
        "lora": {"r": 4, "alpha": 8, "dropout": 0.1},
        "per_device_train_batch_size": 2,
        "max_steps": 8,
        "save_steps": 3,
        "validation": {"rows": 4, "by": "picture"},
        "evaluate": {"every_steps": 4, "best": "validation.loss", "tasks": {"ja-vqa": 2}},
    }
    return data_recipe(folder, seedling, **{**recipe, **changes})


@pytest.fixture(scope="module")
def replicated(seedling: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes came to that hold the same weights (DDP)."""
    root = tmp_path_factory.mktemp("replicated")
    recipes = [updates(root / name, seedling, size=2, **METHODS[name]) for name in METHODS]
    wanted = [f"updates={path}" for path in recipes]
    wanted.append(f"training={training(root / 'training', seedling)}")
    wanted.append(f"no-number={recipes[0]}")
    run_together(*wanted)
    return root


@pytest.fixture(scope="module")
def sharded(seedling: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes came to that hold a part of the weights each (FSDP)."""
    root = tmp_path_factory.mktemp("sharded")
    recipes = [updates(root / name, seedling, size=2, **METHODS[name]) for name in METHODS]
    wanted = [f"updates={path}" for path in recipes]
    for how in ("training", "resumed"):
        path = training(root / how, seedling, method="full", train=["connector", "language"])
        wanted.append(f"{how}={path}")
    run_together(*wanted, environment=FSDP)
    return root


@pytest.fixture(scope="module", params=list(METHODS))
def alone(
    request: pytest.FixtureRequest, seedling: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, dict[str, Any]]:
    """A method, and what one process comes to with as many rows an update."""
    folder = tmp_path_factory.mktemp("alone") / request.param
    path = updates(folder, seedling, size=4, **METHODS[request.param])
    return request.param, result(path)


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one["tokens"] == other["tokens"]
    assert one["losses"] == pytest.approx(other["losses"], abs=1e-6)
    for norms, others in zip(one["norms"], other["norms"], strict=True):
        assert norms == pytest.approx(others, rel=1e-5)
    assert one["weights"].keys() == other["weights"].keys()
    for name, weight in one["weights"].items():
        torch.testing.assert_close(weight, other["weights"][name], atol=1e-6, rtol=0)


def test_two_processes_learn_what_one_does(
    alone: tuple[str, dict[str, Any]], replicated: Path
) -> None:
    method, expected = alone
    assert_same(torch.load(replicated / method / "result.pt"), expected)
    without_images = [norms for norms in expected["norms"] if "vision" not in norms]
    assert without_images and (method != "full" or len(without_images) < len(expected["norms"]))


def test_two_processes_that_share_the_weights_learn_what_one_does(
    alone: tuple[str, dict[str, Any]], sharded: Path
) -> None:
    method, expected = alone
    assert_same(torch.load(sharded / method / "result.pt"), expected)


def test_a_loss_that_is_no_number_in_one_process_stops_all_of_them_and_one_tells(
    replicated: Path,
) -> None:
    told, kept_back = [(replicated / "full" / f"told-{rank}.txt").read_text() for rank in range(2)]
    assert told.startswith("The loss or a gradient of step 1 is nan; lower 'learning_rate'")
    assert kept_back == f"2: {told}"


def losses(out: Path) -> list[float]:
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [row["train/loss"] for row in rows if "train/loss" in row]


def same(one: Path, other: Path) -> bool:
    weights, others = dict(load_file(one)), dict(load_file(other))
    return weights.keys() == others.keys() and all(
        torch.equal(weight, others[name]) for name, weight in weights.items()
    )


def test_shared_weights_are_saved_whole_and_resumed(sharded: Path) -> None:
    from vlmbench.models.resolve import resolve_model
    from vlmbench.runners.hf.runner import HFRunner

    whole, resumed = sharded / "training" / "out", sharded / "resumed" / "out"
    assert json.loads((whole / "checkpoint.json").read_text())["processes"] == 2
    assert json.loads((whole / "config.json").read_text())["architectures"] == [
        "Qwen2VLForConditionalGeneration"
    ]
    assert losses(resumed) == losses(whole)
    assert same(resumed / "model.safetensors", whole / "model.safetensors")
    runner = HFRunner()
    runner.prepare(resolve_model(str(whole)))  # all weights are there, in their shapes


def killed(process: subprocess.Popen[str], out: Path) -> float:
    """Kills the second process once there is a checkpoint; how long the launcher then takes."""
    while not (out / "checkpoint-3" / "state.pt").exists():
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.002)
    listed = subprocess.run(
        ["ps", "--ppid", str(process.pid), "-o", "pid="], capture_output=True, text=True, check=True
    )
    os.kill(int(listed.stdout.split()[-1]), signal.SIGKILL)
    began = time.monotonic()
    process.communicate()
    return time.monotonic() - began


def test_a_killed_process_ends_the_others_and_all_are_resumed_to_the_bit(
    replicated: Path, seedling: Path, tmp_path: Path
) -> None:
    path = training(tmp_path / "training", seedling)
    out = tmp_path / "out"
    command = ("-m", "vlmbench", "train", "run", str(path), "--out", str(out))
    assert killed(start(TORCHRUN, *command, "--quiet"), out) < 30
    assert not (out / "checkpoint.json").exists()

    other_number = shutil.copytree(out, tmp_path / "other")
    with pytest.raises(UsageError, match="another 'per_device_train_batch_size"):
        train_by_recipe(path, out=other_number, resume=True, quiet=True)
    as_many_rows = ["gradient_accumulation_steps=2"]
    train_by_recipe(path, out=other_number, resume=True, overrides=as_many_rows, quiet=True)
    assert len(losses(other_number)) == 8

    resumed = start(ACCELERATE, *command, "--resume")
    told, errors = resumed.communicate()
    assert resumed.returncode == 0, errors
    assert told.count("The checkpoint:") == 1
    unbroken = replicated / "training" / "out"
    assert losses(out) == losses(unbroken)
    assert same(out / "adapter_model.safetensors", unbroken / "adapter_model.safetensors")


def test_a_process_deals_with_its_share() -> None:
    shares = [Processes(rank, 3).share(range(8)) for rank in range(3)]
    assert shares == [[0, 3, 6], [1, 4, 7], [2, 5]]


def test_what_a_launcher_asks_for_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    from vlmbench.train.distributed import join

    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    monkeypatch.setenv("FSDP_OFFLOAD_PARAMS", "true")
    with pytest.raises(UsageError, match="fsdp_offload_params: false"):
        join()
