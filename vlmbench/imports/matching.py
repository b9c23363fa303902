"""Predictions to the samples of a task: by id, or by question and image; never by position.

An id alone proves little, as harnesses count rows in their own order. So an id counts only where
question or reference of the prediction, if the file has them, are the sample's.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vlmbench.imports.predictions import Prediction
from vlmbench.records import JournalSample, Sample
from vlmbench.tasks.filters import as_list

_MARKS = re.compile(r"<image(?: ?\d+)?>|\s")
"""Places of images and white space, which harnesses write in ways of their own."""

_DIGEST = re.compile("[0-9a-f]{16}")
"""As `Image.digest` has it."""

_LEAST_LETTERS = 2
"""A shorter text of a row is no question."""


@dataclass(frozen=True, slots=True)
class Target:
    """A sample, as predictions are compared with it."""

    id: str
    prompt: str
    """The task's prompt, normalized."""
    question: str
    """The longest text of the row that is part of the prompt, normalized."""
    choices: tuple[str, ...]
    """Normalized."""
    references: frozenset[str]
    """Normalized."""
    digests: frozenset[str]
    """Of its images."""
    files: frozenset[str]
    """Names of its image files without their folders, where the data has them."""


@dataclass(slots=True)
class Matches:
    """What came of the predictions of some files."""

    found: dict[str, Prediction] = field(default_factory=dict)
    """By sample id."""
    by_id: int = 0
    by_question: int = 0
    ambiguous: list[Prediction] = field(default_factory=list)
    """Those that several samples fit, and those that fit the same sample."""
    unknown: list[Prediction] = field(default_factory=list)
    """Those that no sample fits."""


def make_target(sample: Sample, asked: JournalSample) -> Target:
    """The target of a sample; `asked` is what the task's prompt makes of it."""
    prompt = normalized("".join(one for one in asked.prompt if isinstance(one, str)))
    texts = (normalized(text) for text in _texts(sample.row))
    inside = [text for text in texts if len(text) >= _LEAST_LETTERS and text in prompt]
    return Target(
        id=sample.id,
        prompt=prompt,
        question=max(inside, key=len, default=""),
        choices=tuple(map(normalized, sample.choices)),
        references=frozenset(map(normalized, sample.references)),
        digests=frozenset(asked.images),
        files=frozenset(_file_name(image.name) for image in sample.images if image.name),
    )


def match(predictions: Sequence[Prediction], targets: Sequence[Target]) -> Matches:
    """Give each prediction the one sample that it fits, if there is one."""
    matches = Matches()
    by_id = {one.id: one for one in targets}
    by_prompt: dict[str, list[Target]] = defaultdict(list)
    for one in targets:
        by_prompt[one.prompt].append(one)
    claims: dict[str, list[tuple[Prediction, bool]]] = defaultdict(list)
    for prediction in predictions:
        same = by_id.get(prediction.id or "")
        if same is not None and _agrees(prediction, same):
            claims[same.id].append((prediction, True))
            continue
        fitting = _fitting(prediction, targets, by_prompt)
        if len(fitting) == 1:
            claims[fitting[0].id].append((prediction, False))
        else:
            (matches.ambiguous if fitting else matches.unknown).append(prediction)
    for name, claimed in claims.items():
        if len(claimed) > 1:
            matches.ambiguous += (prediction for prediction, _ in claimed)
            continue
        ((matches.found[name], with_id),) = claimed
        matches.by_id += with_id
        matches.by_question += not with_id
    return matches


def normalized(text: str) -> str:
    """NFKC, without white space and marks of images."""
    return _MARKS.sub("", unicodedata.normalize("NFKC", text)).casefold()


def _agrees(prediction: Prediction, target: Target) -> bool:
    """Whether nothing that the prediction says contradicts the sample of its id."""
    if _same_image(prediction, target) is False or _other_letter(prediction, target):
        return False
    if prediction.question is not None:
        return _asks(prediction, normalized(prediction.question), target)
    return not prediction.references or _has_reference(prediction, target)


def _fitting(
    prediction: Prediction, targets: Sequence[Target], by_prompt: Mapping[str, Sequence[Target]]
) -> list[Target]:
    """The samples that question, image and reference fit."""
    if prediction.question is None:
        return []
    question = normalized(prediction.question)
    fitting = list(by_prompt.get(question, ())) or [
        one for one in targets if one.question and _asks(prediction, question, one)
    ]
    # "What color?" is part of "What color is the car?", so the longest question counts.
    longest = max((len(one.question) for one in fitting), default=0)
    fitting = [
        one
        for one in fitting
        if len(one.question) == longest and not _other_letter(prediction, one)
    ]
    same = {one.id: _same_image(prediction, one) for one in fitting}
    fitting = [one for one in fitting if same[one.id]] or [
        one for one in fitting if same[one.id] is None
    ]
    if len(fitting) > 1 and prediction.references:
        fitting = [one for one in fitting if _has_reference(prediction, one)] or fitting
    return fitting


def _asks(prediction: Prediction, question: str, target: Target) -> bool:
    """Whether a normalized question, with the prediction's choices, is the sample's."""
    if question == target.prompt:
        return True
    if not target.question or target.question not in question:
        return False
    if question == target.question and not prediction.choices:
        return True  # options are neither in the question nor beside it
    if prediction.choices:
        return tuple(map(normalized, prediction.choices)) == target.choices
    position = question.find(target.question) + len(target.question)
    for choice in target.choices:  # in this order, as a letter is a place among them
        position = question.find(choice, position)
        if position < 0:
            return False
    return True


def _other_letter(prediction: Prediction, target: Target) -> bool:
    """Whether the right option has another letter there, as where options were rotated."""
    letters = [one for one in prediction.references if re.fullmatch("[A-Z]", one)]
    return bool(target.choices and letters) and not _has_reference(prediction, target)


def _same_image(prediction: Prediction, target: Target) -> bool | None:
    """Whether both name the same image; None where they name none in the same way."""
    digests = {one for one in prediction.images if _DIGEST.fullmatch(one)}
    if digests and target.digests:
        return bool(digests & target.digests)
    files = {_file_name(one) for one in prediction.images} - digests
    if files and target.files:
        return bool(files & target.files)
    return None


def _has_reference(prediction: Prediction, target: Target) -> bool:
    given = {normalized(text) for text in prediction.references}
    given |= {normalized(text) for one in prediction.references for text in _listed(one)}
    return bool(given & target.references)


def _listed(text: str) -> Iterator[str]:
    """The elements of a text that is a Python or JSON list."""
    if text.startswith("["):
        yield from (str(one) for one in as_list(text))


def _file_name(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2]


def _texts(value: Any) -> Iterator[str]:
    """Every text of a row, also inside of lists and structs."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
