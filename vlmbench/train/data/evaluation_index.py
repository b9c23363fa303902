"""What the evaluation tasks hold, in the form in which training data is compared with it."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.errors import DataError
from vlmbench.executors.answer_cache import default_cache
from vlmbench.records import Sample, TextPart, stable_hash
from vlmbench.tasks.prompt import build_parts
from vlmbench.tasks.samples import read_samples
from vlmbench.tasks.sources import data_fingerprint
from vlmbench.tasks.spec import TaskSpec
from vlmbench.train.data.fingerprints import (
    PictureFingerprint,
    TextIndex,
    fingerprint,
    hash_array,
    normalized,
)

if TYPE_CHECKING:
    from vlmbench.train.data.fingerprints import Hashes

_FORMAT = 1
"""Of the cached files; another one is computed anew."""
_ID_COLUMNS = {
    "coco_id": "coco",
    "coco_image_id": "coco",
    "cocoid": "coco",
    "flickr_id": "flickr",
    "vg_id": "vg",
    "visual_genome_id": "vg",
    "image_id": "image_id",
    "img_id": "image_id",
}
_ID_PATTERNS = (
    ("coco", re.compile(r"COCO_(?:train|val|test)20\d\d_0*([1-9]\d*)(?:\.\w+)?$")),
    ("coco", re.compile(r"(?:^|/)(?=\d{12}\.)0*([1-9]\d*)\.\w+$")),
    ("flickr", re.compile(r"staticflickr\.com/(?:\d+/)*(\d{5,})_")),
    ("vg", re.compile(r"VG_100K(?:_2)?/([1-9]\d*)\.\w+$")),
)
_SHORTEST_QUESTION = 5
"""Characters from which on a column's text in the prompt counts as the question."""


@dataclass(frozen=True, slots=True)
class EvaluationSample:
    """A sample of a task, without its pictures."""

    task: str
    id: str
    pictures: tuple[PictureFingerprint, ...]
    """Of those that could be decoded."""
    ids: tuple[str, ...]
    """See `known_ids`."""
    question: str
    """Normalized: what the data adds to the prompt, or the prompt where it adds nothing."""
    answers: tuple[str, ...]
    """Normalized references."""
    unreadable: int = 0
    """Pictures that could not be decoded, so that copies of them are not found."""


class EvaluationIndex:
    """Samples of evaluation tasks by picture, id and text."""

    def __init__(self, samples: Iterable[EvaluationSample]) -> None:
        self.samples = tuple(samples)
        self.pictures: tuple[PictureFingerprint, ...] = tuple(
            {
                picture.pixels: picture for sample in self.samples for picture in sample.pictures
            }.values()
        )
        """Different ones only."""
        self.positions = {
            picture.pixels: position for position, picture in enumerate(self.pictures)
        }
        """Pixel digest -> position in `pictures`."""
        self._shown: dict[str, list[int]] = defaultdict(list)
        self._by_id: dict[str, list[int]] = defaultdict(list)
        for position, sample in enumerate(self.samples):
            for pixels in {picture.pixels for picture in sample.pictures}:
                self._shown[pixels].append(position)
            for name in sample.ids:
                self._by_id[name].append(position)

    @classmethod
    def of_tasks(cls, tasks: Sequence[TaskSpec]) -> EvaluationIndex:
        """The index of all samples of some tasks.

        A task's part is kept in the user's cache under the fingerprint of its data, so that only
        the first training pays for it.

        Raises:
            DataError: A task's data cannot be read.
        """
        return cls(sample for task in tasks for sample in _task_samples(task))

    def showing(self, picture: int) -> Sequence[EvaluationSample]:
        """The samples that show the picture of that position."""
        return [self.samples[one] for one in self._shown[self.pictures[picture].pixels]]

    def with_id(self, name: str) -> Sequence[EvaluationSample]:
        """The samples with an id as `known_ids` writes it."""
        return [self.samples[one] for one in self._by_id.get(name, ())]

    def with_text(self, text: str) -> dict[int, float]:
        """Positions of the samples whose question with an answer is about this text.

        Args:
            text: A normalized question with its normalized answer behind it.

        Returns:
            The similarity by position, 0.8 to 1.
        """
        best: dict[int, float] = {}
        for text_position, similarity in self._texts.query(text).items():
            position = self._text_owners[text_position]
            best[position] = max(similarity, best.get(position, 0.0))
        return best

    @cached_property
    def hashes(self) -> tuple[Hashes, Sequence[int]]:
        """The perceptual hashes, then those of the mirror images; and the picture of each."""
        hashed = [position for position, one in enumerate(self.pictures) if one.hash is not None]
        straight = [self.pictures[position].hash or b"" for position in hashed]
        mirrored = [self.pictures[position].mirrored or b"" for position in hashed]
        return hash_array([*straight, *mirrored]), hashed * 2

    @cached_property
    def _text_owners(self) -> list[int]:
        return [position for position, one in enumerate(self.samples) for _ in one.answers]

    @cached_property
    def _texts(self) -> TextIndex:
        return TextIndex(one.question + answer for one in self.samples for answer in one.answers)


