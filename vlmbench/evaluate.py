"""The pipeline: load, prompt, generate, journal; then derive.py scores, aggregates and records."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from vlmbench import __version__
from vlmbench.derive import asked_count, derive, load_metrics, load_texts
from vlmbench.environment import versions
from vlmbench.errors import IncompleteError
from vlmbench.executors.base import Executor
from vlmbench.executors.progress import Progress, ProgressCounter
from vlmbench.models.resolve import ModelSpec
from vlmbench.records import Request, Response, RunRecord, Sample
from vlmbench.runners import baseline
from vlmbench.runs.directory import RunDir
from vlmbench.runs.journal import Header, Journal, Session
from vlmbench.runs.stored_lines import stored_texts
from vlmbench.scoring.aggregate import ScoredMetric
from vlmbench.tasks.sources import data_fingerprint
from vlmbench.tasks.spec import TaskSpec
from vlmbench.tasks.variants.variant import Variant, variant_requests


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
    meter = ProgressCounter(asked_count(samples, variant, limit), progress)
    with Journal(directory.journal, make_header(model, task, variant), fresh=fresh) as journal:
        requests = pending_requests(task, journal, meter, variant, limit=limit, seed=seed)
        generate(
            *(model, requests, executor, journal, meter),
            limit=limit,
            seed=seed,
            max_errors=max_errors,
        )
    return derive(directory, journal.content, task, samples, metrics)


def check_conditions(metrics: Sequence[ScoredMetric], samples: Iterable[Sample]) -> None:
    """Try every `where:` on every sample: better now than when the answers are there.

    Raises:
        DataError: A condition names a field that a sample lacks.
        DependencyError: A package is missing that a metric needs.
    """
    for metric in metrics:
        if metric.metric.definition.encoder is None:
            _ = metric.metric.signature  # names its packages' versions, so it asks for them
    conditional = [metric for metric in metrics if metric.where is not None]
    for sample in samples if conditional else ():
        for metric in conditional:
            metric.applies(sample.meta)


def with_answers(model: ModelSpec, samples: Iterable[Sample], seed: int) -> ModelSpec:
    """A baseline together with its answers; any other model as it is."""
    if model.runner != "baseline":
        return model
    answers: Mapping[str, str]
    if model.location == "scripted":
        answers = stored_texts(Path(model.options["file"]))
    else:
        answers = baseline.baseline_answers(model.location, samples, seed)
    return dataclasses.replace(model, answers=answers)


def make_header(model: ModelSpec, task: TaskSpec, variant: Variant | None = None) -> Header:
    """What the journal of this model on this task is about."""
    return Header(
        model=model.as_dict(),
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
    meter: ProgressCounter,
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
    meter: ProgressCounter,
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


def _note_settings(journal: Journal, session: Session) -> None:
    """Let the journal know that the same answers are now looked at with other settings."""
    last = journal.content.sessions[-1] if journal.content.sessions else None
    if last is None or (last.limit, last.seed) != (session.limit, session.seed):
        environment = last.environment if last else session.environment
        journal.begin(dataclasses.replace(session, environment=environment))


def _too_many_errors(model: ModelSpec, meter: ProgressCounter, last: Response) -> IncompleteError:
    reason = last.error.message.rstrip(".") if last.error else ""
    return IncompleteError(
        f"{model.name} failed on {meter.errors} samples, more than --max-errors allows (the last "
        f"reason: {reason}); correct that and run the same command: answers that are there stay."
    )
