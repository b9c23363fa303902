"""What a training shows and keeps of itself: progress bar, losses and checks."""

from __future__ import annotations

import json
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

from vlmbench.train.loop import StepReport


class StepLog:
    """Shows the progress and appends a line to `log.jsonl` for each update and check.

    Names are those of transformers' Trainer: train/loss, train/grad_norm, eval/loss ...
    """

    def __init__(self, target: Path, steps: int, *, quiet: bool) -> None:
        self._file = target / "log.jsonl"
        self._bar = Progress(
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

    def check(self, step: int, values: dict[str, Any]) -> None:
        """Keeps what a check during training found."""
        self._append({"step": step, **values})

    def _append(self, row: dict[str, Any]) -> None:
        with self._file.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(row, ensure_ascii=False) + "\n")


def _parsed(line: str) -> Any:
    """A line of the log; None for one that was cut off by a violent end."""
    try:
        return json.loads(line)
    except ValueError:
        return None
