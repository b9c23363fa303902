"""What a training shows and keeps of itself: progress bar, losses and checks."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeAlias

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from transformers.trainer_callback import TrainerCallback

from vlmbench.errors import VlmbenchError
from vlmbench.train.check import check_batches, exact_answers
from vlmbench.train.collate import PackedCollator
from vlmbench.train.config import TrainConfig
from vlmbench.train.loop import StepReport

Listener: TypeAlias = Callable[[Mapping[str, Any]], None]
"""Told of each line of a training's log."""


def _bar(*, quiet: bool) -> Progress:
    return Progress(
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=quiet,
    )


class StepLog:
    """Shows the progress and appends a line to `log.jsonl` for each update and check.

    Names are those of transformers' Trainer and TRL where these have one: train/loss,
    train/grad_norm, train/learning_rate, train/epoch, train/global_step, train/num_tokens (all
    tokens so far), eval/loss ...

    Args:
        steps: Updates of the whole training.
        of_epoch: Updates of an epoch; None where rows have no end.
        listeners: Called with each line once it is in the file.
    """

    def __init__(
        self,
        target: Path,
        steps: int,
        *,
        of_epoch: int | None,
        quiet: bool,
        listeners: Sequence[Listener] = (),
    ) -> None:
        self._file = target / "log.jsonl"
        self._bar = _bar(quiet=quiet)
        self._task = self._bar.add_task("training", total=steps, loss="-")
        self._of_epoch, self._listeners = of_epoch, listeners
        self._step = self._tokens = 0
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self._bar.stop()  # also after an error, whose message would be drawn over
        if error is None:
            self._append({"step": self._step, "end": "finished"})
            return
        known = isinstance(error, VlmbenchError)
        reason = str(error) if known else type(error).__name__
        with contextlib.suppress(OSError):  # a full disk, of which the error itself tells
            self._append({"step": self._step, "end": "stopped", "reason": reason})

    def begin(self, step: int, start: Mapping[str, Any]) -> None:
        """Keeps what was logged up to a step, from which the training goes on.

        Args:
            start: What is known before the first update; see `start_facts`.
        """
        kept = [row for row in self._logged() if row["step"] <= step] if step else []
        self._step = step
        self._tokens = max((row.get("train/num_tokens", 0) for row in kept), default=0)
        self._began -= max((row["elapsed"] for row in kept), default=0.0)
        self._file.unlink(missing_ok=True)
        self._append({"step": 0, "start": start})
        for row in kept:
            self._write(row)
        self._bar.start()
        self._bar.update(self._task, completed=step)

    def _logged(self) -> list[dict[str, Any]]:
        """The lines of updates and checks that are there."""
        if not self._file.exists():
            return []
        lines = self._file.read_text(encoding="utf-8").splitlines()
        rows = [row for line in lines if (row := _parsed(line)) is not None]
        return [row for row in rows if "start" not in row and "end" not in row]

    def step(self, report: StepReport) -> None:
        """Keeps what an update was like."""
        self._step = report.step
        self._tokens += report.tokens
        self._append(
            {
                "step": report.step,
                "train/loss": report.loss,
                "train/loss_by_source": report.loss_by_source,
                "train/grad_norm": math.hypot(*report.grad_norm.values()),
                "train/grad_norm_by_part": report.grad_norm,
                "train/learning_rate": max(report.learning_rate.values()),
                "train/learning_rate_by_part": report.learning_rate,
                "train/epoch": self._of_epoch and round(report.step / self._of_epoch, 4),
                "train/global_step": report.step,
                "train/num_tokens": self._tokens,
                "train/learned_tokens": report.learned,
                "train/learned_tokens_per_second": round(report.learned / report.seconds, 2),
                "train/seconds": round(report.seconds, 4),
                "train/data_wait": round(report.wait / report.seconds, 4),
            }
        )
        self._bar.update(self._task, completed=report.step, loss=f"{report.loss:.3f}")

    def check(self, step: int, values: Mapping[str, Any]) -> None:
        """Keeps what a check during training found."""
        self._append({"step": step, **values})

    def _append(self, row: Mapping[str, Any]) -> None:
        row = {**row, "elapsed": round(time.monotonic() - self._began, 2)}
        self._write(row)
        for listener in self._listeners:
            listener(row)

    def _write(self, row: Mapping[str, Any]) -> None:
        # Texts may hold lone surrogates, which UTF-8 cannot encode but JSON can escape.
        with self._file.open("a", encoding="utf-8", errors="backslashreplace") as handle:
            handle.write(json.dumps(row, ensure_ascii=False) + "\n")


class TrainingLog(TrainerCallback):
    """Shows the progress and appends a line to `log.jsonl` for each logged loss and check."""

    def __init__(self, config: TrainConfig, processor: Any, target: Path, *, quiet: bool) -> None:
        self._collator = PackedCollator(processor)
        self._batches = check_batches(config)
        self._file = target / "log.jsonl"
        self._bar = _bar(quiet=quiet)
        self._task = self._bar.add_task("training", total=config.steps, loss="-")
        self._started = time.monotonic()
        self.losses: list[tuple[int, float]] = []
        self.accuracy: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()  # also after an error, whose message would be drawn over

    @property
    def seconds(self) -> float:
        """Time of training, that before an interruption included."""
        return time.monotonic() - self._started

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Starts the bar; a resumed training takes over what was logged before."""
        if state.global_step == 0:
            self._file.unlink(missing_ok=True)
        elif self._file.exists():
            self._take_over(state.global_step)
        self._bar.start()
        self._bar.update(self._task, completed=state.global_step)

    def _take_over(self, step: int) -> None:
        lines = self._file.read_text(encoding="utf-8").splitlines()
        rows = [row for row in map(_parsed, lines) if row is not None and row["step"] <= step]
        self._file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        self.losses = [(row["step"], row["loss"]) for row in rows if "loss" in row]
        self.accuracy = next((row["exact"] for row in reversed(rows) if "exact" in row), {})
        self._started -= max((row.get("seconds", 0.0) for row in rows), default=0.0)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Moves the bar."""
        self._bar.update(self._task, completed=state.global_step)

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any
    ) -> None:
        """Keeps the loss."""
        if logs is None or "loss" not in logs:
            return
        loss = float(logs["loss"])
        self.losses.append((state.global_step, loss))
        self._append({"step": state.global_step, "loss": loss})
        self._bar.update(self._task, loss=f"{loss:.3f}")

    def on_save(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """Checks the answers to questions that are not trained on."""
        if not self._batches:
            return
        self.accuracy = dict(exact_answers(model, self._collator, self._batches))
        self._append({"step": state.global_step, "exact": self.accuracy})

    def _append(self, row: dict[str, Any]) -> None:
        row["seconds"] = round(self.seconds, 1)
        with self._file.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(row) + "\n")


def _parsed(line: str) -> Any:
    """A line of the log; None for one that was cut off by a violent end."""
    try:
        return json.loads(line)
    except ValueError:
        return None
