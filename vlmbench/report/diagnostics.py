"""What the pages show of diagnoses: models by tasks, in the order of the leaderboard.

Every number comes from the scores of two or more runs (see `vlmbench.compare.diagnoses`) or from a
run record; here they are only arranged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from vlmbench.compare.diagnoses import Diagnosis
from vlmbench.compare.prompt_spread import PromptSpread
from vlmbench.compare.rotation_bias import RotationBias
from vlmbench.compare.visual_gain import VisualGain
from vlmbench.report.axes import Axis
from vlmbench.report.entries import Entry, TaskRuns
from vlmbench.report.rendering import Words
from vlmbench.runs.directory import RunDir
from vlmbench.scoring.aggregate import DIAGNOSTICS


class DiagnosisColumn(NamedTuple):
    """What a column of a grid is about."""

    task: str
    title: Words
    metric: str
    mode: str
    """What stood in the image's place, for visual gain; else empty."""


Grid: TypeAlias = dict[DiagnosisColumn, dict[str, VisualGain | PromptSpread | RotationBias]]
"""One kind of diagnosis by column and the entry's name."""


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """All that a page shows of them."""

    grids: Mapping[str, Grid]
    """By kind: `gains`, `prompts` and `rotations`, as in `Diagnosis`; empty where there is none."""
    problems: Sequence[str]
    """What does not compare, a sentence each."""

    def __bool__(self) -> bool:
        return any(self.grids.values()) or bool(self.problems)


def diagnostics_of(
    tasks: Sequence[TaskRuns], entries: Sequence[Entry], found: Mapping[RunDir, Diagnosis]
) -> Diagnostics:
    """The diagnoses of some tasks' runs.

    Args:
        tasks: In the order of the columns.
        found: By the plain run.
    """
    grids: dict[str, Grid] = {"gains": {}, "prompts": {}, "rotations": {}}
    problems: list[str] = []
    for entry in entries:
        for task in tasks:
            run = entry.runs.get(task.name)
            diagnosis = found.get(run.directory) if run else None
            if diagnosis is None:
                continue
            problems += [f"{entry.name}: {problem}" for problem in diagnosis.problems]
            for kind, grid in grids.items():
                for one in getattr(diagnosis, kind):
                    mode = getattr(one, "mode", "")
                    column = DiagnosisColumn(task.name, task.title, one.metric, mode)
                    grid.setdefault(column, {})[entry.name] = one
    order = [task.name for task in tasks]
    by_task = {
        kind: dict(sorted(grid.items(), key=lambda item: order.index(item[0].task)))
        for kind, grid in grids.items()
    }
    return Diagnostics(by_task, problems)


def gain_axis(gains: Iterable[VisualGain]) -> Axis:
    """An axis that holds visual gains, their intervals and 0 in its middle."""
    ends = [abs(value or 0.0) for one in gains for value in (one.gain, one.low, one.high)]
    half = 1.05 * max(ends) or 1.0
    return Axis(-half, half)


def answer_metrics(task: TaskRuns) -> list[str]:
    """The diagnostic metrics that the runs of a task have, in their usual order."""
    there = {e.metric for run in task.runs for e in run.record.estimates if not e.headline}
    return [name for name in DIAGNOSTICS if name in there]
