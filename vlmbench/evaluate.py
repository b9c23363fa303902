"""The pipeline: load, prompt, generate, journal, score, aggregate, record."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any

from vlmbench import __version__
from vlmbench.aggregate import ScoredMetric, sizes_of, table_estimates, with_diagnostics
from vlmbench.data import load_samples
from vlmbench.encoder_scores import add_encoder_scores
from vlmbench.environment import versions
from vlmbench.errors import DataError, IncompleteError
from vlmbench.executors.base import Executor
from vlmbench.extra_metrics import with_extra
from vlmbench.journal import Header, Journal, JournalContent, Session, read_journal
from vlmbench.judge_bounds import with_judged_bounds
from vlmbench.judge_scores import add_judge_scores, judge_usage, read_judges
from vlmbench.metrics.base import load_metric
from vlmbench.models import ModelSpec
from vlmbench.performance import Effort
from vlmbench.records import (
    Coverage,
    MetricScore,
    Request,
    Response,
    RunRecord,
    Sample,
    SampleScores,
)
from vlmbench.runners import baseline
from vlmbench.runs import RunDir
from vlmbench.score_table import ScoreTable
from vlmbench.scoring import stream_scores
from vlmbench.sources import data_fingerprint
from vlmbench.spool import Spool
from vlmbench.stored import stored_texts
from vlmbench.task import TaskSpec, restore_task
from vlmbench.variants.base import Variant, restore_variant, variant_requests
from vlmbench.where import parse_where

Progress = Callable[[int, int, int], None]
"""Called with the number of samples done, in all, and of errors in this call: first when the model
is loaded, then after each response."""


class Meter:
    """Counts for a progress bar. Skipped samples are counted in another thread than answers."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._total, self._progress = total, progress
        self._skipped = self._answered = self.errors = 0

    def begin(self) -> None:
        """The model is loaded."""
        self._progress(self._skipped, self._total, 0)

    def skip(self) -> None:
        """A sample was answered before."""
        self._skipped += 1

    def add(self, response: Response) -> None:
        """A sample was answered now."""
        self._answered += 1
        self.errors += response.error is not None
        self._progress(self._skipped + self._answered, self._total, self.errors)


def run(
    model: ModelSpec,
    task: TaskSpec,
    *,
    executor: Executor,
    out: Path,
    limit: int | None = None,
    seed: int = 0,
    fresh: bool = False,
    max_errors: int | None = None,
    variant: Variant | None = None,
    progress: Progress = lambda done, total, errors: None,
) -> RunRecord:
    """Evaluate a model on a task, or go on where an earlier call stopped.

    Args:
        model: Who answers.
        task: What is asked.
        executor: How requests get to the model.
        out: Output directory; the run's own is `<out>/<model>/<task>`, or `<task>@<variant>`.
        limit: Ask only so many samples from the start.
        seed: Of the bootstrap and of sampled generation.
        fresh: Drop the answers of earlier calls.
        max_errors: Stop when more samples than this have failed in this call; None to go on.
        variant: Ask otherwise than the task does, in a directory of its own.
        progress: Told how far it is.

    Returns:
        The record, which also lies in the run's directory.

    Raises:
        VlmbenchError: See `load_samples`, `Journal` and `Executor.map`. Answers that were given
            before stay in the journal.
    """
    task = variant.of_task(task) if variant else task
    metrics = load_metrics(task)
    samples = load_texts(task, variant)
    check_conditions(metrics, samples)
    model = with_answers(model, samples, seed)
    directory = RunDir.of(out, model.name, task.name, variant.label if variant else None)
    meter = Meter(asked_count(samples, variant, limit), progress)
    with Journal(directory.journal, make_header(model, task, variant), fresh=fresh) as journal:
        requests = pending_requests(task, journal, meter, variant, limit=limit, seed=seed)
        generate(
            *(model, requests, executor, journal, meter),
            limit=limit,
            seed=seed,
            max_errors=max_errors,
        )
    return derive(directory, journal.content, task, samples, metrics)


def score(directory: RunDir, *, extra: Sequence[ScoredMetric] = ()) -> RunRecord:
    """Derive scores.jsonl and run.json again from the journal; needs the data, but no model.

    Args:
        directory: The run's.
        extra: Metrics beside the task's own. They are no headline metrics, and the next call
            without them leaves them out again.

    Raises:
        JournalError: The journal cannot be read.
        DataError: The data is no longer what the model was asked about.
    """
    content, task = restored(directory)
    metrics = with_extra(load_metrics(task), extra)
    samples = load_texts(task, restore_variant(content.header.variant))
    return derive(directory, content, task, samples, metrics)


