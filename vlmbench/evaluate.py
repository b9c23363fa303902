"""The pipeline: load, prompt, generate, journal; then derive.py scores, aggregates and records."""

from __future__ import annotations

import dataclasses
import itertools
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, overload

from vlmbench import __version__
from vlmbench.derive import asked_count, derive, installed_metrics, load_metrics, load_texts
from vlmbench.environment import versions
from vlmbench.errors import DataError, IncompleteError
from vlmbench.executors.base import Executor, Responses, peeked
from vlmbench.executors.choose import open_executor
from vlmbench.executors.progress import Progress, ProgressCounter, progress_bar
from vlmbench.hub import dataset_commit
from vlmbench.models.completion import BASE_MODEL
from vlmbench.models.resolve import ModelSpec, named_models, resolve_model
from vlmbench.models.training_data import GuardResult, guard_results, training_overlap
from vlmbench.records import (
    JournalSample,
    Request,
    Response,
    ResponseError,
    RunRecord,
    Sample,
    TrainingOverlap,
    stable_hash,
)
from vlmbench.runners import baseline
from vlmbench.runs.directory import RunDir
from vlmbench.runs.images import ImageFolder
from vlmbench.runs.journal import Journal, Session
from vlmbench.runs.journal_header import Header
from vlmbench.scoring.aggregate import ScoredMetric
from vlmbench.tasks.draw import drawn_positions
from vlmbench.tasks.groups import expand_names
from vlmbench.tasks.prompt import MisplacedImage
from vlmbench.tasks.registry import load_task
from vlmbench.tasks.row_problems import Problems
from vlmbench.tasks.sources import RowsHash, reads_hub, rows_fingerprint
from vlmbench.tasks.spec import TaskSpec
from vlmbench.tasks.variants.variant import Variant, variant_requests
from vlmbench.text.visible import visible

if TYPE_CHECKING:
    import pandas as pd


WATCHED_ROUND = 64
"""Samples that are asked before what looks on may stop a run."""


class Watch(Protocol):
    """Looks on while answers come in, and may end a run early."""

    def arrange(
        self, questions: Iterator[tuple[Request, JournalSample]]
    ) -> Iterator[tuple[Request, JournalSample]]:
        """The questions in the order in which they shall be asked."""

    def see(self, response: Response, sample: JournalSample) -> bool:
        """Take an answer into account, also one of an earlier call; whether enough is known."""


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
    keep_images: bool = False,
    guards: Sequence[GuardResult] | None = None,
    watch: Watch | None = None,
    progress: Progress = lambda done, total, errors: None,
    notify: Callable[[str], None] = lambda sentence: None,
) -> RunRecord:
    """Evaluate a model on a task, or go on where an earlier call stopped.

    Args:
        executor: How requests get to the model.
        out: Output directory; the run's own is `<out>/<model>/<task>`, or `<task>@<variant>`.
        limit: Ask only so many samples, drawn evenly over subsets and slices.
        seed: Of sampled generation, of what a limit draws and of what is drawn for a diagnosis.
        fresh: Drop the answers of earlier calls.
        max_errors: Stop when more samples than this have failed in this call; None to go on.
        variant: A perturbed form of the questions; its run has a directory of its own.
        keep_images: Store each image once below `<out>/images`, so that pages show it where the
            data is not.
        guards: What the guards of the model's trainings found; its checkpoint says so if None.
        watch: Says in which order to ask, and when to stop before the end.
        progress: Called with the numbers of samples that are done, in all, and of errors.
        notify: Called with what a person should know, a sentence each.

    Returns:
        The record, which also lies in the run's directory.

    Raises:
        VlmbenchError: See `load_samples`, `Journal` and `Executor.map`. Answers that were given
            before stay in the journal.
    """
    task = variant.of_task(task) if variant else task
    metrics = installed_metrics(task, load_metrics(task), notify)
    problems = None if variant else Problems()
    rows = RowsHash()
    samples = load_texts(task, variant, problems=problems, rows=rows)
    for sentence in problems.sentences() if problems else ():
        notify(sentence)
    check_conditions(metrics, samples)
    model = with_answers(model, samples, seed)
    drawn = drawn_positions(task, samples, limit=limit, seed=seed)
    total, available = (asked_count(samples, variant, one) for one in (drawn, None))
    looks = any(metric.metric.definition.prepare is not None for metric in metrics)
    corpus = [(one.references, one.meta) for one in samples] if looks else None
    del samples  # what is asked is kept by the journal
    directory = RunDir.of(out, model.name, task.name, variant.label if variant else None)
    images = ImageFolder.below(out) if keep_images else None
    limit = None if drawn is None else limit
    session = Session(_now(), limit, seed, versions(), total, available, drawn)
    overlap = training_overlap(guard_results(model) if guards is None else guards, task.name)
    header = make_header(model, task, rows.value(), variant, overlap)
    with Journal(directory.journal, header, fresh=fresh) as journal:
        if damage := journal.content.damage(directory.journal):
            notify(damage)
        if journal.task_changes and journal.content.responses:
            notify(_kept_answers(directory, journal))
        if corpus is not None:
            journal.keep_corpus(corpus)
        counter = ProgressCounter(total, progress)
        asked: dict[str, JournalSample] = {}
        refused: list[tuple[Response, JournalSample]] = []
        requests = pending_requests(
            task,
            journal,
            asked,
            counter,
            variant,
            only=drawn,
            seed=seed,
            images=images,
            refused=refused,
            watch=watch,
        )
        generate(
            model,
            requests,
            asked,
            executor,
            journal,
            session,
            counter,
            refused,
            max_errors=max_errors,
            notify=notify,
            watch=watch,
        )
        if session.environment.get("prompt_form") == "completion":
            notify(BASE_MODEL.format(model.location))
    return derive(directory, journal.content, task, metrics)


