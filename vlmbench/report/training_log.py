"""What a training's page is made from: log.jsonl of each of its stages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmbench.report.charts import Point

LOG = "log.jsonl"


@dataclass(frozen=True, slots=True)
class StageLog:
    """One stage, as its log tells it."""

    start: Mapping[str, Any]
    """What was known before the first update."""
    updates: tuple[Mapping[str, Any], ...]
    checks: tuple[Mapping[str, Any], ...]
    end: Mapping[str, Any] | None
    """How it ended; None while it goes on, or if it was killed."""
    elapsed: float
    """Seconds of training so far, those before an interruption included."""

    @property
    def step(self) -> int:
        """Updates so far."""
        return int(self.updates[-1]["step"]) if self.updates else 0

    @property
    def number(self) -> int:
        """Which stage it is, from 1."""
        return int(self.start["stage"]["number"])

    @property
    def finished(self) -> bool:
        """Whether the stage went to its end."""
        return self.end is not None and self.end["end"] == "finished"

    @property
    def stopped(self) -> str | None:
        """Why it stopped before its end; None if it did not."""
        return str(self.end.get("reason")) if self.end and not self.finished else None

    @property
    def seconds_left(self) -> float | None:
        """At the pace so far, checks included; None before the first update and at the end."""
        if self.end is not None or not self.step:
            return None
        return self.elapsed / self.step * max(0, int(self.start["steps"]) - self.step)

    @property
    def best_step(self) -> int | None:
        """The step of the best checkpoint so far; None if none is chosen by a value."""
        steps = [check["best_step"] for check in self.checks if "best_step" in check]
        return int(steps[-1]) if steps else None

    @property
    def tokens_per_second(self) -> float:
        """Learned tokens per second of all updates together, checks left out."""
        learned = sum(row["train/learned_tokens"] for row in self.updates)
        return float(learned / sum(row["train/seconds"] for row in self.updates))

    @property
    def data_wait(self) -> float:
        """Share of the time of all updates in which the model waited for data."""
        waited = sum(row["train/data_wait"] * row["train/seconds"] for row in self.updates)
        return float(waited / sum(row["train/seconds"] for row in self.updates))

    def curve(self, name: str, *, checks: bool = False) -> list[Point]:
        """A number of each update, or of each check."""
        rows = self.checks if checks else self.updates
        return [Point(row["step"], row[name]) for row in rows if row.get(name) is not None]

    def curves(self, name: str) -> dict[str, list[Point]]:
        """The numbers inside a value of each update, by their names."""
        found: dict[str, list[Point]] = {}
        for row in self.updates:
            for part, value in row.get(name, {}).items():
                found.setdefault(part, []).append(Point(row["step"], value))
        return found

    def task_curve(self, task: str) -> list[Point]:
        """A task's headline metric at each check, with its interval."""
        rows = ((row["step"], row.get(f"eval/{task}")) for row in self.checks)
        return [
            Point(step, one["value"], one["low"], one["high"])
            for step, one in rows
            if one is not None and one["value"] is not None
        ]


def read_stages(folder: Path) -> list[StageLog]:
    """The stages that have begun, in their order; those without a first line are passed over.

    Args:
        folder: The directory of a training.
    """
    files = [*folder.glob(f"stages/*/{LOG}"), folder / LOG]
    stages = [read_stage(path) for path in files if path.is_file()]
    return sorted((one for one in stages if one is not None), key=lambda one: one.number)


def read_stage(path: Path) -> StageLog | None:
    """A stage by its log; None if that does not say what it began with."""
    rows = [*_rows(path)]
    start = next((row["start"] for row in rows if "start" in row), None)
    if start is None:
        return None
    return StageLog(
        start=start,
        updates=tuple(row for row in rows if "train/loss" in row),
        checks=tuple(row for row in rows if "samples" in row),
        end=next((row for row in rows if "end" in row), None),
        elapsed=max((float(row["elapsed"]) for row in rows), default=0.0),
    )


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as handle:
        for line in handle:
            if line.endswith("\n"):  # the last one may be half written
                yield json.loads(line)
