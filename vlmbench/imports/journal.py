"""Matched predictions as a run's journal, whose header says where they come from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from vlmbench import __version__
from vlmbench.environment import Memory, versions
from vlmbench.errors import DataError
from vlmbench.imports.matching import Matches, Target, make_target, match
from vlmbench.imports.predictions import HarnessFiles, Prediction
from vlmbench.models.spec import ModelSpec
from vlmbench.records import (
    ImageRef,
    JournalSample,
    Response,
    ResponseError,
    stable_hash,
)
from vlmbench.runs.directory import RunDir, safe_name
from vlmbench.runs.journal import Journal, Session
from vlmbench.runs.journal_header import Header
from vlmbench.tasks.prompt import build_request
from vlmbench.tasks.samples import read_samples
from vlmbench.tasks.sources import RowsHash, rows_fingerprint
from vlmbench.tasks.spec import TaskSpec
from vlmbench.tasks.variants.variant import journal_sample

RUNNER = "imported"
"""The runner of a run whose answers another harness has on file."""


@dataclass(frozen=True, slots=True)
class ImportedRun:
    """A run that was made of predictions."""

    directory: RunDir
    files: HarnessFiles
    matches: Matches
    samples: int

    @property
    def missing(self) -> int:
        """Samples that no prediction is for."""
        return self.samples - len(self.matches.found)


def write_run(
    files: HarnessFiles, task: TaskSpec, *, name: str, out: Path, fresh: bool = False
) -> ImportedRun:
    """Match predictions to the samples of a task, and write them as a run's journal.

    Args:
        name: What the model is called in results.
        out: Output directory; the run's own is `<out>/<name>/<task>`.
        fresh: Drop what is there.

    Raises:
        DataError: The task's data cannot be read, or no prediction fits a sample.
        JournalError: A run of another model of this name is there.
    """
    files = files.with_usable_ids()
    rows = RowsHash()
    samples, targets = _samples(task, rows)
    matches = match(files.predictions, targets)
    if not matches.found:
        raise DataError(_nothing_fits(files, matches, task))
    directory = RunDir.of(out, safe_name(name), task.name)
    header = _header(files, task, safe_name(name), rows.value())
    with Journal(directory.journal, header, fresh=fresh) as journal:
        corpus = [(one.references, one.meta) for one in samples.values()]
        journal.keep_corpus(corpus)
        journal.begin(_session(files, matches, len(samples)))
        for identity, prediction in matches.found.items():
            sample = _as_asked(samples[identity], prediction, whole=files.prompts)
            journal.add(_response(identity, sample, prediction), sample)
        journal.end(Memory())
    return ImportedRun(directory, files, matches, len(samples))


def _samples(task: TaskSpec, rows: RowsHash) -> tuple[dict[str, JournalSample], list[Target]]:
    """All samples of a task as a run of ours would ask them, and what predictions fit."""
    samples, targets = {}, []
    generation = task.generation_for(0)
    for index, sample in enumerate(read_samples(task)):
        rows.add(sample)
        request = build_request(task, sample, generation=generation)
        samples[sample.id] = journal_sample(index, sample, request, request)
        targets.append(make_target(sample, samples[sample.id]))
    return samples, targets


def _header(files: HarnessFiles, task: TaskSpec, name: str, rows: str) -> Header:
    content = [[one.id, one.question, one.text] for one in files.predictions]
    model = ModelSpec(
        name=name,
        runner=RUNNER,
        location=files.model or name,
        fingerprint=stable_hash([RUNNER, files.harness, content]),
        options={
            "harness": files.harness,
            "harness_version": files.version,
            "prompts": "theirs" if files.prompts else "theirs, not on file: the task's are shown",
            "images": "theirs, not on file: the task's are shown",
            "figures": {one.name: one.value for one in files.figures},
        },
    )
    return Header(
        model=model.as_dict(),
        task=task.as_dict(),
        origin=str(task.origin) if task.origin else None,
        fingerprints={
            "model": model.fingerprint,
            "task": task.fingerprint,
            "data": rows_fingerprint(task, rows),
            "rows": rows,
            "fields": task.fields_fingerprint,
            "prompt": stable_hash([RUNNER, files.harness, files.version]),
            "code": __version__,
        },
    )


def _session(files: HarnessFiles, matches: Matches, samples: int) -> Session:
    environment = {
        **versions(),
        "imported_from": files.harness,
        "imported_version": files.version,
        "predictions": len(files.predictions),
        "matched_by_id": matches.by_id,
        "matched_by_question": matches.by_question,
        "ambiguous": len(matches.ambiguous),
        "fitting_no_sample": len(matches.unknown),
        "samples_without_prediction": samples - len(matches.found),
    }
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Session(now, None, 0, environment, samples, samples)


def _as_asked(sample: JournalSample, prediction: Prediction, *, whole: bool) -> JournalSample:
    """The sample with the harness's prompt in place of ours, where it is on file."""
    if not whole or prediction.question is None:
        return sample
    images = [ImageRef(digest) for digest in sample.images]
    return replace(sample, prompt=(*images, prediction.question))


def _response(identity: str, sample: JournalSample, prediction: Prediction) -> Response:
    prompt = [one if isinstance(one, str) else one.image for one in sample.prompt]
    failed = prediction.text is None
    return Response(
        sample_id=identity,
        key=f"{identity}#{stable_hash([RUNNER, prompt])}",
        text=prediction.text,
        error=ResponseError("runner", prediction.error) if failed else None,
        finish=prediction.finish,
        prompt_tokens=prediction.prompt_tokens,
        output_tokens=prediction.output_tokens,
        seconds=prediction.seconds,
    )


def _nothing_fits(files: HarnessFiles, matches: Matches, task: TaskSpec) -> str:
    if not files.predictions:
        return "There are no predictions in these files; give those that the harness wrote."
    first = files.predictions[0]
    shown = f"id {first.id}" if first.id is not None else "no id"
    asked = f", question {first.question[:40]!r}" if first.question else ", no question"
    return (
        f"None of the {len(files.predictions)} predictions fits a sample of task '{task.name}' "
        f"({len(matches.ambiguous)} fit several; the first has {shown}{asked}); give the task that "
        "they are for, or files that hold ids or questions."
    )
