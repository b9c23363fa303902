"""The samples of one task with every model's answer: the data that a task page embeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypedDict

import numpy as np

from vlmbench.errors import VlmbenchError
from vlmbench.judges.scores import judged_key
from vlmbench.metrics.base import Metric, load_metric
from vlmbench.records import JournalSample, MetricScore, Response, SampleScores, Scalar
from vlmbench.report.images import NO_IMAGE, ImageStore, SiteImage
from vlmbench.report.tables import Entry, TaskRuns
from vlmbench.runs.directory import RunDir
from vlmbench.runs.journal import JournalContent, read_journal
from vlmbench.scoring.aggregate import DIAGNOSTICS
from vlmbench.tasks.journal_images import journal_images
from vlmbench.tasks.registry import journal_task
from vlmbench.tasks.spec import TaskSpec
from vlmbench.tasks.variants.options import original_position
from vlmbench.tasks.variants.variant import IMAGE_MODES, Variant, split_label
from vlmbench.text.option_mentions import LETTERS

LONGEST = 240
"""Characters shown of a variant's answer; a page holds every variant of every sample."""

_ROUNDING = 1e-9
"""A best value that was computed, such as a CIDEr-D of 10, may fall short of it by so much."""

_Outcome: TypeAlias = Literal["right", "partial", "wrong", "unscored", "error"]
"""The metric's best value, something between, its worst value, no value; no answer."""


class VariantAnswer(TypedDict):
    """One model's answer to one sample with another prompt, image or order of options."""

    kind: str
    """image, prompt or options."""
    name: str
    """blind, shuffled or noise; the paraphrase; how many places the options were moved."""
    text: str | None
    """At most LONGEST characters; None if there is none."""
    error: str | None
    """Its kind."""
    outcome: _Outcome
    value: float | None
    option: str | None
    """The text of the option that was read, where options were moved."""


class AnswerData(TypedDict):
    """One model's answer to one sample."""

    text: str | None
    """None if there is none, or if the journal is not there."""
    error: dict[str, str] | None
    truncated: bool
    """Whether the answer was cut at the token limit."""
    outcome: _Outcome
    metric: str | None
    """Which metric `outcome` and `value` are of."""
    value: float | None
    unscored: str | None
    extracted: str | None
    other_metrics: dict[str, float]
    """Values of the further metrics, without those that say what an answer is like."""
    other_prompt: bool
    """Whether it answers another prompt than the one that is shown."""
    variants: list[VariantAnswer]


class SampleData(TypedDict):
    """One sample with the answers of all models, in their order; None where one did not run."""

    id: str
    parts: list[str | int]
    """The prompt: text, or the number of an image."""
    references: list[str]
    choices: list[str]
    slices: dict[str, Scalar]
    answers: list[AnswerData | None]


class TaskData(TypedDict):
    """What a task page embeds."""

    metric: str
    language: str
    models: list[dict[str, Any]]
    fields: dict[str, list[str]]
    """Values of each slice field, as text."""
    images: list[SiteImage]
    samples: list[SampleData]
    problem: str | None
    """Why prompts or images cannot be shown."""


@dataclass(frozen=True, slots=True)
class _Answers:
    """One model's answers to a task."""

    scores: Mapping[str, SampleScores]
    responses: Mapping[str, Response]
    variants: Mapping[str, _Answers]
    """Its answers to variants of the same samples, by the variant's label."""


