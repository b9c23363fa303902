"""The report: a static site that opens from the file system, without a network or a server.

    index.html        the leaderboard            compare.html      two to four models side by side
    tasks/*.html      one task each              models/*.html     one model each
    samples/*.html    the samples of a task      samples/*/*.js    their data, loaded on demand
    data/*.js         what ranks and compares    images/           every image once
    downloads/        the results as files       static/           stylesheet and scripts

Everything that comes from models, data sets or file names is escaped: jinja2 escapes what stands
in the markup, data is JSON that cannot end its element, and the scripts only ever set text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vlmbench.errors import UsageError
from vlmbench.report.board_data import board_script, task_script
from vlmbench.report.entries import Run
from vlmbench.report.found import FoundRuns, LeftOut, read_runs
from vlmbench.report.images import ImageStore
from vlmbench.report.pages import Pages
from vlmbench.report.site import Site, replaced_site
from vlmbench.report.static_files import code_digest, copy_static
from vlmbench.report.tables import Leaderboard, build_leaderboard
from vlmbench.report.task_unit import TaskUnit, build_unit
from vlmbench.runs.directory import RunDir

Progress = Callable[[int, int, str], None]
"""Told how many of how many tasks are done, and which one is next."""


@dataclass(frozen=True, slots=True)
class Report:
    """A site that was built."""

    index: Path
    left_out: tuple[LeftOut, ...]
    """Runs that could not be read."""
    rebuilt: tuple[str, ...]
    """Tasks whose files were made anew; those of the others were kept."""


def build_report(runs: Sequence[Path], out: Path, *, samples_per_task: int | None = None) -> Path:
    """Write the site and return the path of index.html; see `build_site`."""
    return build_site(runs, out, samples_per_task=samples_per_task).index


def build_site(
    runs: Sequence[Path],
    out: Path,
    *,
    samples_per_task: int | None = None,
    live: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Write the site. What did not change since it was built last is kept.

    Args:
        runs: Run directories, model directories or output directories.
        out: The site's directory. Files there that no report made stay.
        samples_per_task: Show at most so many samples of each task, spread evenly; scores are
            of all samples in any case. None: all.
        live: The pages load themselves anew when the site is built again; for a server.

    Raises:
        UsageError: There is no run that can be read, or `out` holds files of the same name that
            no report made.
    """
    found = read_runs(runs)
    with replaced_site(out) as site:
        build = code_digest()
        board = build_leaderboard(found.plain)
        units = _units(site, board, found, samples_per_task, build, progress)
        broken = {one.run for unit in units.values() for one in unit.left_out}
        if broken:
            board = build_leaderboard(_readable(found.plain, broken))
        left_out = [*found.left_out, *(one for unit in units.values() for one in unit.left_out)]
        units = {task.name: units[task.name] for task in board.tasks}
        copy_static(site, live=live)
        shown = [run for run in found.runs if _name(run.directory) not in broken]
        pages = Pages(site, board, units, left_out, shown, live=live)
        pages.write_all()
        site.write("data/board.js", board_script(board, units, pages.slugs, pages.model_slugs))
        rebuilt = tuple(name for name, unit in units.items() if unit.new)
    return Report(out / "index.html", tuple(left_out), rebuilt)


def _units(
    site: Site,
    board: Leaderboard,
    found: FoundRuns,
    at_most: int | None,
    build: str,
    progress: Progress | None,
) -> dict[str, TaskUnit]:
    """What is computed of each task, one after the other."""
    units: dict[str, TaskUnit] = {}
    images = ImageStore(site, former=site.read_cache("images.json") or {})
    for number, task in enumerate(board.tasks):
        if progress is not None:
            progress(number, len(board.tasks), task.name)
        unit = build_unit(site, board, task, found.variants, images, at_most=at_most, build=build)
        units[task.name] = unit
        script = f"data/{unit.slug}.js"
        if unit.new or not site.keep([script]):
            lower = {one.metric: one.lower_is_better for one in board.columns if one.task is task}
            site.write(script, task_script(task, unit, lower))
    if progress is not None:
        progress(len(board.tasks), len(board.tasks), "")
    site.write_cache("images.json", dict(sorted(images.known.items())))
    return units


def _readable(runs: Sequence[Run], broken: set[str]) -> list[Run]:
    kept = [run for run in runs if _name(run.directory) not in broken]
    if not kept:
        raise UsageError(f"No run can be read; the first of them is {sorted(broken)[0]}.")
    return kept


def _name(directory: RunDir) -> str:
    return f"{directory.path.parent.name}/{directory.path.name}"