def known_ids(values: Mapping[str, Any]) -> set[str]:
    """The ids of pictures among a row's values, such as `coco:391895`.

    COCO, Flickr and Visual Genome ids are read from columns of that name, from file names and
    from URLs. An `image_id` says not whose it is and stays `image_id:...`.
    """
    found = set()
    for name, value in values.items():
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # what pandas makes of numbers beside a missing one
        if isinstance(value, bool | float) or not isinstance(value, int | str):
            continue
        text = str(value).strip().removesuffix(".0")
        family = _ID_COLUMNS.get(name.lower())
        if family is not None and re.fullmatch(r"0*[1-9]\d*|\w*[A-Za-z]\w*", text):
            found.add(f"{family}:{text.lstrip('0')}")
        for family, pattern in _ID_PATTERNS:
            found.update(f"{family}:{match[1]}" for match in pattern.finditer(text))
    return found


def _task_samples(task: TaskSpec) -> list[EvaluationSample]:
    parts = [_FORMAT, data_fingerprint(task), task.fields_fingerprint, task.prompt]
    folder = default_cache().parent / "contamination"
    path = folder / f"{task.name}-{stable_hash(parts)}.json"
    cached = _read_cached(path)
    if cached is not None:
        return cached
    samples = [_evaluation_sample(task, sample) for sample in read_samples(task)]
    _write_cached(path, samples)
    return samples


def _read_cached(path: Path) -> list[EvaluationSample] | None:
    """The samples in a cached file; None if it is absent or damaged."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return [
            EvaluationSample(
                task=row["task"],
                id=row["id"],
                pictures=tuple(
                    PictureFingerprint(pixels, _from_hex(straight), _from_hex(mirrored))
                    for pixels, straight, mirrored in row["pictures"]
                ),
                ids=tuple(row["ids"]),
                question=row["question"],
                answers=tuple(row["answers"]),
                unreadable=row["unreadable"],
            )
            for row in rows
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_cached(path: Path, samples: Sequence[EvaluationSample]) -> None:
    rows = [
        {
            **asdict(sample),
            "pictures": [
                [one.pixels, *(value and value.hex() for value in (one.hash, one.mirrored))]
                for one in sample.pictures
            ],
        }
        for sample in samples
    ]
    temporary = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
        temporary.replace(path)
    except OSError:
        # A full or read-only cache costs the next training this pass again, and nothing else.
        with contextlib.suppress(OSError):
            temporary.unlink()


def _from_hex(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)


def _evaluation_sample(task: TaskSpec, sample: Sample) -> EvaluationSample:
    pictures = []
    for image in sample.images:
        try:
            pictures.append(fingerprint(image))
        except DataError:
            continue
    return EvaluationSample(
        task=task.name,
        id=sample.id,
        pictures=tuple(pictures),
        ids=tuple(sorted(known_ids({**sample.row, **sample.meta}))),
        question=_question(task, sample),
        answers=tuple(dict.fromkeys(filter(None, map(normalized, sample.references)))),
        unreadable=len(sample.images) - len(pictures),
    )


def _question(task: TaskSpec, sample: Sample) -> str:
    """The row's texts that the prompt shows: without the words that all samples share."""
    parts = build_parts(task, sample)
    prompt = normalized("".join(part.text for part in parts if isinstance(part, TextPart)))
    choices = set(map(normalized, sample.choices))
    shown = {
        text
        for text in map(normalized, _texts(sample.row))
        if len(text) >= _SHORTEST_QUESTION and text in prompt and text not in choices
    }
    whole = [text for text in shown if not any(text in other for other in shown - {text})]
    return "".join(sorted(whole, key=prompt.index)) or prompt


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