def task_data(
    task: TaskRuns,
    entries: Sequence[Entry],
    images: ImageStore,
    *,
    at_most: int | None,
    variants: Mapping[RunDir, Mapping[str, RunDir]],
) -> TaskData:
    """Collect the samples of a task.

    Prompts come from the reference run's journal, images from where a run kept them or from the
    data set. If these cannot be read here, `problem` says why, and the rest is shown.

    Args:
        task: The runs; those that answered another version of the prompt are marked.
        entries: The rows whose answers are shown.
        at_most: Show so many samples, spread evenly over the data; None: all.
        variants: The variants' runs, by plain run and label.

    Raises:
        JournalError: The scores of a run cannot be read.
    """
    plain = [entry.runs[task.name].directory for entry in entries]
    answers = [_answers(run, variants.get(run, {})) for run in plain]
    collector = _Collector(task, answers, images)
    problem = collector.collect(_journal(task.reference.directory), at_most)
    samples = collector.samples
    fields: dict[str, set[str]] = {}
    for sample in samples:
        for name, value in sample["slices"].items():
            fields.setdefault(name, set()).add(str(value))
    return {
        "metric": " / ".join(task.headlines),
        "language": collector.language,
        "models": [{"name": entry.name, "baseline": entry.baseline} for entry in entries],
        "fields": {name: sorted(values) for name, values in fields.items() if len(values) > 1},
        "images": collector.listed,
        "samples": samples,
        "problem": problem,
    }


class _Collector:
    """Builds the list of samples and the list of images to which they refer by number."""

    def __init__(self, task: TaskRuns, answers: Sequence[_Answers], images: ImageStore) -> None:
        self.reference = task.reference.directory
        self.metric_order = task.metrics
        self.answers = answers
        self.images = images
        self.samples: list[SampleData] = []
        self.listed: list[SiteImage] = []
        self.language = "ja"
        self._numbers: dict[str, int] = {}
        self._sources: dict[str, SiteImage] = {}
        self._metrics: dict[str, Metric] = {}

    def collect(self, journal: JournalContent | None, at_most: int | None) -> str | None:
        """Fill `samples`; returns why prompts or images are lacking, if they are."""
        samples = journal.samples if journal else {}
        keys = {name: one.key for name, one in journal.responses.items()} if journal else {}
        names = {name: None for one in self.answers for name in one.scores}
        position = {name: one.index for name, one in samples.items()}
        ordered = sorted(names, key=lambda name: position.get(name, len(names)))
        chosen = _spread(ordered, at_most)
        problem = "the run's journal is missing, so there are no prompts to show"
        if journal is not None:
            task = journal_task(journal.header)
            self.language = task.display.language
            self._metrics = {use.key: load_metric(use.use, use.options) for use in task.metrics}
            shown = {name: samples[name] for name in chosen if name in samples}
            problem = self._add_images(task, shown)
        self.samples = [self._sample(name, samples.get(name), keys.get(name)) for name in chosen]
        return problem or None

    def _add_images(self, task: TaskSpec, samples: Mapping[str, JournalSample]) -> str:
        """Write the samples' images; returns why some are lacking, if they are."""
        missing = {digest for sample in samples.values() for digest in sample.images}
        try:
            for _, images in journal_images(self.reference, task, samples):
                self._sources.update({one: self.images.add(image) for one, image in images.items()})
                missing -= images.keys()
        except VlmbenchError as error:
            return str(error)
        return f"{len(missing)} images are no longer in the data of the task" if missing else ""

    def _sample(self, name: str, sample: JournalSample | None, key: str | None) -> SampleData:
        rows = [one.scores.get(name) for one in self.answers]
        slices = next((row.slices for row in rows if row is not None), {})
        return {
            "id": name,
            "parts": [
                part if isinstance(part, str) else self._number(part.image)
                for part in (sample.prompt if sample else ())
            ],
            "references": list(sample.references) if sample else [],
            "choices": list(sample.choices) if sample else [],
            "slices": {field: value for field, value in slices.items() if value is not None},
            "answers": [
                None if row is None else self._answer(row, answers, sample, key)
                for row, answers in zip(rows, self.answers, strict=True)
            ],
        }

    def _number(self, digest: str) -> int:
        if digest not in self._numbers:
            self._numbers[digest] = len(self.listed)
            self.listed.append(self._sources.get(digest, NO_IMAGE))
        return self._numbers[digest]

    def _answer(
        self, row: SampleScores, answers: _Answers, sample: JournalSample | None, key: str | None
    ) -> AnswerData:
        response = answers.responses.get(row.id)
        metric, score = self._leading(row)
        value = self._value(metric, score)
        others = {name: self._value(name, other) for name, other in row.scores.items()}
        message = response.error.message if response and response.error else ""
        return {
            "text": response.text if response else None,
            "error": {"kind": row.error, "message": message} if row.error else None,
            "truncated": response is not None and response.finish == "length",
            "outcome": "error" if row.error else self._outcome(metric, value),
            "metric": metric,
            "value": value,
            "unscored": score.unscored,
            "extracted": score.extracted,
            "other_metrics": {
                name: value
                for name, value in others.items()
                if value is not None and name != metric and name not in DIAGNOSTICS
            },
            "other_prompt": key is not None and key != row.key,
            "variants": [
                self._variant(label, variant, variant.scores[row.id], sample)
                for label, variant in answers.variants.items()
                if row.id in variant.scores
            ],
        }

    def _variant(
        self, label: str, one: _Answers, row: SampleScores, sample: JournalSample | None
    ) -> VariantAnswer:
        metric, score = self._leading(row)
        value = self._value(metric, score)
        response = one.responses.get(row.id)
        kind, name = split_label(label)
        return {
            "kind": kind,
            "name": str(Variant(kind, name).places) if kind == "options" else name,
            "text": shortened(response.text) if response else None,
            "error": row.error,
            "outcome": "error" if row.error else self._outcome(metric, value),
            "value": value,
            "option": option_read(score.extracted, label, sample.choices if sample else ()),
        }

    def _leading(self, row: SampleScores) -> tuple[str | None, MetricScore]:
        """The first headline metric; where none is for this sample, the first one that is."""
        metric = next((name for name in self.metric_order if name in row.scores), None)
        return metric, row.scores[metric] if metric else MetricScore()

    def _value(self, name: str | None, score: MetricScore) -> float | None:
        metric = self._metric(name or "")
        if metric is None or score.vector is None:
            return None
        return float(metric.combine(np.array(score.vector, dtype=np.float64), 1))

    def _metric(self, name: str) -> Metric | None:
        """The metric of that id, also where the id names a judge."""
        return self._metrics.get(name) or self._metrics.get(judged_key(name))

    def _outcome(self, name: str | None, value: float | None) -> _Outcome:
        if name is None or value is None:
            return "unscored"
        metric = self._metric(name)
        bounds = metric.bounds if metric else None
        if bounds is None:
            return "partial"
        if value <= bounds[0] + _ROUNDING:
            return "wrong"
        return "right" if value >= bounds[1] - _ROUNDING else "partial"


