"""Where a run's files lie, and how its two derived files are read and written.

    <out>/<model>/<task>/journal.jsonl   the truth (journal.py)
    <out>/<model>/<task>/scores.jsonl    derived: a SampleScores a line, sorted by id
    <out>/<model>/<task>/run.json        derived: the RunRecord

A run that asks otherwise (without images, say) has the same files in a directory of its own,
<out>/<model>/<task>@<variant>.
Derived files are replaced as a whole, so a reader never sees half of one.
"""

from __future__ import annotations

import glob
import json
import math
import os
import re
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from vlmbench.errors import JournalError, UsageError
from vlmbench.records import SCHEMA_VERSION, RunRecord, SampleScores
from vlmbench.runs.shared import Shared

JOURNAL_NAME = "journal.jsonl"
SCORES_NAME = "scores.jsonl"
RECORD_NAME = "run.json"

MAX_NAME_LENGTH = 100
"""Bytes of a directory name; file systems allow 255."""


def safe_name(name: str) -> str:
    """A directory name for `name`: never empty, hidden, a path or too long for a file system.

    Letters of any script, digits, `.`, `_`, `+` and `-` stay; anything else becomes `-`.
    """
    cleaned = re.sub(r"[^\w.+-]+", "-", name).strip("-.")
    while len(cleaned.encode("utf-8", "replace")) > MAX_NAME_LENGTH:
        cleaned = cleaned[:-1]
    return cleaned.rstrip("-.") or "unnamed"


def canonical_json(value: Any) -> str:
    """The one way in which a value is written as a line of JSON: equal values, equal bytes."""
    return json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    )


@dataclass(frozen=True, slots=True)
class RunDir:
    """The directory of one model on one task."""

    path: Path

    @classmethod
    def of(cls, out: Path, model: str, task: str, variant: str | None = None) -> RunDir:
        """The directory of `model` on `task` below the output directory `out`."""
        name = safe_name(task) if variant is None else f"{safe_name(task)}@{safe_name(variant)}"
        return cls(out / safe_name(model) / name)

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return self.path / JOURNAL_NAME

    @property
    def scores(self) -> Path:
        """The sample scores' file."""
        return self.path / SCORES_NAME

    @property
    def record(self) -> Path:
        """The run record's file."""
        return self.path / RECORD_NAME

    def read_record(self, *, slices: bool = True) -> RunRecord:
        """The run record.

        Args:
            slices: With the estimates of slices, which are most of a record; what they hold is
                not looked at without.

        Raises:
            JournalError: It is missing, damaged or of another schema version.
        """
        text = _read_text(self.record, self.path)
        try:
            data = json.loads(text, parse_float=_finite, parse_constant=_finite)
            version = data.get("schema_version")
        except (ValueError, AttributeError, RecursionError) as error:
            raise JournalError(
                f"{self.record} is not a run record; derive it again with "
                f"'vlmbench score {self.path}'."
            ) from error
        if version != SCHEMA_VERSION:
            raise JournalError(
                f"{self.record} has schema version {version} where this vlmbench reads "
                f"{SCHEMA_VERSION}; derive it again with 'vlmbench score {self.path}'."
            )
        if not slices and isinstance(estimates := data.get("estimates"), list):
            data["estimates"] = [one for one in estimates if not _is_of_slice(one)]
        try:
            # Not `validate_json`, which refuses halves of surrogate pairs.
            return _record_adapter().validate_python(data)
        except ValidationError as error:
            raise JournalError(
                f"{self.record} has a wrong or missing field "
                f"'{_location(error)}'; derive it again with 'vlmbench score {self.path}'."
            ) from error

    def write_record(self, record: RunRecord) -> None:
        """Replace run.json."""
        text = json.dumps(
            asdict(record), ensure_ascii=False, indent=2, sort_keys=True, allow_nan=False
        )
        replace_file(self.record, [(text + "\n").encode("utf-8", "backslashreplace")])
        remove_leftovers(self.record)

    def read_scores(self) -> list[SampleScores]:
        """The sample scores, sorted by id.

        Raises:
            JournalError: The file is missing or damaged.
        """
        adapter, shared = _scores_adapter(), Shared()
        _check_is_file(self.scores, self.path)
        try:
            with self.scores.open("rb") as handle:
                return [
                    _in_little(self._parsed(adapter, number, line), shared)
                    for number, line in enumerate(handle, 1)
                    if line.endswith(b"\n")
                ]
        except OSError as error:
            raise _unreadable(self.scores, self.path, error.strerror) from error

    def _parsed(self, adapter: TypeAdapter[SampleScores], number: int, line: bytes) -> SampleScores:
        with suppress(ValidationError):
            return adapter.validate_json(line)
        try:
            # `validate_json`, which is twice as fast, refuses halves of surrogate pairs.
            return adapter.validate_python(json.loads(line))
        except (ValueError, RecursionError) as error:  # pydantic's is a ValueError too
            raise JournalError(
                f"{self.scores} is damaged at line {number}; derive it again with "
                f"'vlmbench score {self.path}'."
            ) from error

    def write_scores(self, rows: Iterable[SampleScores]) -> None:
        """Replace scores.jsonl; the same rows in any order give the same bytes."""
        ordered = (canonical_json(_as_json(row)) for row in sorted(rows, key=lambda row: row.id))
        replace_file(
            self.scores, (f"{line}\n".encode("utf-8", "backslashreplace") for line in ordered)
        )
        remove_leftovers(self.scores)


