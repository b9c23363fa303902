"""What a training shows and keeps of itself: progress bar, losses and checks."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Self

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

from vlmbench.train.check import check_batches, exact_answers
from vlmbench.train.collate import PackedCollator
from vlmbench.train.config import TrainConfig
from vlmbench.train.loop import StepReport


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

    Names are those of transformers' Trainer: train/loss, train/grad_norm, eval/loss ...
    """

    def __init__(self, target: Path, steps: int, *, quiet: bool) -> None:
        self._file = target / "log.jsonl"
        self._bar = _bar(quiet=quiet)
        self._task = self._bar.add_task("training", total=steps, loss="-")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()  # also after an error, whose message would be drawn over

    def begin(self, step: int) -> None:
        """Keeps what was logged up to a step, from which the training goes on."""
        lines = self._file.read_text(encoding="utf-8").splitlines() if self._file.exists() else []
        rows = [row for row in map(_parsed, lines) if row is not None and row["step"] <= step]
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows if step)
        self._file.write_text(text, encoding="utf-8")
        self._bar.start()
        self._bar.update(self._task, completed=step)

    def step(self, report: StepReport) -> None:
        """Keeps what an update was like."""
        self._append(
            {
                "step": report.step,
                "train/loss": report.loss,
                "train/loss_by_source": report.loss_by_source,
                "train/grad_norm": report.grad_norm,
                "train/learning_rate": report.learning_rate,
                "train/num_tokens": report.tokens,
                "train/learned_tokens": report.learned,
                "train/seconds": round(report.seconds, 4),
                "train/data_wait": round(report.wait / report.seconds, 4),
            }
        )
        self._bar.update(self._task, completed=report.step, loss=f"{report.loss:.3f}")

    def loss(self, step: int, loss: float) -> None:
        """Keeps the loss of a step that has no tokens to count."""
        self._append({"step": step, "train/loss": loss})
        self._bar.update(self._task, completed=step, loss=f"{loss:.3f}")

    def check(self, step: int, values: dict[str, Any]) -> None:
        """Keeps what a check during training found."""
        self._append({"step": step, **values})

    def _append(self, row: dict[str, Any]) -> None:
        with self._file.open("a", encoding="utf-8") as handle:
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
