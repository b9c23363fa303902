"""The samples of a task as scripts that its page loads when it needs them.

    samples/<task>/index.js           ids, slices, how hard each sample is, who answered
    samples/<task>/text-<k>.js        prompts, references, options of CHUNK samples
    samples/<task>/find-<k>.js        the same as its search reads them, of many samples
    samples/<task>/<model>.head.js    outcome and value of each sample
    samples/<task>/<model>.<k>.js     the answers to CHUNK samples
    samples/<task>/<model>.find-<k>.js

No folder a model: to make and remove thousands of them takes longer than all else of a rebuild.

Scripts, since a page that was opened as a file may load nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, TypedDict

from vlmbench.errors import JournalError, VlmbenchError
from vlmbench.records import JournalSample, Scalar, stable_hash
from vlmbench.report.answers import (
    LONGEST,
    AnswerData,
    answer_data,
    journal_of,
    read_answers,
    shortened,
)
from vlmbench.report.entries import Entry, Run, TaskRuns
from vlmbench.report.facts import RunFacts, TaskMetrics, run_facts
from vlmbench.report.found import LeftOut, left_out_run
from vlmbench.report.images import NO_IMAGE, ImageStore, SiteImage
from vlmbench.report.naming import model_slug, run_state, spread
from vlmbench.report.search_text import search_files
from vlmbench.report.site import CACHE, Site, safe_json
from vlmbench.runs.directory import RunDir
from vlmbench.tasks.journal_images import journal_images
from vlmbench.tasks.registry import journal_task
from vlmbench.tasks.spec import TaskSpec

CHUNK = 250
"""Samples in a file: with texts as long as they may be it stays below 20 MB."""

_OUTCOMES = {"right": "r", "partial": "p", "wrong": "w", "unscored": "u", "error": "e"}
_NOT_RUN = "-"


class SampleText(TypedDict):
    """What was asked."""

    parts: list[str | SiteImage]
    """The prompt: texts and images in their order."""
    references: list[str]
    choices: list[str]


@dataclass(slots=True)
class TaskSamples:
    """What was written, and what the pages need of it."""

    facts: dict[str, RunFacts] = field(default_factory=dict)
    """By the entry's name."""
    left_out: list[LeftOut] = field(default_factory=list)
    problem: str | None = None
    """Why prompts or images cannot be shown."""
    total: int = 0
    """Samples of the task."""
    shown: int = 0
    """Those that are written."""
    goodness: list[float | None] = field(default_factory=list)
    """Of each written sample, the mean over the models."""
    spread: list[float] = field(default_factory=list)
    """The best model's goodness minus the worst one's."""
    ids: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    cache_files: list[str] = field(default_factory=list)
    images: dict[str, SiteImage] = field(default_factory=dict)
    """Those that the samples show, by digest."""


def write_samples(
    site: Site,
    slug: str,
    task: TaskRuns,
    entries: Sequence[Entry],
    variants: Mapping[RunDir, Mapping[str, Run]],
    images: ImageStore,
    *,
    at_most: int | None,
    build: str,
) -> TaskSamples:
    """Write the samples of a task with every model's answers.

    Prompts come from the reference run's journal, images from where a run kept them or from the
    data set. If these cannot be read here, `problem` says why, and the rest is shown. A run whose
    scores cannot be read is left out.

    Args:
        slug: Name of the task's files.
        entries: Those that ran the task.
        variants: The variants' runs, by plain run and label.
        at_most: Show so many samples, spread evenly over the data; None: all.
        build: Changes with whatever decides the form of the files.
    """
    writer = _Writer(site, f"samples/{slug}", task, images, at_most)
    writer.read_reference()
    first = task.reference.directory
    for entry in sorted(entries, key=lambda one: one.runs[task.name].directory != first):
        run = entry.runs[task.name]
        try:
            writer.add(entry.name, run, variants.get(run.directory, {}), build)
        except JournalError as error:
            writer.result.left_out.append(left_out_run(run.directory, error))
    writer.finish([entry for entry in entries if entry.name in writer.result.facts])
    return writer.result


