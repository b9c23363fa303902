"""What the readers of other harnesses' files give: predictions, and their origin."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from vlmbench.errors import DataError, UsageError
from vlmbench.schema import read_jsonl

MOST = 2**40
"""Numbers from here on are no count, time or figure."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer, with whatever says which sample it is for."""

    place: str
    """File and line, for messages."""
    text: str | None
    """None where the harness got no answer."""
    error: str = ""
    """Why not."""
    id: str | None = None
    question: str | None = None
    """The prompt that the harness sent, or the question in it."""
    choices: tuple[str, ...] = ()
    """Options that stand beside the question, not in it."""
    references: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    """Names of image files, or digests of their bytes."""
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    seconds: float | None = None
    finish: Literal["stop", "length"] | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that the harness stored of all its answers."""

    name: str
    """What the harness calls it."""
    value: float
    """On the scale of our metric."""
    metric: str
    """The metric of ours that computes the same."""


@dataclass(frozen=True, slots=True)
class HarnessFiles:
    """All that a harness's files say."""

    harness: str
    predictions: tuple[Prediction, ...]
    version: str | None = None
    """As the files record it."""
    model: str | None = None
    prompts: bool = False
    """Whether `question` is the whole text that the model was sent."""
    figures: tuple[Figure, ...] = field(default=())

    def with_usable_ids(self) -> HarnessFiles:
        """Without ids that stand there twice, as where each file of several counts from 0."""
        counts = Counter(one.id for one in self.predictions)
        return replace(
            self,
            predictions=tuple(
                one if one.id is None or counts[one.id] == 1 else replace(one, id=None)
                for one in self.predictions
            ),
        )


Reader: TypeAlias = Callable[[Sequence[Path]], HarnessFiles]


def files_of(paths: Iterable[Path], pattern: str) -> list[Path]:
    """The given files, and those of a pattern below the given folders.

    Raises:
        UsageError: There is no such file or folder, or a folder holds none.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_file():
            found.append(path)
            continue
        if not path.is_dir():
            raise UsageError(f"There is no file or folder {path}; check the path.")
        inside = sorted(path.rglob(pattern))
        if not inside:
            raise UsageError(f"There is no {pattern} below {path}; give the files themselves.")
        found += inside
    return found


def read_lines(path: Path, needed: Sequence[str]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """The objects of a JSON Lines file, each with its place.

    Args:
        needed: Keys that each of them has if the file is of the harness.

    Raises:
        DataError: The file cannot be read, or a key is missing.
    """
    for number, line in read_jsonl(path, advice="give a file that the harness wrote"):
        missing = [key for key in needed if key not in line]
        if missing:
            raise DataError(
                f"Line {number} of {path} has no '{missing[0]}' but {', '.join(list(line)[:8])}; "
                "give a file of this format ('vlmbench import --help')."
            )
        yield f"line {number} of {path.name}", line


def read_object(text: str) -> Mapping[str, Any]:
    """The one JSON object of a text; an empty one if it is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def object_of(path: Path) -> Mapping[str, Any]:
    """The one JSON object in a file; an empty one if there is no file or it holds another."""
    try:
        return read_object(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def as_texts(value: Any) -> tuple[str, ...]:
    """A text, a number or a list of these as texts; nothing for None."""
    if value is None:
        return ()
    values = value if isinstance(value, list | tuple) else [value]
    return tuple(str(one) for one in values if one is not None)


def as_text(value: Any) -> str | None:
    """A text or a number as a text; None for anything else."""
    return str(value) if isinstance(value, str | int | float) else None


def as_count(value: Any) -> int | None:
    """A whole number above 0; None for anything else, also for the 0 that means "not known"."""
    known = isinstance(value, int) and not isinstance(value, bool)
    return value if known and 0 < value < MOST else None


def as_number(value: Any) -> float | None:
    """A number; None for anything else, also for infinities."""
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if known and abs(value) < MOST else None