def run_all(
    models: Sequence[ModelSpec],
    questions: Sequence[tuple[TaskSpec, Variant | None]],
    executor_for: Callable[[ModelSpec], AbstractContextManager[Executor]],
    *,
    quiet: bool = False,
    watch_for: Callable[[TaskSpec], Watch | None] = lambda task: None,
    **settings: Any,
) -> list[RunRecord]:
    """Run every model on every task, with a progress bar for each.

    Args:
        questions: Tasks as they are, and with a variant.
        executor_for: Opens what runs a model.
        quiet: Show no progress bar.
        watch_for: Gives what looks on at a task's answers.
        **settings: Of each `run`.
    """
    records = []
    for model in models:
        with executor_for(model) as executor:
            for task, variant in questions:
                label = f"{model.name} · {task.name}" + (f"@{variant.label}" if variant else "")
                with progress_bar(label, quiet=quiet) as progress:
                    record = run(
                        model,
                        task,
                        executor=executor,
                        variant=variant,
                        watch=watch_for(task),
                        progress=progress,
                        notify=_notify,
                        **settings,
                    )
                records.append(record)
    return records


def evaluate_models(
    models: Sequence[str],
    tasks: Sequence[str],
    *,
    names: Sequence[str],
    batch_size: int | None,
    replicas: int | None,
    data_dir: Path | None,
    cache: bool,
    quiet: bool,
    options: Mapping[str, Any],
    **settings: Any,
) -> Evaluation:
    """`vlmbench.evaluate`, which says what the arguments are; `settings` are those of `run`."""
    of_spec = {name: options[name] for name in ("dtype", "device") if name in options}
    others = {name: value for name, value in options.items() if name not in of_spec}
    specs = [
        resolve_model(name, seed=settings["seed"], options=others, **of_spec) for name in models
    ]
    specs = named_models(specs, names)
    loaded = [load_task(name, data_dir=data_dir) for name in expand_names(tasks)]
    executor_for = partial(open_executor, replicas=replicas, batch_size=batch_size, cache=cache)
    records = run_all(
        specs, [(task, None) for task in loaded], executor_for, quiet=quiet, **settings
    )
    for sentence in filter(None, map(nothing_said, records)):
        _notify(sentence)
    return Evaluation(tuple(records))


def _notify(sentence: str) -> None:
    print(f"vlmbench: {visible(sentence)}", file=sys.stderr)