def restored(directory: RunDir) -> tuple[JournalContent, TaskSpec]:
    """A run's journal, and its task as it was.

    Raises:
        JournalError, DataError: See `score`.
    """
    content = read_journal(directory.journal)
    task = restore_task(dict(content.header.task), content.header.origin)
    if data_fingerprint(task) != content.header.fingerprints["data"]:
        raise DataError(
            f"The data of task '{task.name}' has changed since {directory.journal} was written; "
            "restore it, or run the model again with --fresh."
        )
    return content, task


def load_metrics(task: TaskSpec) -> list[ScoredMetric]:
    """The task's metrics with their options, those left out that a judge is asked for.

    Raises:
        UsageError: A metric or option is unknown.
    """
    return [
        ScoredMetric(
            id=use.key,
            metric=metric,
            headline=use.key in task.headlines,
            where=parse_where(use.where) if use.where else None,
        )
        for use in task.metrics
        if (metric := load_metric(use.use, use.options)).kind.asks is None
    ]


def check_conditions(metrics: Sequence[ScoredMetric], samples: Iterable[Sample]) -> None:
    """Try every `where:` on every sample: better now than when the answers are there.

    Raises:
        DataError: A condition names a field that a sample lacks.
        DependencyError: A package is missing that a metric needs.
    """
    for metric in metrics:
        if metric.metric.kind.encoder is None:
            _ = metric.metric.signature  # names its packages' versions, so it asks for them
    conditional = [metric for metric in metrics if metric.where is not None]
    for sample in samples if conditional else ():
        for metric in conditional:
            metric.applies(sample.meta)


def load_texts(task: TaskSpec, variant: Variant | None = None) -> Spool[Sample]:
    """All samples of the task without images and rows: what scoring and baselines look at."""
    samples = load_samples(task, images=False)
    return Spool(
        map(variant.of_sample, samples) if variant else samples,
        pack=lambda sample: (sample.id, sample.references, sample.choices, sample.meta),
        unpack=lambda texts: Sample(texts[0], (), texts[1], {}, texts[2], texts[3]),
    )


def _with_rows(task: TaskSpec, variant: Variant | None) -> Iterator[Sample]:
    """All samples with their rows, as they are asked about."""
    samples = load_samples(task, images=False)
    return map(variant.of_sample, samples) if variant else samples


def asked_count(samples: Collection[Sample], variant: Variant | None, limit: int | None) -> int:
    """How many samples a run is to answer."""
    if variant is None:
        return len(samples) if limit is None else min(limit, len(samples))
    return sum(map(variant.concerns, islice(samples, limit)))


def with_answers(model: ModelSpec, samples: Iterable[Sample], seed: int) -> ModelSpec:
    """A baseline together with its answers; any other model as it is."""
    if model.runner != "baseline":
        return model
    answers: Mapping[str, str]
    if model.location == "scripted":
        answers = stored_texts(Path(model.options["file"]))
    else:
        answers = baseline.plan(model.location, samples, seed)
    return dataclasses.replace(model, options={**model.options, "answers": answers})


def make_header(model: ModelSpec, task: TaskSpec, variant: Variant | None = None) -> Header:
    """What the journal of this model on this task is about."""
    return Header(
        model=_described(model),
        task=task.as_dict(),
        origin=str(task.origin) if task.origin else None,
        fingerprints={
            "model": model.fingerprint,
            "task": task.fingerprint,
            "data": data_fingerprint(task),
            "prompt": task.prompt_fingerprint,
            "code": __version__,
            **({"variant": variant.fingerprint} if variant else {}),
        },
        variant=variant.as_dict() if variant else None,
    )


def pending_requests(
    task: TaskSpec,
    journal: Journal,
    meter: Meter,
    variant: Variant | None = None,
    *,
    limit: int | None,
    seed: int,
) -> Iterator[Request]:
    """The requests that the journal has no answer to, one at a time."""
    for request in variant_requests(task, variant, limit=limit, seed=seed):
        if journal.answered(request.key, request.sample_id):
            meter.skip()
        else:
            yield request


def generate(
    model: ModelSpec,
    requests: Iterator[Request],
    executor: Executor,
    journal: Journal,
    meter: Meter,
    *,
    limit: int | None,
    seed: int,
    max_errors: int | None = None,
) -> None:
    """Ask the model and write down what it says; loads it only if something is left to ask."""
    session = Session(datetime.now(UTC).isoformat(timespec="seconds"), limit, seed, versions())
    first = next(requests, None)
    if first is None:
        _note_settings(journal, session)
        return
    responses = executor.map(model, chain([first], requests))
    session.environment = {**session.environment, **executor.describe()}
    journal.begin(session)
    meter.begin()
    with closing(responses):
        for response in responses:
            journal.add(response)
            meter.add(response)
            if max_errors is not None and meter.errors > max_errors:
                raise _too_many_errors(model, meter, response)
    journal.end(executor.memory())