def _in_little(row: SampleScores, shared: Shared) -> SampleScores:
    """The same with what other rows have too."""
    return replace(
        row,
        slices=shared.mapping(row.slices),
        scores=shared.mapping(row.scores),
        cluster=row.id if row.cluster == row.id else row.cluster,
    )


def find_runs(roots: Sequence[Path]) -> list[RunDir]:
    """Every run below the given directories, each once, sorted by path.

    Args:
        roots: Run directories, model directories or output directories, in any mixture.

    Raises:
        UsageError: A root does not exist or holds no run.
    """
    found: dict[Path, RunDir] = {}
    for root in roots:
        if not root.is_dir():
            raise UsageError(
                f"There is no directory {root}; give the output directory of 'vlmbench run'."
            )
        candidates = (root, *root.glob("*/"), *root.glob("*/*/"))
        runs = [path for path in candidates if _is_run(path)]
        if not runs:
            raise UsageError(
                f"There is no run in {root}; make one with 'vlmbench run --out {root} ...'."
            )
        found.update({path.resolve(): RunDir(path) for path in runs})
    return [found[path] for path in sorted(found)]


def replace_file(path: Path, data: Iterable[bytes]) -> None:
    """Put `data`, piece by piece, in place of the file at once, durably.

    A device, such as /dev/stdout, is written to: a file in its place would take it from all other
    programs. A link stays one.

    Raises:
        JournalError: The directory cannot be written, or the disk is full; the old file stays.
    """
    from vlmbench.runs.lock import lock  # of POSIX systems

    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if _is_device(path):
            with path.open("wb") as stream:
                stream.writelines(data)
            return
        path = path.resolve()
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as handle:
            temporary = Path(handle.name)
            lock(handle.fileno())  # for `remove_leftovers` of others
            handle.writelines(data)
            handle.flush()
            os.fsync(handle.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
    except OSError as error:
        raise JournalError(
            f"{path} cannot be written ({error.strerror}); make room or permission there, or "
            "choose another directory."
        ) from error
    finally:
        if temporary is not None:  # it is still there only if something went wrong
            temporary.unlink(missing_ok=True)


def _is_device(path: Path) -> bool:
    """Whether it is in /dev, where /dev/stdout and /dev/fd are links that may lead to a file."""
    places = (path.absolute(), path.resolve())
    return any(one.is_relative_to("/dev") and not one.is_relative_to("/dev/shm") for one in places)


def remove_leftovers(path: Path) -> None:
    """Remove what `replace_file` has left beside the file where its process was killed."""
    from vlmbench.runs.lock import lock  # of POSIX systems

    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*"):
        with suppress(OSError), leftover.open("rb") as handle:
            if lock(handle.fileno()) is None:  # nobody writes it
                leftover.unlink()


def _finite(text: str) -> float:
    """A number of a record, which holds neither NaN nor infinities."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no number")
    return value


def _is_run(path: Path) -> bool:
    return (path / JOURNAL_NAME).is_file() or (path / RECORD_NAME).is_file()


def _is_of_slice(estimate: Any) -> bool:
    return isinstance(estimate, dict) and estimate.get("slice") is not None


def _read_text(path: Path, run: Path) -> str:
    _check_is_file(path, run)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise _unreadable(path, run, reason) from error


def _check_is_file(path: Path, run: Path) -> None:
    """A pipe would be waited for, and a device may have no end."""
    if path.exists() and not path.is_file():
        raise _unreadable(path, run, "it is no file")


def _unreadable(path: Path, run: Path, reason: str | None) -> JournalError:
    return JournalError(
        f"{path} cannot be read ({reason}); derive it again with 'vlmbench score {run}'."
    )


def _location(error: ValidationError) -> str:
    return ".".join(str(part) for part in error.errors()[0]["loc"])


@cache
def _record_adapter() -> TypeAdapter[RunRecord]:
    return TypeAdapter(RunRecord)


def _as_json(row: SampleScores) -> dict[str, Any]:
    # asdict would copy each number, which takes longer than scoring.
    scores = {name: score._asdict() for name, score in row.scores.items()}
    return {
        "id": row.id,
        "key": row.key,
        "slices": row.slices,
        "scores": scores,
        "cluster": row.cluster,
        "error": row.error,
    }


@cache
def _scores_adapter() -> TypeAdapter[SampleScores]:
    return TypeAdapter(SampleScores)