@dataclass(frozen=True)
class Evaluation(Sequence[RunRecord]):
    """The records of one call of `vlmbench.evaluate`, a run each.

    Of a single run it has the record's own attributes too, such as `estimates` and `coverage`.
    """

    records: tuple[RunRecord, ...]

    def frame(self) -> pd.DataFrame:
        """The estimates, a row each, as `vlmbench.load_runs` gives them."""
        from vlmbench.scoring.frames import runs_frame

        return runs_frame(self.records)

    @overload
    def __getitem__(self, index: int) -> RunRecord: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[RunRecord]: ...
    def __getitem__(self, index: int | slice) -> RunRecord | Sequence[RunRecord]:
        return self.records[index]

    def __len__(self) -> int:
        return len(self.records)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or len(self.records) != 1:
            raise AttributeError(
                f"An evaluation of {len(self.records)} runs has no '{name}'; take one run's record "
                "by its number, or the table of all by .frame()."
            )
        return getattr(self.records[0], name)

    def __repr__(self) -> str:
        columns = ["model", "task", "metric", "value", "low", "high", "n"]
        frame = self.frame()
        shown = frame.loc[frame["slice"].isna() & frame["headline"], columns]
        return str(shown.to_string(index=False))

    def _repr_html_(self) -> str:
        return str(self.frame().to_html(index=False))


def check_conditions(metrics: Sequence[ScoredMetric], samples: Iterable[Sample]) -> None:
    """Try every `where:` on every sample: better now than when the answers are there.

    Raises:
        DataError: A condition names a field that a sample lacks.
    """
    conditional = [metric for metric in metrics if metric.where is not None]
    for sample in samples if conditional else ():
        for metric in conditional:
            metric.applies(sample.meta)


def with_answers(model: ModelSpec, samples: Sequence[Sample], seed: int) -> ModelSpec:
    """A baseline together with its answers; any other model as it is."""
    if model.runner != "baseline":
        return model
    answers: Mapping[str, str]
    if model.location == "scripted":
        answers = baseline.scripted(Path(model.options["file"]))
    else:
        fields = model.options.get("fields", ())
        answers = baseline.baseline_answers(model.location, samples, seed, fields)
    return dataclasses.replace(model, answers=answers)


def make_header(
    model: ModelSpec,
    task: TaskSpec,
    rows: str,
    variant: Variant | None = None,
    overlap: TrainingOverlap | None = None,
) -> Header:
    """What the journal of this model on this task is about.

    Args:
        rows: Hash of the rows that were read.
    """
    name = task.data.hub if reads_hub(task) else None
    commit = dataset_commit(name, task.data.revision) if name is not None else None
    return Header(
        model=model.as_dict(),
        task=task.as_dict(),
        origin=str(task.origin) if task.origin else None,
        fingerprints={
            "model": model.fingerprint,
            "task": task.fingerprint,
            "data": rows_fingerprint(task, rows),
            "rows": rows,
            **({"commit": commit} if commit else {}),
            "fields": task.fields_fingerprint,
            "prompt": task.prompt_fingerprint,
            "code": __version__,
            **({"variant": variant.fingerprint} if variant else {}),
        },
        variant=variant.as_dict() if variant else None,
        overlap=overlap,
    )


def pending_requests(
    task: TaskSpec,
    journal: Journal,
    asked: dict[str, JournalSample],
    counter: ProgressCounter,
    variant: Variant | None = None,
    *,
    only: Collection[int] | None,
    seed: int,
    refused: list[tuple[Response, JournalSample]],
    images: ImageFolder | None = None,
    watch: Watch | None = None,
) -> Iterator[Request]:
    """The requests that the journal has no answer to, one at a time.

    Args:
        task: As `Variant.of_task` gives it.
        asked: Takes what the journal will keep of each sample, by id.
        counter: Told of the samples that are answered.
        only: Positions of the samples that are asked; all if None.
        refused: Takes the samples that cannot be asked, and why.
        images: Where images are kept, if they are.
        watch: See `run`; nothing more is asked once the answers of earlier calls are enough.
    """

    def refuse(sample: Sample, kept: JournalSample, error: MisplacedImage) -> None:
        key = f"{sample.id}#{stable_hash(str(error))}"
        refused.append((Response(sample.id, key, error=ResponseError("data", str(error))), kept))

    questions = variant_requests(task, variant, only=only, seed=seed, refuse=refuse)
    for request, sample in watch.arrange(questions) if watch else questions:
        if images is not None:
            images.add(request.images)
        if journal.answered(request.key, request.sample_id):
            counter.count_skipped()
            known = journal.content.responses[request.sample_id]
            if watch is not None and watch.see(known, sample):
                return
        else:
            asked[request.sample_id] = sample
            yield request