def derive(
    directory: RunDir,
    content: JournalContent,
    task: TaskSpec,
    samples: Collection[Sample],
    metrics: Sequence[ScoredMetric],
) -> RunRecord:
    """Score, aggregate and record what a journal holds, one sample after the other."""
    metrics = with_diagnostics(metrics)
    session = content.sessions[-1] if content.sessions else Session("", None, 0, {})
    variant = restore_variant(content.header.variant)
    judges = read_judges(directory.path, task)
    judged = [metric for judge in judges for metric in judge.metrics]
    everything = [*metrics, *(one.scored for one in judged)]
    table = ScoreTable(sizes_of(everything), task.slices)
    effort, errors = Effort(), Counter[str]()
    verdicts: dict[str, Mapping[str, MetricScore]] = {}

    def rows() -> Iterator[SampleScores]:
        scored = score_all(content, task, samples, metrics, limit=session.limit)
        if judged:
            scored = add_judge_scores(scored, task, _with_rows(task, variant), judged)
        for row, response in scored:
            table.add(row)
            effort.add(response)
            if row.error is not None:
                errors[row.error] += 1
            if judged:
                verdicts[row.id] = row.scores
            yield row

    table.put_in_order(directory.write_scores(rows()))
    total = asked_count(samples, variant, session.limit)
    found = table_estimates(table, everything, total=total, seed=session.seed)
    wanted = islice(samples, session.limit)
    asked = [one for one in wanted if variant is None or variant.concerns(one)] if judged else ()
    record = RunRecord(
        model=content.header.model["name"],
        task=task.name,
        model_spec=content.header.model,
        task_spec=_task_card(task),
        fingerprints=content.header.fingerprints,
        estimates=with_judged_bounds(found, verdicts, asked, judged),
        coverage=Coverage(total, len(table) - errors.total(), dict(sorted(errors.items()))),
        performance={**effort.performance(content), **dict(judge_usage(judges))},
        environment=session.environment,
        seed=session.seed,
        created=session.created,
        limit=session.limit,
        variant=variant.label if variant else None,
    )
    directory.write_record(record)
    return record


def score_all(
    content: JournalContent,
    task: TaskSpec,
    samples: Collection[Sample],
    metrics: Sequence[ScoredMetric],
    *,
    limit: int | None,
) -> Iterator[tuple[SampleScores, Response]]:
    """The scores of what a journal holds, in the order of the samples."""
    # The metrics see all samples, so that a limited run is scored by the same yardstick.
    encoded = [metric for metric in metrics if metric.metric.kind.encoder]
    others = [metric for metric in metrics if not metric.metric.kind.encoder]
    rows = stream_scores(samples, content.responses, others, slices=task.slices, limit=limit)
    if not encoded:
        return rows
    looks = any(metric.metric.kind.encoder == "images" for metric in encoded)
    return add_encoder_scores(rows, samples, load_samples(task) if looks else samples, encoded)


def _note_settings(journal: Journal, session: Session) -> None:
    """Let the journal know that the same answers are now looked at with other settings."""
    last = journal.content.sessions[-1] if journal.content.sessions else None
    if last is None or (last.limit, last.seed) != (session.limit, session.seed):
        environment = last.environment if last else session.environment
        journal.begin(dataclasses.replace(session, environment=environment))


def _too_many_errors(model: ModelSpec, meter: Meter, last: Response) -> IncompleteError:
    reason = last.error.message.rstrip(".") if last.error else ""
    return IncompleteError(
        f"{model.name} failed on {meter.errors} samples, more than --max-errors allows (the last "
        f"reason: {reason}); correct that and run the same command: answers that are there stay."
    )


def _described(model: ModelSpec) -> dict[str, Any]:
    """The model without a baseline's answers, which follow from the rest."""
    values = model.as_dict()
    values["options"] = {key: one for key, one in model.options.items() if key != "answers"}
    return values


def _task_card(task: TaskSpec) -> dict[str, Any]:
    values = task.as_dict()
    values["data"].pop("local")  # a directory of this machine, which concerns no reader
    kept = ("data", "prompt", "system", "generation", "metrics", "slices", "image_order")
    return {**values["display"], **{name: values[name] for name in kept}}
