"""Answers without a model, to compare models with.

`plan` decides on all answers from the samples, before anything is asked; the runner then reads
them off. So the runner knows no more of the task than any other runner.
"""

from __future__ import annotations

import bisect
import hashlib
import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vlmbench.errors import DataError, ModelError, unknown_name
from vlmbench.models.baselines import BASELINES
from vlmbench.models.resolve import ModelSpec
from vlmbench.records import Request, Response, ResponseError, Sample, Scalar

QUESTION_FIELDS = ("level", "kind", "answer")
"""Fields of `meta` that a question shows without its image; blind-majority groups by them."""


def plan(kind: str, samples: Iterable[Sample], seed: int) -> Mapping[str, str]:
    """A baseline's answer to every sample.

    Args:
        kind: majority, blind-majority, random or oracle.
        samples: All samples of the task, so that answers do not depend on `--limit`; read twice.
        seed: Of the random baseline.

    Returns:
        Answers by sample id.

    Raises:
        ModelError: There is no such baseline.
    """
    match kind:
        case "oracle":
            return {sample.id: sample.references[0] for sample in samples}
        case "majority":
            return dict(_by_group(samples, ()))
        case "blind-majority":
            return dict(_by_group(samples, QUESTION_FIELDS))
        case "random":
            return dict(_drawn(samples, seed))
        case _:
            raise ModelError(
                unknown_name("baseline", kind, BASELINES, next_step="see 'vlmbench models list'")
            )


def scripted(path: Path) -> dict[str, str]:
    """The answers of a file of {id, text}; the last one of an id counts.

    Raises:
        DataError: The file cannot be read, or a line is something else.
    """
    answers: dict[str, str] = {}
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); check the path.") from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            key, text = _id_and_text(line, path, number)
            answers[key] = text
    return answers


def _id_and_text(line: bytes, path: Path, number: int) -> tuple[str, str]:
    try:
        value = json.loads(line)
        key, text = str(value["id"]), value["text"]
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"Line {number} of {path} is not {{id, text}}; correct it.") from error
    if not isinstance(text, str):
        raise DataError(f"The text in line {number} of {path} is not a string; correct it.")
    return key, text


class BaselineRunner:
    """Reads answers off `spec.options["answers"]`, a mapping by sample id."""

    def __init__(self) -> None:
        self._answers: Mapping[str, str] = {}

    def prepare(self, spec: ModelSpec) -> None:
        """Take the answers."""
        self._answers = spec.options["answers"]

    def generate(self, requests: Sequence[Request]) -> list[Response]:
        """Each sample's answer; an error where the script has none."""
        return [self._respond(request) for request in requests]

    def describe(self) -> Mapping[str, Scalar]:
        """Nothing runs anywhere."""
        return {}

    def close(self) -> None:
        """Nothing to free."""

    def _respond(self, request: Request) -> Response:
        text = self._answers.get(request.sample_id)
        if text is None:
            error = ResponseError("runner", f"no answer is given for '{request.sample_id}'")
            return Response(request.sample_id, request.key, error=error)
        return Response(request.sample_id, request.key, text=text, finish="stop")


def _by_group(samples: Iterable[Sample], fields: Sequence[str]) -> Iterator[tuple[str, str]]:
    def group(sample: Sample) -> tuple[Any, ...]:
        return tuple(sample.meta.get(name) for name in fields)

    counts: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    for sample in samples:
        # dict.fromkeys keeps the references' order, so that a tie goes to the better form.
        counts[group(sample)].update(list(dict.fromkeys(sample.references)))
    frequent = {key: counter.most_common(1)[0][0] for key, counter in counts.items()}
    return ((sample.id, frequent[group(sample)]) for sample in samples)


def _drawn(samples: Iterable[Sample], seed: int) -> Iterator[tuple[str, str]]:
    """From a sample's choices, or from all first references as often as they occur."""
    counts = Counter(sample.references[0] for sample in samples)
    answers = sorted(counts)
    ends = list(itertools.accumulate(counts[answer] for answer in answers))
    for sample in samples:
        if sample.choices:
            yield sample.id, sample.choices[_draw(len(sample.choices), seed, sample.id)]
        else:
            yield sample.id, answers[bisect.bisect(ends, _draw(ends[-1], seed, sample.id))]


def _draw(count: int, seed: int, sample_id: str) -> int:
    """A number below `count` that depends on seed and id alone, whatever the order of samples."""
    digest = hashlib.sha256(f"{seed}:{sample_id}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8]) % count
