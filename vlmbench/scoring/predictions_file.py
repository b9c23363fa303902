"""`vlmbench metrics score`: predictions from anywhere, a JSON line each, scored by one metric.

The file is read twice: once to find everything that is wrong with it (and the references, if the
metric looks at all of them first), once to score. So a mistake in the last line costs no output,
and of 100,000 lines only ids and vectors are in memory.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from vlmbench.errors import DataError
from vlmbench.metrics.base import Answer, Metric
from vlmbench.metrics.guarded import score_all
from vlmbench.records import Estimate, MetricScore, SampleScores, Scalar
from vlmbench.schema import json_kind, parse_jsonl, short_lines
from vlmbench.scoring.aggregate import ScoredMetric, estimates
from vlmbench.scoring.sample_scores import chunks
from vlmbench.tasks.samples import image_file

LINES_AT_A_TIME = 256
"""Lines whose texts, and images if the metric looks at them, are in memory at once."""

FORM = (
    'a line is {"id": "1", "prediction": "...", "references": ["..."]}, with "choices" if there '
    "are any"
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the file."""

    id: str | int
    answer: Answer
    image_names: tuple[str, ...] = ()
    """Relative to the file."""


@dataclass(frozen=True, slots=True)
class LineScore:
    """What the metric says of a line."""

    id: str | int
    value: float | None
    """The metric's value on this line alone; None if it is unscored."""
    extracted: str | None
    unscored: str | None


def score_file(metric: Metric, path: Path, *, emit: Callable[[LineScore], None]) -> Estimate:
    """Score every line of a file.

    Args:
        metric: Not yet prepared.
        path: JSON Lines, `{id, prediction, references, choices?, images?, ...}`; further fields
            with a text, number or truth value are the answer's `meta`. `-` is standard input.
        emit: Called with each line's score, in the order of the file.

    Returns:
        The metric's value on the whole file with its interval.

    Raises:
        DataError: The file cannot be read or is empty, or a line is not what it should be;
            nothing has been emitted then.
    """
    name = "standard input" if str(path) == "-" else str(path)
    with _opened(path) as handle:
        references = _check(handle, name, keep=metric.definition.prepare is not None)
        handle.seek(0)
        rows = []
        ready = metric.prepare(references)
        for line, score in _scores(ready, _lines(handle, name), path):
            emit(LineScore(line.id, _value(ready, score), score.extracted, score.unscored))
            # Only what the estimate needs is kept.
            kept = MetricScore(score.vector, score.unscored)
            rows.append(SampleScores(str(line.id), "", {}, {metric.name: kept}))
    scored = ScoredMetric(metric.name, metric)
    return estimates(rows, [scored], total=len(rows))[0]


def _check(handle: IO[bytes], name: str, *, keep: bool) -> list[tuple[str, ...]]:
    """Read all lines for their mistakes; returns the references, if they are to be kept."""
    seen: set[str] = set()
    references = []
    for number, line in enumerate(_lines(handle, name), 1):
        key = str(line.id)
        if key in seen:
            raise DataError(
                f"The id '{key}' stands twice in {name}, the second time as number {number}; make "
                "ids unique."
            )
        seen.add(key)
        if keep:
            references.append(line.answer.references)
    if not seen:
        raise DataError(f"There are no lines in {name}; {FORM}.")
    return references


def _scores(
    metric: Metric, lines: Iterator[Line], path: Path
) -> Iterator[tuple[Line, MetricScore]]:
    encoder = metric.definition.encoder
    for chunk in chunks(lines, LINES_AT_A_TIME):
        answers = tuple(_with_images(line, path, wanted=encoder == "images") for line in chunk)
        yield from zip(chunk, score_all(metric, answers), strict=True)


def _with_images(line: Line, path: Path, *, wanted: bool) -> Answer:
    answer = line.answer
    if not wanted or not line.image_names:
        return answer
    where = f"the line with id '{line.id}' of {path}"
    images = tuple(image_file(one, where, path.parent) for one in line.image_names)
    return Answer(answer.prediction, answer.references, answer.choices, answer.meta, images)


def _value(metric: Metric, score: MetricScore) -> float | None:
    if score.vector is None:
        return None
    if metric.is_mean:
        return score.vector[0]
    return float(metric.combine(np.array(score.vector, dtype=np.float64), 1))


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The file; a pipe is copied first, because it can be read only once."""
    try:
        source = sys.stdin.buffer if str(path) == "-" else path.open("rb")
    except OSError as error:
        raise DataError(
            f"The file {path} cannot be read ({error.strerror}); give a JSON Lines file, or - for "
            "standard input."
        ) from error
    with source:
        if source.seekable():
            yield source
            return
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(source, copy)
            copy.seek(0)
            yield copy


def _lines(handle: IO[bytes], name: str) -> Iterator[Line]:
    for number, value in parse_jsonl(short_lines(handle, name), name, advice=FORM):
        yield _line(value, f"line {number} of {name}")


def _line(value: Mapping[str, Any], where: str) -> Line:
    for field in ("id", "prediction", "references"):
        if field not in value:
            raise DataError(f"The object in {where} has no '{field}'; {FORM}.")
    key = value["id"]
    if isinstance(key, bool) or not isinstance(key, str | int):
        raise DataError(f"The id in {where} is {json_kind(key)}; make it a text or a whole number.")
    answer = Answer(
        _text(value["prediction"], "prediction", where),
        _texts(value, "references", where),
        _texts(value, "choices", where),
        _meta(value),
    )
    if not answer.references:
        raise DataError(
            f"The list 'references' in {where} is empty; give at least one, or leave the line out."
        )
    return Line(key, answer, _texts(value, "images", where))


def _text(value: Any, field: str, where: str) -> str:
    if isinstance(value, str):
        return value
    raise DataError(
        f"The field '{field}' in {where} holds {json_kind(value)} where a text belongs; put it in "
        "quotation marks, or leave the line out if there is none."
    )


def _texts(value: Mapping[str, Any], field: str, where: str) -> tuple[str, ...]:
    found = value.get(field, ())
    if not isinstance(found, list | tuple):
        raise DataError(
            f"The field '{field}' in {where} holds {json_kind(found)}; make it a list of texts."
        )
    return tuple(_text(one, field, where) for one in found)


def _meta(value: Mapping[str, Any]) -> dict[str, Scalar]:
    own = {"id", "prediction", "references", "choices", "images"}
    return {
        field: one
        for field, one in value.items()
        if field not in own and (one is None or isinstance(one, str | int | float))
    }
