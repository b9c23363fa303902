"""Groups of tasks on the leaderboard: each model's score beside the parts that make it.

A model that lacks tasks of a group has parts but no score, since a mean over other tasks would say
something else; it is never ranked. The same goes for a run that is incomplete or that differs from
the other models' in what was asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vlmbench.errors import VlmbenchError
from vlmbench.records import RunRecord, SampleScores
from vlmbench.report.tables import Entry, Leaderboard, Run, TaskRuns
from vlmbench.scoring.groups import GroupScore, group_score
from vlmbench.tasks.groups import load_groups


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One model in one group."""

    entry: Entry
    score: GroupScore
    there: int
    """How many of the group's tasks it ran."""
    incomplete: tuple[TaskRuns, ...]
    """Those of them that lack answers."""
    apart: Mapping[str, str]
    """Title of a task whose run cannot be compared -> the field that differs."""
    limit: int | None
    """The smallest `--limit` among its runs."""


@dataclass(frozen=True, slots=True)
class GroupTable:
    """A group of which any task was run."""

    name: str
    title: str
    about: str
    total: int
    """Number of the group's tasks."""
    tasks: tuple[TaskRuns, ...]
    """Those that were run by any model, in the group's order."""
    missing: tuple[str, ...]
    """Names of the others."""
    models: tuple[GroupRow, ...]
    """Best first, then those without a score."""
    baselines: tuple[GroupRow, ...]

    @property
    def scored(self) -> bool:
        """Whether any model or baseline has a score."""
        return any(row.score.value is not None for row in (*self.models, *self.baselines))

    def is_best(self, row: GroupRow) -> bool:
        """Whether no model has a higher score."""
        values = [one.score.value for one in self.models if one.score.value is not None]
        return row in self.models and row.score.value is not None and row.score.value == max(values)


def group_tables(board: Leaderboard) -> list[GroupTable]:
    """A table for each group of which any task was run.

    Raises:
        JournalError: The scores of a run cannot be read.
    """
    ran = {task.name: task for task in board.tasks}
    shown = {
        name: group for name, group in load_groups().items() if any(t in ran for t in group.tasks)
    }
    rows: dict[str, list[GroupRow]] = {name: [] for name in shown}
    for entry in board.entries:
        read = _Reader(entry)
        for name, group in shown.items():
            if any(task in entry.runs for task in group.tasks):
                tasks = [ran[task] for task in group.tasks if task in entry.runs]
                rows[name].append(_row(entry, name, tasks, read))
    return [
        GroupTable(
            name=name,
            title=group.title,
            about=group.about,
            total=len(group.tasks),
            tasks=tuple(ran[task] for task in group.tasks if task in ran),
            missing=tuple(task for task in group.tasks if task not in ran),
            models=_ranked([row for row in rows[name] if not row.entry.baseline]),
            baselines=_ranked([row for row in rows[name] if row.entry.baseline]),
        )
        for name, group in shown.items()
    ]


class _Reader:
    """Reads an entry's scores once, though several groups hold the same task."""

    def __init__(self, entry: Entry) -> None:
        self._runs = entry.runs
        self._known: dict[str, Sequence[SampleScores]] = {}

    def __call__(self, record: RunRecord) -> Sequence[SampleScores]:
        if record.task not in self._known:
            self._known[record.task] = self._runs[record.task].directory.read_scores()
        return self._known[record.task]


def _row(entry: Entry, group: str, tasks: Sequence[TaskRuns], read: _Reader) -> GroupRow:
    differing = [(task, task.mismatch(entry.runs[task.name])) for task in tasks]
    usable: dict[str, Run] = {
        task.name: entry.runs[task.name] for task, field in differing if field is None
    }
    records = {name: run.record for name, run in usable.items()}
    try:
        score = group_score(entry.name, group, records, read)
    except VlmbenchError as error:  # a metric of a plugin that is not installed here
        score = GroupScore(entry.name, group, None, reason=str(error))
    return GroupRow(
        entry=entry,
        score=score,
        there=len(tasks),
        incomplete=tuple(
            task for task in tasks if not entry.runs[task.name].record.coverage.complete
        ),
        apart={task.title: field for task, field in differing if field is not None},
        limit=min(
            (run.record.limit for run in usable.values() if run.record.limit is not None),
            default=None,
        ),
    )


def _ranked(rows: Sequence[GroupRow]) -> tuple[GroupRow, ...]:
    """Best first; rows without a score stay in the leaderboard's order, behind."""

    def order(row: GroupRow) -> tuple[bool, float]:
        return row.score.value is None, -(row.score.value or 0.0)

    return tuple(sorted(rows, key=order))
