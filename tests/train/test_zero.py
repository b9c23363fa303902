"""DeepSpeed's ZeRO on two processes, started as accelerate starts them; needs deepspeed."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from made_colors import color_rows, data_recipe, write_rows
from made_processes import result, run_together
from test_distributed import assert_same, losses, same, training

from vlmbench.errors import DependencyError, UsageError, VlmbenchError

has_deepspeed = importlib.util.find_spec("deepspeed") is not None
needs_deepspeed = pytest.mark.skipif(not has_deepspeed, reason="deepspeed is not installed")


def updates(folder: Path, seedling: Path, size: int, method: str) -> Path:
    """A recipe whose updates have 8, 8 and 1 rows, all with images."""
    rows = color_rows(17)
    for number, row in enumerate(rows):
        row["texts"][0]["assistant"] *= 1 + number % 5
    folder.mkdir(parents=True)
    write_rows(folder / "rows.parquet", rows)
    return data_recipe(
        folder,
        seedling,
        method=method,
        per_device_train_batch_size=size,
        gradient_accumulation_steps=2,
        learning_rate=1e-4,
        max_grad_norm=0.5,
    )


@needs_deepspeed
@pytest.mark.parametrize("stage", [1, 2])
def test_shared_optimizers_learn_what_one_process_does_and_are_resumed_to_the_bit(
    stage: int, seedling: Path, tmp_path: Path
) -> None:
    methods = ("full", "lora")
    recipes = [updates(tmp_path / "two" / one, seedling, 2, one) for one in methods]
    wanted = [f"updates={path}" for path in recipes]
    for how in ("training", "resumed"):
        wanted.append(f"{how}={training(tmp_path / how, seedling)}")
    run_together(*wanted, environment=zero(stage))
    for method, path in zip(methods, recipes, strict=True):
        alone = updates(tmp_path / "one" / method, seedling, 4, method)
        assert_same(torch.load(path.with_name("result.pt")), result(alone))
    whole, resumed = tmp_path / "training" / "out", tmp_path / "resumed" / "out"
    assert losses(resumed) == losses(whole)
    assert same(resumed / "adapter_model.safetensors", whole / "adapter_model.safetensors")


def zero(stage: int) -> dict[str, str]:
    """What `accelerate launch` puts into the environment for a DeepSpeed configuration."""
    return {
        "ACCELERATE_USE_DEEPSPEED": "true",
        "ACCELERATE_DEEPSPEED_ZERO_STAGE": str(stage),
        "DS_ACCELERATOR": "cpu",
    }


@needs_deepspeed
def test_accelerates_configuration(seedling: Path, tmp_path: Path) -> None:
    """The file that docs/training.md shows."""
    config = {
        "compute_environment": "LOCAL_MACHINE",
        "distributed_type": "DEEPSPEED",
        "num_machines": 1,
        "num_processes": 2,
        "mixed_precision": "no",
        "deepspeed_config": {"zero_stage": 2},
    }
    (tmp_path / "zero.yaml").write_text(yaml.safe_dump(config))
    path = training(tmp_path / "training", seedling, max_steps=2, evaluate=None)
    launch = ("-m", "accelerate.commands.launch", "--config_file", str(tmp_path / "zero.yaml"))
    train = ("-m", "vlmbench", "train", "run", str(path), "--out", str(tmp_path / "out"))
    done = subprocess.run(
        [sys.executable, *launch, *train],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "DS_ACCELERATOR": "cpu"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("The checkpoint:") == 1
    assert (tmp_path / "out" / "adapter_model.safetensors").exists()


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"ACCELERATE_DEEPSPEED_ZERO_STAGE": "3"}, "'zero_stage: 1' or 2 here, not 3"),
        (
            {
                "ACCELERATE_DEEPSPEED_ZERO_STAGE": "2",
                "ACCELERATE_DEEPSPEED_OFFLOAD_OPTIMIZER_DEVICE": "cpu",
            },
            "set 'offload_optimizer_device: none'",
        ),
    ],
)
def test_what_a_configuration_asks_for_in_vain(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], message: str
) -> None:
    from vlmbench.train.distributed import join

    monkeypatch.setenv("WORLD_SIZE", "2")
    for name, value in {**environment, "ACCELERATE_USE_DEEPSPEED": "true"}.items():
        monkeypatch.setenv(name, value)
    expected: type[VlmbenchError] = UsageError if has_deepspeed else DependencyError
    with pytest.raises(expected, match=message if has_deepspeed else "or use FSDP"):
        join()
