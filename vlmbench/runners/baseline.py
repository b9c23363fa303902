"""Answers without a model, to compare models with.

`baseline_answers` decides on all of them from the samples, before any request; the runner then
reads them off. So the runner knows no more of the task than any other runner.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from vlmbench.errors import DataError, ModelError, UsageError, unknown_name
from vlmbench.models.baselines import BASELINES
from vlmbench.models.resolve import ModelSpec
from vlmbench.records import Request, Response, ResponseError, Sample, Scalar
from vlmbench.schema import read_jsonl

QUESTION_FIELDS = ("level", "kind", "answer")
"""Fields of `meta` that a question shows without its image in the embedded tasks: blind-majority
groups by those that there are, unless it is said which."""


def baseline_answers(
    kind: str, samples: Sequence[Sample], seed: int, fields: Sequence[str] = ()
) -> Mapping[str, str]:
    """A baseline's answer to every sample, by its id.

    Args:
        kind: majority, blind-majority, random or oracle.
        samples: All samples of the task, so that answers do not depend on `--limit`.
        seed: Decides what the random baseline draws.
        fields: Of `meta`, which blind-majority groups by; none: QUESTION_FIELDS.

    Raises:
        UsageError: A sample has no such field.
        ModelError: There is no such baseline.
    """
    match kind:
        case "oracle":
            return {sample.id: sample.references[0] for sample in samples}
        case "majority":
            return _by_group(samples, ())
        case "blind-majority":
            _check_fields(samples, fields)
            return _by_group(samples, fields or QUESTION_FIELDS)
        case "random":
            return _drawn(samples, seed)
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
    for number, line in read_jsonl(path):
        text = line.get("text")
        if "id" not in line or not isinstance(text, str):
            raise DataError(f"Line {number} of {path} is not {{id, text}}; correct it.")
        answers[str(line["id"])] = text
    return answers


class BaselineRunner:
    """Reads answers off `ModelSpec.answers`."""

    def __init__(self) -> None:
        self._answers: Mapping[str, str] = {}

    def prepare(self, spec: ModelSpec) -> None:
        """Take the answers."""
        self._answers = spec.answers or {}

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


def _check_fields(samples: Iterable[Sample], fields: Sequence[str]) -> None:
    for sample in samples:
        missing = next((name for name in fields if name not in sample.meta), None)
        if missing is not None:
            raise UsageError(
                unknown_name(
                    "field of meta",
                    missing,
                    sample.meta,
                    next_step=f"the task has {', '.join(sample.meta) or 'none'}",
                )
            )


def _by_group(samples: Iterable[Sample], fields: Sequence[str]) -> dict[str, str]:
    def group(sample: Sample) -> tuple[Scalar, ...]:
        return tuple(sample.meta.get(name) for name in fields)

    counts: dict[tuple[Scalar, ...], Counter[str]] = defaultdict(Counter)
    for sample in samples:
        # dict.fromkeys keeps the references' order, so that a tie goes to the better form.
        counts[group(sample)].update(list(dict.fromkeys(sample.references)))
    frequent = {key: counter.most_common(1)[0][0] for key, counter in counts.items()}
    return {sample.id: frequent[group(sample)] for sample in samples}


def _drawn(samples: Iterable[Sample], seed: int) -> dict[str, str]:
    """From a sample's choices, or from all first references as often as they occur."""
    references = sorted(sample.references[0] for sample in samples)
    drawn = {}
    for sample in samples:
        options = sample.choices or references
        drawn[sample.id] = options[_draw(len(options), seed, sample.id)]
    return drawn


def _draw(count: int, seed: int, sample_id: str) -> int:
    """A number below `count` that depends on seed and id alone, whatever the order of samples."""
    digest = hashlib.sha256(f"{seed}:{sample_id}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8]) % count
