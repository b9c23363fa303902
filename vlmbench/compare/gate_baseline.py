"""The gate's baseline: one model's headline scores, sample by sample, in one committed JSON file.

    {"schema_version": 1, "model": "tiny-ja", "tasks": {"ja-vqa": {
        "fingerprints": {...}, "limit": null, "metrics": [{id, use, options, signature}],
        "samples": [
          ["photo-1-q1", "<hash of prompt, images and generation>", [[1]]], ...

A sample is a line of the file, so that version control shows what a new baseline changes. Its
last part has a vector for each metric, null where the metric could not score the answer, false
where it is not for the sample. Numbers are written so that reading gives the same floats.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import TypeAdapter, ValidationError

from vlmbench.errors import ConfigError
from vlmbench.judges.scores import judged_key
from vlmbench.records import RunRecord, SampleScores, Scalar
from vlmbench.runs.directory import RunDir, canonical_json, replace_file
from vlmbench.runs.journal import read_journal
from vlmbench.tasks.registry import journal_task

BASELINE_VERSION = 1

Vector: TypeAlias = tuple[float, ...]
SavedVector: TypeAlias = Vector | Literal[False] | None
"""A vector; None for an answer that could not be scored; False where the metric does not apply."""

SavedSample: TypeAlias = tuple[str, str, tuple[SavedVector, ...]]
"""Id, content hash of the request, a vector for each metric of the task."""


@dataclass(frozen=True, slots=True)
class BaselineMetric:
    """A headline metric, with enough to load it again."""

    id: str
    use: str
    options: Mapping[str, Scalar]
    signature: str


@dataclass(frozen=True, slots=True)
class BaselineTask:
    """One run of the baseline's model."""

    fingerprints: Mapping[str, str]
    limit: int | None
    metrics: tuple[BaselineMetric, ...]
    samples: tuple[SavedSample, ...]


@dataclass(frozen=True, slots=True)
class Baseline:
    """One model's runs."""

    model: str
    tasks: Mapping[str, BaselineTask]
    schema_version: int = BASELINE_VERSION


def baseline_task(directory: RunDir, record: RunRecord) -> BaselineTask:
    """What a run's files say of its headline metrics.

    Raises:
        JournalError: A file of the run cannot be read.
    """
    metrics = _headline_metrics(directory, record)
    samples = saved_samples(directory.read_scores(), [metric.id for metric in metrics])
    return BaselineTask(record.fingerprints, record.limit, metrics, samples)


def headline_signatures(record: RunRecord) -> dict[str, str]:
    """Signature of each headline metric, by its id in the task."""
    return {e.metric: e.signature for e in record.estimates if e.headline and e.slice is None}


def saved_samples(rows: Iterable[SampleScores], metrics: Sequence[str]) -> tuple[SavedSample, ...]:
    """What a baseline keeps of samples.

    Args:
        metrics: Ids of the metrics whose vectors are kept, in this order.
    """

    def vector(row: SampleScores, metric: str) -> SavedVector:
        score = row.scores.get(metric)
        return False if score is None else score.vector

    return tuple(
        (row.id, row.key.removeprefix(f"{row.id}#"), tuple(vector(row, one) for one in metrics))
        for row in rows
    )


def _headline_metrics(directory: RunDir, record: RunRecord) -> tuple[BaselineMetric, ...]:
    header = read_journal(directory.journal).header
    signatures = headline_signatures(record)
    uses = {use.key: use for use in journal_task(header).metrics}
    found = ((name, uses.get(name) or uses.get(judged_key(name))) for name in signatures)
    return tuple(
        BaselineMetric(name, use.use, use.options, signatures[name])
        for name, use in found
        if use is not None
    )


def write_baseline(baseline: Baseline, file: Path) -> None:
    """Write the file; equal baselines give equal bytes.

    Raises:
        JournalError: The file cannot be written.
    """
    tasks = ",\n".join(
        f"{canonical_json(name)}:{_task_text(task)}"
        for name, task in sorted(baseline.tasks.items())
    )
    text = (
        f'{{"schema_version":{baseline.schema_version},"model":{canonical_json(baseline.model)},'
        f'"tasks":{{\n{tasks}}}}}\n'
    )
    replace_file(file, [text.encode("utf-8", "backslashreplace")])


def read_baseline(file: Path) -> Baseline:
    """Read what `write_baseline` wrote.

    Raises:
        ConfigError: The file is missing, damaged or of another schema version.
    """
    again = "save it again with 'vlmbench gate save RUNS -o FILE'"
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        version = data.get("schema_version")
    except OSError as error:
        raise ConfigError(
            f"The baseline {file} cannot be read ({error.strerror}); check the path, or {again}."
        ) from error
    except (ValueError, AttributeError, RecursionError) as error:
        raise ConfigError(f"The baseline {file} is not JSON of the gate; {again}.") from error
    if version != BASELINE_VERSION:
        raise ConfigError(
            f"The baseline {file} has schema version {version} where this vlmbench reads "
            f"{BASELINE_VERSION}; {again}."
        )
    try:
        return _adapter().validate_python(data)
    except ValidationError as error:
        key = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise ConfigError(
            f"The baseline {file} has a wrong or missing field '{key}'; {again}."
        ) from error


def _task_text(task: BaselineTask) -> str:
    head = {name: value for name, value in asdict(task).items() if name != "samples"}
    lines = ",\n".join(
        canonical_json([name, key, [_compact(vector) for vector in vectors]])
        for name, key, vectors in task.samples
    )
    return f'{canonical_json(head)[:-1]},"samples":[\n{lines}]}}'


def _compact(vector: SavedVector) -> list[float] | SavedVector:
    """Whole numbers without ".0", which JSON reads back as equal floats."""
    if not isinstance(vector, tuple):
        return vector
    return [int(number) if number.is_integer() else number for number in vector]


@cache
def _adapter() -> TypeAdapter[Baseline]:
    return TypeAdapter(Baseline)