class _Writer:
    """Holds one model's answers at a time."""

    def __init__(
        self, site: Site, folder: str, task: TaskRuns, images: ImageStore, at_most: int | None
    ) -> None:
        self.site, self.folder, self.task, self.images = site, folder, task, images
        self.at_most = at_most
        self.result = TaskSamples()
        self.metrics = TaskMetrics(task.reference.record, task.metrics)
        self.samples: dict[str, JournalSample] = {}
        self.keys: dict[str, str] = {}
        self.places: dict[str, int] = {}
        self.firsts: dict[str, list[int]] = {}
        self.language = "ja"

    def read_reference(self) -> None:
        """What was asked, and in which order."""
        directory = self.task.reference.directory
        try:
            journal = journal_of(directory)
        except JournalError as error:
            journal, reason = None, left_out_run(directory, error).reason
        else:
            reason = "the run's journal is missing, so there are no prompts to show"
        if journal is None:
            self.result.problem = reason
            return
        self.keys = {name: one.key for name, one in journal.responses.items()}
        ordered = sorted(journal.samples, key=lambda name: journal.samples[name].index)
        self.result.total = len(ordered)
        chosen = spread(ordered, self.at_most)
        self.samples = {name: journal.samples[name] for name in chosen}
        self.places = {name: place for place, name in enumerate(chosen)}
        spec = journal_task(journal.header)
        self.language = spec.display.language
        self.result.problem = self._add_images(spec) or None

    def add(self, name: str, run: Run, variants: Mapping[str, Run], build: str) -> None:
        """Write one model's answers, or keep those of the former site if nothing has changed."""
        slug = model_slug(name)
        cache = f"{self.folder}/{slug}.json"
        # The order is part of it, since files hold a range of places.
        asked = [[one, self.keys.get(one), self._choices(one)] for one in self.places]
        about = [build, self.at_most, run_state(run, variants), self.task.metrics]
        key = stable_hash([*about, asked])
        there = self.site.read_cache(cache)
        if there and there["key"] == key and self.site.keep(there["files"]):
            facts, files, firsts = RunFacts(**there["facts"]), there["files"], there["firsts"]
            self._take_places(facts.ids)
        else:
            for one in (run, *variants.values()):
                one.whole_record()  # tells of damage here, where it is one run's
            answers = read_answers(run, variants)
            rows = sorted(answers.scores.values(), key=lambda row: self._order(row.id))
            facts = run_facts(rows, self.metrics, self.task.headlines)
            self._take_places(facts.ids)
            data: dict[int, AnswerData] = {}
            for row in rows:
                if row.id in self.places:
                    sample = self.samples.get(row.id)
                    shown = answer_data(row, answers, self.metrics, sample, self.keys.get(row.id))
                    data[self.places[row.id]] = shown
            files = [*self._write_answers(slug, data)]
            firsts, found = self._write_search(f"{slug}.find", self._said(data))
            files += found
        kept = {"key": key, "facts": facts.as_json(), "files": files, "firsts": firsts}
        self.site.write_cache(cache, kept)
        self.result.facts[name] = facts
        self.firsts[name] = firsts
        self.result.files += files
        self.result.cache_files.append(f"{CACHE}/{cache}")

    def finish(self, entries: Sequence[Entry]) -> None:
        """Write what is known when all models are there."""
        result = self.result
        result.ids = [*self.places]
        result.shown = len(result.ids)
        result.total = max(result.total, result.shown)
        firsts = self._write_texts()
        by_place: list[list[float]] = [[] for _ in result.ids]
        slices: dict[str, list[Scalar]] = {}
        models = [one for one in entries if not one.baseline] or [*entries]
        for entry in entries:
            facts = result.facts[entry.name]
            places = [self.places.get(one, -1) for one in facts.ids]
            if entry in models:
                for place, good in zip(places, facts.goodness, strict=True):
                    if place >= 0 and good is not None:
                        by_place[place].append(good)
            for name, values in facts.slices.items():
                column = slices.setdefault(name, [None] * result.shown)
                for place, value in zip(places, values, strict=True):
                    if place >= 0:
                        column[place] = value
            self._write_head(entry, facts, places)
        result.goodness = [round(fmean(one), 4) if one else None for one in by_place]
        result.spread = [round(max(one) - min(one), 4) if one else 0.0 for one in by_place]
        self._write_index(entries, slices, firsts)

    def _choices(self, name: str) -> tuple[str, ...]:
        sample = self.samples.get(name)
        return sample.choices if sample else ()

    def _order(self, name: str) -> tuple[int, str]:
        return self.places.get(name, len(self.places)), name

    def _take_places(self, ids: Iterable[str]) -> None:
        """Samples that the reference run does not have come last, if all are to be shown."""
        if self.at_most is None or not self.places:
            for name in ids:
                self.places.setdefault(name, len(self.places))

    def _add_images(self, spec: TaskSpec) -> str:
        """Write the samples' images; returns why some are lacking, if they are."""
        wanted = {digest for sample in self.samples.values() for digest in sample.images}
        missing = {one for one in wanted if self.images.find(one) is None}
        lacking = {n: s for n, s in self.samples.items() if not missing.isdisjoint(s.images)}
        try:
            for _, found in journal_images(self.task.reference.directory, spec, lacking):
                for digest, image in found.items():
                    self.images.add(image)
                    missing.discard(digest)
        except VlmbenchError as error:
            return str(error)
        return f"{len(missing)} images are no longer in the data of the task" if missing else ""

    def _image(self, digest: str) -> SiteImage:
        found = self.images.find(digest) or NO_IMAGE
        self.result.images[digest] = found
        return found

    def _text(self, name: str) -> SampleText:
        sample = self.samples.get(name)
        if sample is None:
            return {"parts": [], "references": [], "choices": []}
        return {
            "parts": [
                (shortened(part, LONGEST) or "")
                if isinstance(part, str)
                else self._image(part.image)
                for part in sample.prompt
            ],
            "references": [shortened(one, LONGEST) or "" for one in sample.references],
            "choices": [shortened(one, LONGEST) or "" for one in sample.choices],
        }

    def _write_texts(self) -> list[int]:
        """Returns the places at which the files of the search begin."""
        ids = self.result.ids
        sought = []
        for number, start in enumerate(range(0, len(ids), CHUNK)):
            texts = [self._text(name) for name in ids[start : start + CHUNK]]
            self._put(f"text-{number}", texts)
            for name, text in zip(ids[start : start + CHUNK], texts, strict=True):
                asked = (part for part in text["parts"] if isinstance(part, str))
                sought.append(" ".join([name, *asked, *text["references"], *text["choices"]]))
        firsts, files = self._write_search("find", sought)
        self.result.files += files
        return firsts

    @staticmethod
    def _said(data: Mapping[int, AnswerData]) -> Iterator[str]:
        """The answers, one a place."""
        for place in range(max(data, default=-1) + 1):
            yield (data[place]["text"] or "") if place in data else ""

    def _write_search(self, name: str, texts: Iterable[str]) -> tuple[list[int], list[str]]:
        """The places at which the files begin, and the files."""
        firsts, files = [], []
        for number, (first, lines) in enumerate(search_files(texts)):
            firsts.append(first)
            files.append(self._put(f"{name}-{number}", lines, listed=False))
        return firsts, files

    def _write_answers(self, slug: str, data: Mapping[int, AnswerData]) -> Iterable[str]:
        for number in sorted({place // CHUNK for place in data}):
            first = number * CHUNK
            last = max(place for place in data if place // CHUNK == number)
            rows = [data.get(place) for place in range(first, last + 1)]
            yield self._put(f"{slug}.{number}", rows, listed=False)

    def _write_head(self, entry: Entry, facts: RunFacts, places: Sequence[int]) -> None:
        outcomes = [_NOT_RUN] * self.result.shown
        values: list[float | None] = [None] * self.result.shown
        for place, outcome, value in zip(places, facts.outcomes, facts.values, strict=True):
            if place >= 0:
                outcomes[place] = _OUTCOMES[outcome]
                values[place] = None if value is None else round(value, 4)
        head = {
            "outcomes": "".join(outcomes),
            "values": values,
            "find": self.firsts[entry.name],
        }
        self._put(f"{model_slug(entry.name)}.head", head)

    def _write_index(
        self, entries: Sequence[Entry], slices: Mapping[str, list[Scalar]], firsts: Sequence[int]
    ) -> None:
        result = self.result
        fields = {}
        for name, column in slices.items():
            texts = [None if value is None else str(value) for value in column]
            values = sorted({text for text in texts if text is not None})
            if len(values) > 1:
                number = {text: n for n, text in enumerate(values)}
                codes = [-1 if text is None else number[text] for text in texts]
                fields[name] = {"values": values, "codes": codes}
        index: dict[str, Any] = {
            "task": self.task.name,
            "language": self.language,
            "headlines": self.task.headlines,
            "total": result.total,
            "chunk": CHUNK,
            "find": firsts,
            "ids": result.ids,
            "fields": fields,
            "goodness": result.goodness,
            "spread": result.spread,
            "models": [
                {
                    "name": entry.name,
                    "slug": model_slug(entry.name),
                    "baseline": entry.baseline,
                    "parent": entry.facts.parent,
                }
                for entry in entries
            ],
        }
        self._put("index", index)

    def _put(self, name: str, value: Any, *, listed: bool = True) -> str:
        path = f"{self.folder}/{name}.js"
        key = safe_json(f"{self.folder}/{name}")
        self.site.write(path, f"vlmPut({key},{safe_json(value)});\n")
        if listed:
            self.result.files.append(path)
        return path
