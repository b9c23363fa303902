"""Groups of tasks on the leaderboard: each model's score beside the parts that make it.

A model that lacks tasks of a group has parts but no score, since a mean over other tasks would say
something else; it is never ranked. The same goes for a run that is incomplete or that differs from
the other models' in task, prompt or data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache

from vlmbench.errors import VlmbenchError
from vlmbench.records import RunRecord, stable_hash
from vlmbench.report.axes import Axis, axis_of
from vlmbench.report.entries import Entry, TaskRuns
from vlmbench.report.naming import model_slug
from vlmbench.report.rendering import Words
from vlmbench.report.site import Site
from vlmbench.report.tables import Leaderboard
from vlmbench.report.task_unit import TaskUnit
from vlmbench.scoring.groups import GroupScore, ReadScores, group_score
from vlmbench.tasks.groups import Group, load_groups


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One model in one group."""

    entry: Entry
    score: GroupScore
    incomplete: tuple[str, ...]
    """Tasks whose runs lack answers."""
    excluded: Mapping[str, str]
    """Task whose run cannot be compared -> the field that differs."""
    limit: int | None
    """The smallest `--limit` among its comparable runs."""


@dataclass(frozen=True, slots=True)
class GroupTable:
    """A group of which any task was run."""

    name: str
    group: Group
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
        """Whether it is a model and no model has a higher score."""
        value = row.score.value
        return not row.entry.baseline and value is not None and value == self.models[0].score.value


def group_tables(
    board: Leaderboard, site: Site | None = None, units: Mapping[str, TaskUnit] | None = None
) -> list[GroupTable]:
    """A table for each group of which any task was run.

    Args:
        site: Where scores of groups whose runs have not changed are kept from.
        units: By task, whose keys tell what has changed.

    Raises:
        JournalError: The scores of a run cannot be read.
    """
    ran = {task.name: task for task in board.tasks}
    groups = {name: one for name, one in load_groups().items() if ran.keys() & {*one.tasks}}
    rows: dict[str, list[GroupRow]] = {name: [] for name in groups}
    for entry in board.entries:
        read = _reader(entry)
        for name, group in groups.items():
            if tasks := [ran[task] for task in group.tasks if task in entry.runs]:
                rows[name].append(_row(entry, name, tasks, read, site, units))
    return [
        GroupTable(
            name,
            group,
            tasks=tuple(ran[task] for task in group.tasks if task in ran),
            missing=tuple(task for task in group.tasks if task not in ran),
            models=_ranked([row for row in rows[name] if not row.entry.baseline]),
            baselines=_ranked([row for row in rows[name] if row.entry.baseline]),
        )
        for name, group in groups.items()
    ]


def group_axis(group: GroupTable) -> Axis:
    """The axis of its scores."""
    return axis_of(row.score for row in group.models)


def group_words(group: GroupTable) -> tuple[Words, Words]:
    """Title and description in both languages."""
    one = group.group
    return Words(one.title, one.ja.title), Words(one.about, one.ja.about)


def _reader(entry: Entry) -> ReadScores:
    """Reads an entry's scores once, though several groups hold the same task."""
    scores = cache(lambda task: entry.runs[task].directory.read_scores())
    return lambda record: scores(record.task)


def _row(
    entry: Entry,
    group: str,
    tasks: Sequence[TaskRuns],
    read: ReadScores,
    site: Site | None,
    units: Mapping[str, TaskUnit] | None,
) -> GroupRow:
    records = {task.name: entry.runs[task.name].record for task in tasks}
    excluded = {
        task.name: field for task in tasks if (field := task.mismatch(entry.runs[task.name]))
    }
    usable = {name: record for name, record in records.items() if name not in excluded}
    key = stable_hash([entry.name, group, [units[one.name].key for one in tasks]]) if units else ""
    cache = f"groups/{group}/{model_slug(entry.name)}.json"
    there = site.read_cache(cache) if site and key else None
    if there and there["key"] == key:
        score = GroupScore(**there["score"])
    else:
        score = _score(entry, group, usable, read)
    if site and key:
        site.write_cache(cache, {"key": key, "score": asdict(score)})
    limits = [record.limit for record in usable.values() if record.limit is not None]
    return GroupRow(
        entry=entry,
        score=score,
        incomplete=tuple(name for name, one in records.items() if not one.coverage.complete),
        excluded=excluded,
        limit=min(limits, default=None),
    )


def _score(
    entry: Entry, group: str, usable: Mapping[str, RunRecord], read: ReadScores
) -> GroupScore:
    try:
        return group_score(entry.name, group, usable, read)
    except VlmbenchError as error:  # a metric of a plugin that is not installed here
        return GroupScore(entry.name, group, None, reason=str(error))


def _ranked(rows: Sequence[GroupRow]) -> tuple[GroupRow, ...]:
    """Best first; rows without a score stay in the leaderboard's order, behind."""
    return tuple(sorted(rows, key=lambda row: (row.score.value is None, -(row.score.value or 0.0))))
