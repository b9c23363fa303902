"""The baseline as a file: one committed JSON text whose changes can be read.

    {"schema_version": 2, "model": "tiny-ja", "tasks": {
    "ja-vqa": {"limit": null, "total": 332, ...,
    "metrics": [
    {"id": "match.exact", "n": 332, "value": 0.521, "signature": ..., "headline": true, ...}],
    "samples": [
    "eJyF1l1v...", ...

A metric is a line of the file with its value, so that a diff shows what a new baseline changes;
samples are lines of 64 each, in the order of ids, as base64 of zlib of JSON, so that a sample that
changes changes one line. Numbers are written so that reading gives the same floats.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from vlmbench.compare.gate.baseline import (
    BASELINE_VERSION,
    Baseline,
    BaselineMetric,
    BaselineTask,
    SavedSample,
    SavedVector,
)
from vlmbench.compare.gate.runs import vector_problem
from vlmbench.errors import ConfigError
from vlmbench.metrics.base import load_metric
from vlmbench.runs.directory import canonical_json, replace_file

AGAIN = "save it again with 'vlmbench gate save RUNS -o FILE'"

_FIELDS = tuple(one.name for one in fields(SavedSample))

_BLOCK = 64
"""Samples a line."""

_LARGEST_BLOCK = 1 << 24
"""Bytes that a line may hold; more is no line of ours."""

_LARGEST = 1 << 30
"""Bytes that all lines may hold together."""


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
        ConfigError: The file is missing, empty or damaged, or of another schema version; a sample
            stands there twice, or a score is no number or none that its metric can have.
    """
    data = _read_json(file)
    version = data.get("schema_version")
    if version != BASELINE_VERSION:
        raise ConfigError(
            f"The baseline {file} has schema version {version} where this vlmbench reads "
            f"{BASELINE_VERSION}; {AGAIN}."
        )
    room = _LARGEST
    try:
        for task in data["tasks"].values():
            rows = []
            for line in task["samples"]:
                block = _unpacked(line)
                room -= len(block)
                if room < 0:
                    raise ValueError("its samples are too long")
                rows += _block_rows(block)
            task["samples"] = rows
        baseline = _adapter().validate_python(data)
    except ValidationError as error:
        key = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise _damaged(file, f"has a wrong or missing field '{key}'") from error
    except (LookupError, AttributeError, TypeError, ValueError, RecursionError) as error:
        raise _damaged(file, f"is damaged ({type(error).__name__}: {error})") from error
    _check_content(baseline, file)
    return baseline


def _read_json(file: Path) -> dict[str, Any]:
    if file.exists() and not file.is_file():
        raise _damaged(file, "is no file")  # but a pipe, say, that nobody writes to
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise _damaged(file, "is not UTF-8 text") from error
    except OSError as error:
        raise ConfigError(
            f"The baseline {file} cannot be read ({error.strerror}); check the path, or {AGAIN}."
        ) from error
    try:
        data = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        if any(line.startswith(("<<<<<<<", ">>>>>>>")) for line in text.splitlines()):
            raise _damaged(file, "holds an unresolved merge of version control") from error
        raise _damaged(file, f"is not JSON of the gate ({error})") from error
    if not isinstance(data, dict):
        raise _damaged(file, "is not JSON of the gate")
    return data


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object's members; a task that stands there twice is what a bad merge leaves."""
    twice = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
    if twice:
        raise ValueError(f"'{twice[0]}' stands there twice")
    return dict(pairs)


def _damaged(file: Path, problem: str) -> ConfigError:
    return ConfigError(f"The baseline {file} {problem}; {AGAIN}.")


def _task_text(task: BaselineTask) -> str:
    head = {
        name: value for name, value in asdict(task).items() if name not in ("samples", "metrics")
    }
    metrics = ",\n".join(canonical_json(asdict(one)) for one in task.metrics)
    blocks = ",\n".join(f'"{line}"' for line in _blocks(task.samples))
    return f'{canonical_json(head)[:-1]},"metrics":[\n{metrics}],"samples":[\n{blocks}]}}'


def _blocks(samples: Sequence[SavedSample]) -> Iterator[str]:
    for start in range(0, len(samples), _BLOCK):
        rows = [_row(one) for one in samples[start : start + _BLOCK]]
        data = canonical_json(rows).encode("utf-8", "surrogatepass")
        yield base64.b64encode(zlib.compress(data, 9)).decode("ascii")


def _row(sample: SavedSample) -> list[Any]:
    values = asdict(sample)
    values["vectors"] = [_compact(vector) for vector in sample.vectors]
    return list(values.values())


def _unpacked(line: Any) -> bytes:
    """The JSON of a line; raises ValueError if it is none of ours."""
    try:
        packed = base64.b64decode(line, validate=True)
    except (binascii.Error, TypeError) as error:
        raise ValueError("a line of samples is not base64") from error
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(packed, _LARGEST_BLOCK)
    except zlib.error as error:
        raise ValueError("a line of samples cannot be decompressed") from error
    if not unpacker.eof:
        raise ValueError("a line of samples is cut or too long")
    return data


def _block_rows(data: bytes) -> list[dict[str, Any]]:
    rows = json.loads(data.decode("utf-8", "surrogatepass"))
    if len(rows) > 2 * _BLOCK:
        raise ValueError("a line holds too many samples")
    return [dict(zip(_FIELDS, row, strict=True)) for row in rows]


def _compact(vector: SavedVector) -> list[float] | SavedVector:
    """Whole numbers without ".0", which JSON reads back as equal floats."""
    if not isinstance(vector, tuple):
        return vector
    return [int(number) if number.is_integer() else number for number in vector]


def _check_content(baseline: Baseline, file: Path) -> None:
    if not baseline.tasks:
        raise _damaged(file, "holds no task, so nothing would be compared")
    for name, task in baseline.tasks.items():
        if not task.headlines:
            raise _damaged(file, f"holds no headline metric of task '{name}'")
        if not task.samples:
            raise _damaged(file, f"holds no sample of task '{name}'")
        twice = [one for one, count in Counter(s.id for s in task.samples).items() if count > 1]
        if twice:
            raise _damaged(
                file, f"holds {len(twice)} samples of task '{name}' twice, such as '{twice[0]}'"
            )
        if len(task.samples) > task.total:
            raise _damaged(file, f"holds more samples of task '{name}' than it says")
        for number, metric in enumerate(task.metrics):
            _check_vectors(name, task.samples, number, metric, file)


def _check_vectors(
    task: str, samples: Sequence[SavedSample], number: int, saved: BaselineMetric, file: Path
) -> None:
    metric = load_metric(saved.use, saved.options)
    for sample in samples:
        if number >= len(sample.vectors):
            raise _damaged(file, f"has no score of {saved.id} for sample '{sample.id}' of '{task}'")
        vector = sample.vectors[number]
        if isinstance(vector, tuple) and (problem := vector_problem(vector, metric)):
            raise _damaged(
                file, f"has a score of {saved.id} for sample '{sample.id}' of '{task}' {problem}"
            )
    scored = sum(isinstance(sample.vectors[number], tuple) for sample in samples)
    if scored != saved.n:
        raise _damaged(
            file, f"holds {scored} of the {saved.n} scores of {saved.id} of task '{task}'"
        )


@cache
def _adapter() -> TypeAdapter[Baseline]:
    return TypeAdapter(Baseline)
