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

from vlmbench.errors import VlmbenchError
from vlmbench.train.step_report import StepReport

Listener: TypeAlias = Callable[[Mapping[str, Any]], None]
"""Told of each line of a training's log."""


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


def _parsed(line: str) -> Any:
    """A line of the log; None for one that was cut off by a violent end."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