def generate(
    model: ModelSpec,
    requests: Iterator[Request],
    asked: dict[str, JournalSample],
    executor: Executor,
    journal: Journal,
    session: Session,
    counter: ProgressCounter,
    refused: Sequence[tuple[Response, JournalSample]] = (),
    *,
    max_errors: int | None = None,
    notify: Callable[[str], None] = lambda sentence: None,
    watch: Watch | None = None,
) -> None:
    """Ask the model and write down what it says; loads it only if something is left to ask.

    Args:
        refused: What cannot be asked, complete once all requests have been taken.

    Raises:
        DataError: No sample can be asked.
    """
    any_left, requests = peeked(requests)
    if not any_left:
        if refused and not journal.content.responses:
            error = refused[0][0].error
            raise DataError(error.message if error else "")
        _note_settings(journal, session)
        _note_refused(journal, refused, counter)
        return
    responses = _in_rounds(executor, model, requests) if watch else executor.map(model, requests)
    session.environment = {**session.environment, **executor.describe()}
    if session.environment.get("asked_as_trained") is False:
        notify(_asked_otherwise(model))
    if unset := session.environment.get("unset_generation"):
        notify(_unset(model, str(unset)))
    journal.begin(session)
    counter.show_start()
    with closing(responses):
        for response in responses:
            sample = asked.pop(response.sample_id)
            journal.add(response, sample)
            counter.count_answered(response)
            if watch is not None and watch.see(response, sample):
                break
            if max_errors is not None and counter.errors > max_errors:
                raise _too_many_errors(model, counter, response)
    _note_refused(journal, refused, counter)
    journal.end(executor.memory())


def _in_rounds(executor: Executor, model: ModelSpec, requests: Iterator[Request]) -> Responses:
    """Answers a few at a time: an executor answers what it has read in an order of its own."""
    first = executor.map(model, list(itertools.islice(requests, WATCHED_ROUND)))

    def responses() -> Responses:
        yield from first
        while some := list(itertools.islice(requests, WATCHED_ROUND)):
            yield from executor.map(model, some)

    return responses()


def _note_settings(journal: Journal, session: Session) -> None:
    """Let the journal know that the same answers are now looked at with other settings."""
    last = journal.content.sessions[-1] if journal.content.sessions else None
    settings = (session.limit, session.seed, session.total, session.drawn)
    if last is None or (last.limit, last.seed, last.total, last.drawn) != settings:
        environment = last.environment if last else session.environment
        journal.begin(dataclasses.replace(session, environment=environment))


def _note_refused(
    journal: Journal,
    refused: Sequence[tuple[Response, JournalSample]],
    counter: ProgressCounter,
) -> None:
    for response, sample in refused:
        if journal.content.responses.get(response.sample_id) != response:
            journal.add(response, sample)
        counter.count_answered(response)


def _kept_answers(directory: RunDir, journal: Journal) -> str:
    count, changes = len(journal.content.responses), ", ".join(journal.task_changes)
    return (
        f"The task's {changes} changed since {directory.journal} was begun; its {count} answers "
        "are kept and scored anew."
    )


def _asked_otherwise(model: ModelSpec) -> str:
    return (
        f"{model.name} was trained on prompts that differ from those of this run in their image "
        "tokens, chat template or system prompt, so it may answer worse than it can; see how to "
        "run it in the README.md of its directory."
    )


def _unset(model: ModelSpec, names: str) -> str:
    return (
        f"{model.name} answers without settings of its generation_config.json that cannot hold "
        f"here ({names}): they need other inputs or code, or change what a call returns."
    )


def nothing_said(record: RunRecord) -> str | None:
    """What is wrong with a run whose answers are all empty; None where one is not.

    A baseline may have nothing to say.
    """
    answered = record.coverage.answered
    if not answered or record.performance.get("empty") != answered:
        return None
    if record.model_spec["runner"] == "baseline":
        return None
    return (
        f"{record.model} gave nothing but empty answers to {record.title} ({answered} of "
        f"{answered}), so its scores say nothing of it; check its weights, chat template and "
        "generation settings, and whether max_new_tokens leaves room for its answer."
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _too_many_errors(model: ModelSpec, counter: ProgressCounter, last: Response) -> IncompleteError:
    reason = last.error.message.rstrip(".") if last.error else ""
    return IncompleteError(
        f"{model.name} failed on {counter.errors} samples, more than --max-errors allows (the last "
        f"reason: {reason}); correct that and run the same command: answers that are there stay."
    )