def in_order(labels: Iterable[str]) -> list[str]:
    """Labels of variants: images, then prompts by name, then options by how far they moved."""

    def key(label: str) -> tuple[int, int, str]:
        kind, name = split_label(label)
        if kind == "options":
            return 2, Variant(kind, name).places, ""
        return (1, 0, name) if kind == "prompt" else (0, IMAGE_MODES.index(name), "")

    return sorted(labels, key=key)


def shortened(text: str | None) -> str | None:
    """The text, or its beginning."""
    return text if text is None or len(text) <= LONGEST else f"{text[:LONGEST]}…"


def option_read(letter: str | None, label: str, choices: Sequence[str]) -> str | None:
    """The text of the option that stood behind a letter when the options were moved."""
    kind, name = split_label(label)
    if kind != "options" or letter is None or letter not in LETTERS[: len(choices)]:
        return None
    by, count = Variant(kind, name).places, len(choices)
    return shortened(choices[original_position(LETTERS.index(letter), by=by, count=count)])


def _answers(directory: RunDir, variants: Mapping[str, RunDir]) -> _Answers:
    journal = _journal(directory)
    return _Answers(
        scores={row.id: row for row in directory.read_scores()},
        responses=journal.responses if journal else {},
        variants={label: _answers(variants[label], {}) for label in in_order(variants)},
    )


def _journal(directory: RunDir) -> JournalContent | None:
    """The journal; None where only the derived files were handed on."""
    return read_journal(directory.journal) if directory.journal.is_file() else None


def _spread(names: Sequence[str], at_most: int | None) -> Sequence[str]:
    """At most so many of the names, spread evenly over them."""
    if at_most is None or len(names) <= at_most:
        return names
    share = at_most / len(names)
    return [name for n, name in enumerate(names) if int((n + 1) * share) > int(n * share)]
