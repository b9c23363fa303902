"""The report: a static site that opens from the file system, without a network or a server.

index.html holds the leaderboard, tasks/*.html one task each with its samples, images/ every image
once, static/ the stylesheet and the scripts. Everything that comes from models, data sets or file
names is escaped: jinja2 escapes what stands in the markup, JSON is embedded so that it cannot end
its element, and the scripts only ever set text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from vlmbench.compare.diagnoses import Diagnosis, diagnoses, with_variants
from vlmbench.records import stable_hash
from vlmbench.report.card import task_card
from vlmbench.report.diagnostics import answer_metrics, diagnostics_of, gain_scale
from vlmbench.report.groups import group_tables
from vlmbench.report.images import ImageStore
from vlmbench.report.judges import judges_of
from vlmbench.report.parents import parent_differences
from vlmbench.report.published import published_scores
from vlmbench.report.rendering import environment, write_page
from vlmbench.report.samples import TaskData, task_data
from vlmbench.report.site import replaced_site, safe_json
from vlmbench.report.tables import (
    Leaderboard,
    TaskRuns,
    build_leaderboard,
    plain_runs,
    slice_tables,
    task_columns,
)
from vlmbench.runs.directory import RunDir, find_runs, safe_name

# `file:` as well as 'self', because browsers differ in what the origin of a file is. Over HTTP it
# allows nothing. Favicons are images, and an empty one keeps browsers from asking for another.
POLICY = (
    "default-src 'none'; script-src 'self' file:; style-src 'self' file:; "
    "img-src 'self' file: data:; base-uri 'none'; form-action 'none'"
)

_PACKAGE = resources.files("vlmbench.report")


def build_report(runs: Sequence[Path], out: Path, *, samples_per_task: int | None = None) -> Path:
    """Write the site.

    Args:
        runs: Run directories, model directories or output directories.
        out: The site's directory. Files there that no report made stay.
        samples_per_task: Show at most so many samples of each task, spread evenly; scores are
            of all samples in any case. None: all.

    Returns:
        The path of index.html.

    Raises:
        UsageError: There is no run, or `out` holds files of the same name that no report made.
        JournalError: A run cannot be read.
    """
    board = build_leaderboard(plain_runs(runs))
    directories = find_runs(runs)
    variants = with_variants(directories)
    pages = _Pages(board, diagnoses(directories))
    with replaced_site(out) as site:
        (site / "tasks").mkdir()
        _copy_static(site / "static")
        images = ImageStore(site / "images")
        for task in board.tasks:
            entries = board.of_task(task.name)
            data = task_data(task, entries, images, at_most=samples_per_task, variants=variants)
            write_page(site / "tasks" / f"{pages.slugs[task.name]}.html", pages.task(task, data))
        write_page(site / "index.html", pages.index())
    return out / "index.html"


class _Pages:
    """Renders the templates for one leaderboard."""

    def __init__(self, board: Leaderboard, found: Mapping[RunDir, Diagnosis]) -> None:
        self.strings = json.loads((_PACKAGE / "strings.json").read_text(encoding="utf-8"))
        self.board = board
        self.found = found
        self.slugs = {task.name: _slug(task.name) for task in board.tasks}
        self._environment = environment(self.strings)
        self._environment.globals.update(
            board=board,
            slugs=self.slugs,
            policy=POLICY,
            strings=safe_json(self.strings),
            gain_scale=gain_scale,
            answer_metrics=answer_metrics,
        )

    def index(self) -> str:
        """The leaderboard."""
        return self._environment.get_template("index.html.j2").render(
            root="",
            current=None,
            best=[self.board.best(column) for column in self.board.columns],
            slices=slice_tables(self.board),
            diagnosed=diagnostics_of(self.board.tasks, self.board.entries, self.found),
            groups=group_tables(self.board),
            parents=parent_differences(self.board.models),
        )

    def task(self, task: TaskRuns, data: TaskData) -> str:
        """A task's page."""
        entries = self.board.of_task(task.name)
        columns = task_columns(task)
        card = task_card(task.reference.record)
        comparisons, mismatches = published_scores(task, entries)
        return self._environment.get_template("task.html.j2").render(
            strings=safe_json({**self.strings, **card.strings}),
            root="../",
            current=task.name,
            task=task,
            columns=columns,
            best=[self.board.best(column) for column in columns],
            diagnosed=diagnostics_of([task], entries, self.found),
            card=card,
            trained=[one for one in entries if one.runs[task.name].record.overlap is not None],
            judges=judges_of(task, entries),
            comparisons=comparisons,
            mismatches=[*mismatches.itertuples()],
            problem=data["problem"],
            data=safe_json(data),
        )


def _slug(task: str) -> str:
    """A file name for a task: the name itself unless that is no plain file name."""
    name = safe_name(task)
    return name if name == task and name.isascii() else f"{name}-{stable_hash(task)[:8]}"


def _copy_static(folder: Path) -> None:
    folder.mkdir()
    for item in (_PACKAGE / "static").iterdir():
        (folder / item.name).write_bytes(item.read_bytes())
