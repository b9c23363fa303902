"""Answers without a model, to compare models with.

`plan` decides on all answers from the samples, before anything is asked; the runner then reads
them off. So the runner knows no more of the task than any other runner.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vlmbench.errors import DataError, ModelError, unknown_name
from vlmbench.models import BASELINES, ModelSpec
from vlmbench.records import Request, Response, ResponseError, Sample, Scalar

QUESTION_FIELDS = ("level", "kind", "answer")
"""Fields of `meta` that a question shows without its image; blind-majority groups by them."""


def plan(kind: str, samples: Sequence[Sample], seed: int) -> dict[str, str]:
    """A baseline's answer to every sample.

    Args:
        kind: majority, blind-majority, random or oracle.
        samples: All samples of the task, so that answers do not depend on `--limit`.
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
            return _by_group(samples, ())
        case "blind-majority":
            return _by_group(samples, QUESTION_FIELDS)
        case "random":
            pool = sorted(sample.references[0] for sample in samples)
            return {s.id: _draw(s.choices or pool, seed, s.id) for s in samples}
        case _:
            raise ModelError(
                unknown_name("baseline", kind, BASELINES, next_step="see 'vlmbench models list'")
            )


def read_script(path: Path) -> dict[str, str]:
    """Answers from a JSON Lines file of {id, text}.

    Raises:
        DataError: The file cannot be read, or a line is something else.
    """
    answers: dict[str, str] = {}
    try:
        with path.open("rb") as handle:
            for number, line in enumerate(handle, 1):
                if line.strip():
                    key, text = _script_line(line, path, number)
                    answers[key] = text
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); check the path.") from error
    return answers


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


def _by_group(samples: Sequence[Sample], fields: Sequence[str]) -> dict[str, str]:
    counts: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    groups = {sample.id: tuple(sample.meta.get(name) for name in fields) for sample in samples}
    for sample in samples:
        # dict.fromkeys keeps the references' order, so that a tie goes to the better form.
        counts[groups[sample.id]].update(list(dict.fromkeys(sample.references)))
    frequent = {group: counter.most_common(1)[0][0] for group, counter in counts.items()}
    return {sample_id: frequent[group] for sample_id, group in groups.items()}


def _draw(pool: Sequence[str], seed: int, sample_id: str) -> str:
    """An element that depends on seed and id alone, whatever the order of the samples."""
    digest = hashlib.sha256(f"{seed}:{sample_id}".encode("utf-8", "surrogatepass")).digest()
    return pool[int.from_bytes(digest[:8]) % len(pool)]


def _script_line(line: bytes, path: Path, number: int) -> tuple[str, str]:
    try:
        value = json.loads(line)
        key, text = value["id"], value["text"]
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"Line {number} of {path} is not {{id, text}}; correct it.") from error
    if not isinstance(text, str):
        raise DataError(f"The text in line {number} of {path} is not a string; correct it.")
    return str(key), text
