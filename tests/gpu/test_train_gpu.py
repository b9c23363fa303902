"""Training on a GPU: it learns in bfloat16, and its checkpoint answers as the model in memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_colors import color_rows, data_recipe, write_rows
from made_trainings import log_of, losses

pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True)
def cuda() -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device here")


@pytest.mark.usefixtures("own_process")
@pytest.mark.parametrize("method", ["lora", "full"])
def test_training_learns_and_answers_alike(method: str, checkpoint: Path, tmp_path: Path) -> None:
    from vlmbench.train.run import train_by_recipe

    write_rows(tmp_path / "rows.parquet", color_rows(16))
    recipe = data_recipe(
        tmp_path,
        checkpoint,
        method=method,
        max_steps=20,
        bf16=True,
        lr_scheduler_type="constant",
        evaluate={"every_steps": 20},
    )
    out = train_by_recipe(recipe, out=tmp_path / "out", quiet=True)
    assert losses(out)[-1] < 0.8 * losses(out)[0]
    facts = json.loads((out / "checkpoint.json").read_text())
    assert "CPU" not in facts["machine"]
    samples = [row["samples"] for row in log_of(out) if "samples" in row][-1]
    assert facts["answers"] == [one["answer"] for one in samples[:4]]


def test_resuming_goes_on_where_it_stopped(checkpoint: Path, tmp_path: Path) -> None:
    """Not to the bit on a GPU, where sums come in any order."""
    from vlmbench.train.run import train_by_recipe

    write_rows(tmp_path / "rows.parquet", color_rows(16))
    whole = data_recipe(tmp_path, checkpoint, max_steps=8, save_steps=4)
    unbroken = losses(train_by_recipe(whole, out=tmp_path / "whole", quiet=True))

    class Stopped(Exception):
        pass

    from vlmbench.train.progress import StepLog

    step = StepLog.step

    def stop(self: StepLog, report: object) -> None:
        step(self, report)  # type: ignore[arg-type]
        if (tmp_path / "out" / "checkpoint-4" / "state.pt").exists():
            raise Stopped

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(StepLog, "step", stop)
        train_by_recipe(whole, out=tmp_path / "out", quiet=True)
    resumed = losses(train_by_recipe(whole, out=tmp_path / "out", resume=True, quiet=True))
    assert resumed == pytest.approx(unbroken, rel=1e-2)
