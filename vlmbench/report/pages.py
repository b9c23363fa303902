"""Renders the pages of a site; those whose task or model has not changed are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import Any

from markupsafe import Markup

from vlmbench.records import stable_hash
from vlmbench.report.axes import axis_of
from vlmbench.report.card import task_card
from vlmbench.report.columns import MetricColumn, slice_tables, task_columns
from vlmbench.report.diagnostics import answer_metrics, diagnostics_of, gain_axis
from vlmbench.report.downloads import FOLDER, LABELS, download_files, write_downloads
from vlmbench.report.entries import Entry, Run, TaskRuns
from vlmbench.report.found import LeftOut
from vlmbench.report.groups import group_axis, group_tables, group_words
from vlmbench.report.judges import judges_of
from vlmbench.report.model_page import ModelView, Standings, model_view, slice_words
from vlmbench.report.naming import japanese_names, model_slug, run_state
from vlmbench.report.parents import parent_differences
from vlmbench.report.published import cited_scores, published_scores
from vlmbench.report.ranking import overall_ranks, ranks_of
from vlmbench.report.rendering import Words, environment
from vlmbench.report.site import CACHE, Site
from vlmbench.report.static_files import code_digest, plotly_style_hash, strings
from vlmbench.report.tables import Leaderboard
from vlmbench.report.task_unit import TaskUnit
from vlmbench.scoring.export import ExportFormat

# `file:` as well as 'self', because browsers differ in what the origin of a file is. Over HTTP it
# allows nothing. Favicons are images, and an empty one keeps browsers from asking for another.
POLICY = (
    "default-src 'none'; script-src 'self' file:; style-src 'self' file:; "
    "img-src 'self' file: data:; base-uri 'none'; form-action 'none'"
)

_WITH_CHARTS = ("index.html.j2", "compare.html.j2", "model.html.j2")

_CAPABILITIES = (
    "caption",
    "vqa",
    "open-vqa",
    "chart",
    "multi-image",
    "ocr",
    "document",
    "knowledge",
    "culture",
)
_LANGUAGES = ("ja", "en")


class Pages:
    """Renders the templates for one leaderboard."""

    def __init__(
        self,
        site: Site,
        board: Leaderboard,
        units: Mapping[str, TaskUnit],
        left_out: Sequence[LeftOut],
        runs: Sequence[Run],
        *,
        live: bool,
    ) -> None:
        self.site, self.board, self.units, self.left_out = site, board, units, left_out
        self.runs = runs
        self._runs_of: dict[str, list[Run]] = {}
        for run in runs:
            self._runs_of.setdefault(run.record.task, []).append(run)
        self.slugs = {task.name: task.slug for task in board.tasks}
        self.model_slugs = {entry.name: model_slug(entry.name) for entry in board.entries}
        self._words = strings()
        self._build = code_digest()
        self._environment = environment(self._words)
        self._environment.globals.update(
            board=board,
            slugs=self.slugs,
            model_slugs=self.model_slugs,
            live=live,
            left_out=left_out,
            download_names=LABELS,
            gain_axis=gain_axis,
            group_axis=group_axis,
            group_words=group_words,
            slice_words=slice_words,
            answer_metrics=answer_metrics,
            capability=self._label("capability", _CAPABILITIES),
            language=self._label("language", _LANGUAGES),
        )

    def write_all(self) -> None:
        """Every page."""
        for task in self.board.tasks:
            self._write_task(task, self.units[task.name])
        for entry in self.board.entries:
            self._write_model(entry)
        self.site.write("compare.html", self._render("compare.html.j2", current="compare"))
        self.site.write("index.html", self.index())
        write_downloads(self.site, self._downloads(), self.runs)

    def index(self) -> str:
        """The leaderboard."""
        board = self.board
        totals = overall_ranks(board, self.units)
        best = [self._best(column, board.models) for column in board.columns]
        shared = {*board.overall.tasks}
        missing = {one.name: shared - {*one.runs} for one in board.entries}
        return self._render(
            "index.html.j2",
            current="index",
            column_cells=[
                self._column_cells(column, those)
                for column, those in zip(board.columns, best, strict=True)
            ],
            groups=group_tables(board, self.site, self.units),
            parents=parent_differences(board.models, board.tasks),
            ranks=totals.ranks,
            overall_ends=totals.intervals,
            overall_axis=axis_of(
                totals.intervals[one.name] for one in board.models if one.name in totals.intervals
            ),
            missing=missing,
            sample_count=sum(task.reference.record.coverage.total for task in board.tasks),
            published=cited_scores(board),
            downloads=self._downloads(),
        )

    def task(self, task: TaskRuns, unit: TaskUnit) -> str:
        """A task's page."""
        entries = self.board.of_task(task.name)
        columns = task_columns(task)
        comparisons, mismatches = published_scores(task, entries)
        return self._render(
            "task.html.j2",
            root="../",
            task=task,
            unit=unit,
            columns=columns,
            best=[self._best(column, entries) for column in columns],
            slices=slice_tables(task, entries),
            slice_name=self._slice_name(task),
            diagnosed=diagnostics_of([task], entries, unit.diagnoses),
            card=task_card(task.reference.record),
            trained=[one for one in entries if one.runs[task.name].record.overlap is not None],
            judges=judges_of(task, entries),
            comparisons=comparisons,
            mismatches=[*mismatches.itertuples()],
            downloads=self._downloads(task),
        )

    def samples(self, task: TaskRuns, unit: TaskUnit) -> str:
        """The page of a task's samples."""
        return self._render("samples.html.j2", root="../", task=task, unit=unit)

    def model(self, entry: Entry) -> str:
        """A model's page."""
        view = model_view(entry, self.board, self.units, self._standings)
        return self._render(
            "model.html.j2",
            root="../",
            entry=entry,
            view=view,
            runs_part=self._model_runs(entry, view),
        )

    def _model_runs(self, entry: Entry, view: ModelView) -> Markup:
        """The part of a model's page that depends on its own runs only."""
        tasks = [
            [task.name, *task.title, run_state(entry.runs[task.name], {})]
            for task in self.board.tasks
            if task.name in entry.runs
        ]
        return self._kept(
            f"models/{self.model_slugs[entry.name]}.runs.json",
            [self._build, entry.name, tasks],
            lambda: [self._render("model_runs.html.j2", entry=entry, view=view)],
        )[0]

    def _column_cells(self, column: MetricColumn, best: frozenset[str]) -> dict[str, Markup]:
        """The cells of one column of the leaderboard, by the entry's name."""
        unit, entries = self.units[column.task.name], self.board.entries
        cell: Any = self._environment.get_template("cells.html.j2").module
        found = self._kept(
            f"columns/{unit.slug}-{model_slug(column.metric)}.json",
            [self._build, unit.key, [entry.name for entry in entries], sorted(best)],
            lambda: [cell.cell(entry, column, best, with_n=False) for entry in entries],
        )
        return {entry.name: one for entry, one in zip(entries, found, strict=True)}

    def _kept(self, cache: str, about: Any, made: Callable[[], list[str]]) -> list[Markup]:
        """Pieces of pages that the former building made of the same, or new ones."""
        key = stable_hash(about)
        there = self.site.read_cache(cache)
        if there and there["key"] == key and self.site.keep([f"{CACHE}/{cache}"]):
            return [Markup(one) for one in there["pieces"]]
        pieces = [str(one) for one in made()]
        self.site.write_cache(cache, {"key": key, "pieces": pieces})
        return [Markup(one) for one in pieces]

    @cached_property
    def _standings(self) -> Standings:
        return Standings(self.board, self.units)

    def _write_task(self, task: TaskRuns, unit: TaskUnit) -> None:
        pages = [f"tasks/{unit.slug}.html", f"samples/{unit.slug}.html"]
        downloads = self._downloads(task)
        if unit.new or not self.site.keep([*pages, *downloads.values()]):
            self.site.write(pages[0], self.task(task, unit))
            self.site.write(pages[1], self.samples(task, unit))
            write_downloads(self.site, downloads, self._runs_of[task.name])

    def _downloads(self, task: TaskRuns | None = None) -> dict[ExportFormat, str]:
        """The files with a task's results, or with all results."""
        if task is None:
            return download_files(FOLDER, self.runs)
        return download_files(f"{FOLDER}/{task.slug}", self._runs_of[task.name])

    def _write_model(self, entry: Entry) -> None:
        page = f"models/{self.model_slugs[entry.name]}.html"
        about = [
            asdict(entry.facts),
            [self.units[task].key for task in entry.runs],
            [one.name for one in self.board.entries if one.facts.series == entry.facts.series],
        ]
        cache = f"{page}.json"
        key = stable_hash(about)
        if self.site.read_cache(cache) != key or not self.site.keep([page]):
            self.site.write(page, self.model(entry))
        self.site.write_cache(cache, key)

    def _best(self, column: MetricColumn, entries: Iterable[Entry]) -> frozenset[str]:
        """Names of the models that no other one is told to be better than."""
        models = [one for one in entries if not one.baseline]
        ranks = ranks_of(column, self.units, [one.name for one in models])
        first = frozenset(name for name, rank in ranks.items() if rank == 1)
        return first or column.best(models)

    def _render(self, template: str, **values: Any) -> str:
        policy = POLICY
        if template in _WITH_CHARTS and (digest := plotly_style_hash()):
            policy = POLICY.replace("style-src", f"style-src 'sha256-{digest}'")
        return self._environment.get_template(template).render(
            **{"root": "", "current": "", "policy": policy, **values}
        )

    def _label(self, kind: str, known: Sequence[str]) -> Any:
        """A function that writes a value of a task's card in both languages, if it is known."""
        t: Any = self._environment.globals["t"]

        def written(value: object) -> Markup:
            key = f"{kind}_{str(value).replace('-', '_')}"
            return t(key) if value in known else Markup("<span>{}</span>").format(str(value))

        return written

    @staticmethod
    def _slice_name(task: TaskRuns) -> Any:
        """A function from a slice field or value to its name in both languages."""
        names = japanese_names(task.reference.record)

        def named(value: object) -> Words:
            return Words(str(value), str(names.get(str(value), value)))

        return named
