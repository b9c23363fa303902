"""What the pages show of diagnoses: models by tasks, in the order of the leaderboard.

Every number comes from the scores of two or more runs (see `vlmbench.diagnostics`) or from a run
record; here they are only arranged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from vlmbench.compare.diagnoses import Diagnosis
from vlmbench.compare.prompt_spread import PromptSpread
from vlmbench.compare.rotation_bias import RotationBias
from vlmbench.compare.visual_gain import VisualGain
from vlmbench.records import Estimate
from vlmbench.report.tables import Entry, Leaderboard, TaskRuns
from vlmbench.runs.directory import RunDir
from vlmbench.scoring.aggregate import DIAGNOSTICS

LABELS = {
    "blind": "mode_blind",
    "shuffled": "mode_shuffled",
    "noise": "mode_noise",
    "looks": "looks",
    "no gain shown": "looks_not",
    "better without": "better_without",
}
"""Keys of strings.json for the words that diagnoses use."""

_Value = TypeVar("_Value", bound=VisualGain | PromptSpread | RotationBias)


@dataclass(frozen=True, slots=True)
class Column:
    """What a column of a table is about."""

    task: str
    title: str
    metric: str
    mode: str = ""
    """What stood in the image's place, for visual gain."""


@dataclass(frozen=True, slots=True)
class Grid(Generic[_Value]):
    """One kind of diagnosis by model and column; empty where nobody asked for it."""

    columns: tuple[Column, ...] = ()
    rows: tuple[tuple[Entry, Mapping[Column, _Value]], ...] = ()

    def scale(self, column: Column, reach: Callable[[_Value], float]) -> float:
        """The smallest of 1, 2, 5, 10, 20 ... that holds the column's values."""
        most = max((reach(cells[column]) for _, cells in self.rows if column in cells), default=1)
        steps = (step * 10.0**power for power in range(9) for step in (1, 2, 5))
        return next((step for step in steps if step >= most), most)


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """All that a page shows of them."""

    gains: Grid[VisualGain] = field(default_factory=Grid)
    prompts: Grid[PromptSpread] = field(default_factory=Grid)
    rotations: Grid[RotationBias] = field(default_factory=Grid)
    problems: tuple[str, ...] = ()
    """What does not compare, a sentence each."""

    @property
    def any(self) -> bool:
        """Whether there is something to show."""
        grids = (self.gains.rows, self.prompts.rows, self.rotations.rows)
        return any(grids) or bool(self.problems)


def arranged(
    board: Leaderboard, found: Mapping[RunDir, Diagnosis], *, task: str | None = None
) -> Diagnostics:
    """The diagnoses of the board's runs, or of one task's.

    Args:
        board: Says the order of models and tasks.
        found: By the plain run.
        task: Only this one.
    """
    tasks = [one for one in board.tasks if task in (None, one.name)]
    return Diagnostics(
        gains=_grid(board, tasks, found, lambda one: one.gains),
        prompts=_grid(board, tasks, found, lambda one: one.prompts),
        rotations=_grid(board, tasks, found, lambda one: one.rotations),
        problems=tuple(
            f"{entry.name}: {problem}"
            for entry in board.entries
            for one in tasks
            for problem in _of(entry, one, found).problems
        ),
    )


def answer_metrics(task: TaskRuns) -> list[str]:
    """The diagnostic metrics that the runs of a task have, in their usual order."""
    there = {e.metric for run in task.runs for e in run.record.estimates if not e.headline}
    return [name for name in DIAGNOSTICS if name in there]


def answer_estimate(entry: Entry, task: TaskRuns, metric: str) -> Estimate | None:
    """What an entry has in one of those."""
    run = entry.runs.get(task.name)
    return run.overall(metric) if run else None


def gain_reach(gain: VisualGain) -> float:
    """How far from 0 a gain and its interval go."""
    return max(abs(value or 0.0) for value in (gain.gain, gain.low, gain.high))


def _of(entry: Entry, task: TaskRuns, found: Mapping[RunDir, Diagnosis]) -> Diagnosis:
    run = entry.runs.get(task.name)
    nothing = Diagnosis(entry.name, task.name)
    return found.get(run.directory, nothing) if run else nothing


def _grid(
    board: Leaderboard,
    tasks: Sequence[TaskRuns],
    found: Mapping[RunDir, Diagnosis],
    part: Callable[[Diagnosis], Iterable[_Value]],
) -> Grid[_Value]:
    rows = []
    for entry in board.entries:
        cells = {
            Column(task.name, task.title, value.metric, getattr(value, "mode", "")): value
            for task in tasks
            for value in part(_of(entry, task, found))
        }
        if cells:
            rows.append((entry, cells))
    order = [task.name for task in tasks]
    columns = dict.fromkeys(column for _, cells in rows for column in cells)
    by_task = sorted(columns, key=lambda column: order.index(column.task))
    return Grid(tuple(by_task), tuple(rows))
