"""Rules 13 to 17: resuming, evaluation in training, and which checkpoint is kept."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from made_colors import color_rows, data_recipe, write_rows
from made_trainings import (
    adapter,
    facts_of,
    log_of,
    losses,
    prepared,
    recipe_of,
    resumable,
    same,
)

from vlmbench.errors import ConfigError, ModelError, UsageError
from vlmbench.models.resolve import resolve_model
from vlmbench.runners.hf.runner import HFRunner
from vlmbench.train.live import answers_of, validation_loss
from vlmbench.train.loop import Loop
from vlmbench.train.prepare import prepare
from vlmbench.train.run import train_by_recipe


def test_rule_13_resuming_sees_by_a_loss_whether_all_was_restored(
    seedling: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """Ends a training where a kill would, without another process."""

    path, out = resumable(tmp_path, seedling), tmp_path / "out"
    update = Loop._update

    def killed(self: Loop, step: int, *rest: Any) -> Any:
        if step == 4:
            raise Killed
        return update(self, step, *rest)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Loop, "_update", killed)
        train_by_recipe(path, out=out, quiet=True)
    state = torch.load(out / "checkpoint-3" / "state.pt", weights_only=True)
    for weight in state["weights"].values():
        weight.mul_(3)
    torch.save(state, out / "checkpoint-3" / "state.pt")
    with pytest.raises(ModelError, match=r"gives a loss of .+ on rows where it gave"):
        train_by_recipe(path, out=out, resume=True, quiet=True)


def test_rule_14_killed_and_resumed_equals_never_killed(
    whole: Path, seedling: Path, tmp_path: Path
) -> None:
    path, out = resumable(tmp_path, seedling), tmp_path / "out"
    command = ["train", "run", str(path), "--out", str(out), "--quiet"]
    training = subprocess.Popen(
        [sys.executable, "-m", "vlmbench", *command],
        env={**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    while not (out / "checkpoint-3" / "state.pt").exists():
        assert training.poll() is None, training.communicate()[1].decode()
        time.sleep(0.002)
    training.send_signal(signal.SIGKILL)
    training.communicate()
    assert not (out / "checkpoint.json").exists()
    with pytest.raises(UsageError, match=r"not finished; add --resume"):
        train_by_recipe(path, out=out, quiet=True)
    train_by_recipe(path, out=out, resume=True, quiet=True)
    assert same(adapter(out), adapter(whole))
    assert losses(out) == losses(whole)
    names = {path.name for path in out.iterdir()}
    assert names - {"training.html"} == {path.name for path in whole.iterdir()}


def test_rule_15_the_best_checkpoint_is_the_one_that_is_kept(
    seedling: Path, tmp_path: Path
) -> None:
    write_rows(tmp_path / "rows.parquet", color_rows(24))
    path = data_recipe(
        tmp_path,
        seedling,
        method="full",
        max_steps=12,
        validation={"rows": 8},
        evaluate={"every_steps": 2, "best": "validation.loss", "patience": 2},
        lr_scheduler_type="constant",
    )
    out = train_by_recipe(path, out=tmp_path / "out", quiet=True)
    checks = {row["step"]: row["eval/loss"] for row in log_of(out) if "eval/loss" in row}
    del checks[0]  # the model as it came is no result
    facts = facts_of(out)
    assert facts["best"] == min(checks.values())
    assert facts["step"] == min(checks, key=lambda step: checks[step])
    again = data_recipe(tmp_path, out, method="full", validation={"rows": 8})
    ready = prepare(recipe_of(again), tmp_path)
    found = validation_loss(ready.loop, ready.encoder, ready.rows.validation)
    assert found == pytest.approx(facts["best"], abs=1e-5)
    # Its name is read before the first step, not after hours at the first check.
    unknown = {"every_steps": 2, "best": "validation.match.exakt"}
    path = data_recipe(tmp_path, seedling, validation={"rows": 8}, evaluate=unknown)
    with pytest.raises(UsageError, match=r"match\.exakt'. Did you mean 'match\.exact'"):
        train_by_recipe(path, out=tmp_path / "other", quiet=True)
    assert not (tmp_path / "other" / "log.jsonl").exists()


def test_rule_16_evaluation_keeps_no_logits(seedling: Path, tmp_path: Path) -> None:
    ready = prepared(tmp_path, seedling, validation={"rows": 20})
    model = ready.trainable.model
    vocabulary = model.config.get_text_config().vocab_size
    seen: list[tuple[int, bool]] = []

    def look(_: Any, __: Any, ___: Any, output: Any) -> None:
        seen.append((output.logits.shape[1], output.logits.requires_grad))

    hook = model.register_forward_hook(look, with_kwargs=True)
    ready.live.answers(ready.rows.validation)
    assert {positions for positions, _ in seen} == {1}  # of the newest token alone
    validation_loss(ready.loop, ready.encoder, ready.rows.validation)
    hook.remove()
    assert not any(tracked for _, tracked in seen)
    gc.collect()
    weights = {id(parameter) for parameter in model.parameters()}
    alive = [one for one in gc.get_objects() if isinstance(one, torch.Tensor)]
    assert not [
        tuple(one.shape)
        for one in alive
        if one.ndim > 1 and one.shape[-1] == vocabulary and id(one) not in weights
    ]


def test_rule_17_the_best_is_chosen_by_generated_answers_to_validation_rows(
    seedling: Path, tmp_path: Path
) -> None:
    write_rows(tmp_path / "rows.parquet", color_rows(24))
    changes: dict[str, Any] = {
        "method": "full",
        "max_steps": 30,
        "validation": {"rows": 8},
        "evaluate": {"every_steps": 10, "best": "validation.match.exact", "tasks": {"ja-vqa": 2}},
    }
    path = data_recipe(tmp_path, seedling, **changes)
    out = train_by_recipe(path, out=tmp_path / "out", quiet=True)
    facts = facts_of(out)
    checks = [row for row in log_of(out) if "eval/validation.match.exact" in row][1:]
    assert facts["best"] == max(row["eval/validation.match.exact"] for row in checks) > 0
    # What was chosen by is what a run of the checkpoint answers to these rows.
    held = prepare(recipe_of(path), tmp_path).rows.validation
    runner = HFRunner()
    runner.prepare(resolve_model(str(out)))
    right = [a == one.answers[0] for a, one in zip(answers_of(runner, held), held, strict=True)]
    assert sum(right) / len(right) == facts["best"]
    for best in ("ja-vqa.match.exact", "ja-vqa"):  # the items that a report will show
        changes["evaluate"]["best"] = best
        with pytest.raises(ConfigError, match=r"evaluate\.best"):
            recipe_of(data_recipe(tmp_path, seedling, **changes))
