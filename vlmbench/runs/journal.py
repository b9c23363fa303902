"""The journal of a run: append-only JSON Lines, the only truth about what a model answered.

    {"type": "header", ...}     first line: what model, task, data, prompt and code it is about
    {"type": "session", ...}    a call of `vlmbench run` begins to ask
    {"type": "response", ...}   an answer, or the error in its place; the last one of a key counts
    {"type": "end", ...}        the call ended by itself

A process may be killed at any byte. What is complete up to a line's end is kept; the rest of the
last line is cut off when the journal is opened again.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import TracebackType
from typing import Any

from vlmbench.environment import Memory
from vlmbench.errors import JournalError
from vlmbench.records import SCHEMA_VERSION, Response, ResponseError, Scalar
from vlmbench.runs.directory import canonical_json
from vlmbench.runs.stored_lines import StoredLines

SYNC_SECONDS = 1.0
"""How much work a power cut may cost; a killed process loses none."""

_RESPONSE_FIELDS = tuple(one.name for one in fields(Response))

FINGERPRINTS = ("model", "task", "data", "variant", "prompt", "code")

_DECIDING = {
    "model": ("runner", "revision", "dtype", "options"),
    "task": ("fields", "metrics", "slices"),
    "prompt": ("prompt", "system", "generation"),
}
"""The keys of the specs that a fingerprint is made of."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a journal is about; all that scoring needs besides the task's data."""

    model: Mapping[str, Any]
    """`ModelSpec.as_dict`."""
    task: Mapping[str, Any]
    """`TaskSpec.as_dict`."""
    origin: str | None
    """The task's YAML file, for a task that does not ship with vlmbench."""
    fingerprints: Mapping[str, str]
    """By the names in FINGERPRINTS, `variant` only where there is one. A journal is continued only
    if all are equal."""
    variant: Mapping[str, Any] | None = None
    """`Variant.as_dict`, for a run that asks otherwise than the task does."""
    schema_version: int = SCHEMA_VERSION


@dataclass(slots=True)
class Session:
    """One call of `vlmbench run`."""

    created: str
    """ISO 8601, UTC."""
    limit: int | None
    seed: int
    environment: Mapping[str, Scalar]
    seconds: float = 0.0
    """From the first request to the last response."""
    answered: int = 0
    """Responses with a text that the model gave now, not the cache."""
    peak_memory_mib: float | None = None
    """Of all its processes; None if the call was killed."""
    peak_device_memory_mib: float | None = None
    """Of all GPUs; None if there was none, or the call was killed."""


@dataclass(slots=True)
class JournalContent:
    """What a journal says, read as a whole."""

    header: Header
    sessions: list[Session] = field(default_factory=list)
    responses: Mapping[str, Response] = field(default_factory=dict)
    """By sample id, the last one of each; they stay in the file until they are asked for."""
    damaged: list[int] = field(default_factory=list)
    """Numbers of lines that cannot be read, from 1; their samples count as not asked."""


def read_journal(path: Path) -> JournalContent:
    """Read a journal without changing it; an unfinished last line is passed over.

    Raises:
        JournalError: There is none, or its first line is not a header.
    """
    try:
        content = _read(path)[0]
    except OSError as error:
        raise JournalError(
            f"The journal {path} cannot be read ({error.strerror}); give a run directory that "
            "'vlmbench run' wrote."
        ) from error
    if content is None:
        raise JournalError(f"The journal {path} is empty; run the model on the task again.")
    return content


class Journal:
    """A journal that is open for writing, by one process at a time.

    Args:
        path: The file; its directory is made if need be.
        header: What the run is about.
        fresh: Drop whatever the journal holds.

    Raises:
        JournalError: The file cannot be written, another process writes it, or it is about
            something else than `header` says.
    """

    def __init__(self, path: Path, header: Header, *, fresh: bool = False) -> None:
        self.path = path
        self._fd = _open_locked(path)
        try:
            content, self._end = (None, 0) if fresh else _read(path)
            if content is not None:
                _check_same(path, content.header, header)
            os.ftruncate(self._fd, self._end)
            self._synced = time.monotonic()
            self._started = self._synced
            self.content = content or JournalContent(header, responses=_stored(path))
            if content is None:
                self._append({"type": "header", **asdict(header)})
        except OSError as error:
            os.close(self._fd)
            raise _unwritable(path, error) from error
        except BaseException:
            os.close(self._fd)
            raise

    def answered(self, key: str, sample_id: str) -> bool:
        """Whether the request is answered; one that ended in an error is to be asked again."""
        response = self.content.responses.get(sample_id)
        return response is not None and response.key == key and response.error is None

    def begin(self, session: Session) -> None:
        """Note that a call begins to ask."""
        self._started = time.monotonic()
        self.content.sessions.append(session)
        self._append(
            {
                "type": "session",
                "created": session.created,
                "limit": session.limit,
                "seed": session.seed,
                "environment": dict(session.environment),
            }
        )

    def add(self, response: Response) -> None:
        """Note a response; it survives whatever happens to the process afterwards."""
        elapsed = round(time.monotonic() - self._started, 3)
        offset = self._end
        self._append({"type": "response", "at": elapsed, **_response_line(response)})
        _count(self.content, response, elapsed, offset)

    def end(self, memory: Memory) -> None:
        """Note that the call ended by itself, and the most memory that it held."""
        values = {"peak_memory_mib": memory.host, "peak_device_memory_mib": memory.device}
        self._append({"type": "end", **values})
        _end(self.content, values)

    def close(self) -> None:
        """Make everything durable and let others write."""
        try:
            os.fsync(self._fd)
        except OSError as error:
            raise _unwritable(self.path, error) from error
        finally:
            os.close(self._fd)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
        if error is not None and not self.content.sessions:
            self._remove()

    def _remove(self) -> None:
        """Leaves no trace of a run that has not begun, as when the model cannot be loaded."""
        self.path.unlink(missing_ok=True)
        for folder in (self.path.parent, self.path.parent.parent):
            try:
                folder.rmdir()
            except OSError:  # it holds something else
                return

    def _append(self, line: dict[str, Any]) -> None:
        data = (canonical_json(line) + "\n").encode("utf-8", "backslashreplace")
        try:
            _write_all(self._fd, data, self._end)
            self._end += len(data)
            if time.monotonic() - self._synced > SYNC_SECONDS:
                os.fsync(self._fd)
                self._synced = time.monotonic()
        except OSError as error:
            raise _unwritable(self.path, error) from error


def _open_locked(path: Path) -> int:
    import fcntl

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise JournalError(
            f"Another run is writing {path}; wait for it, or choose another directory with --out."
        ) from error
    return descriptor


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    """Write at `offset`, or leave the file as long as it was."""
    written = 0
    try:
        while written < len(data):
            written += os.pwrite(descriptor, data[written:], offset + written)
    except OSError:
        os.ftruncate(descriptor, offset)
        raise


def _unwritable(path: Path, error: OSError) -> JournalError:
    return JournalError(
        f"The journal {path} cannot be written ({error.strerror}); make room or permission there "
        "or choose another directory with --out, then run the same command: answers that are in "
        "the journal stay."
    )


def _read(path: Path) -> tuple[JournalContent | None, int]:
    """What the complete lines say and where they end; None if not even the header is complete."""
    with path.open("rb") as handle:
        header = handle.readline()
        if not header.endswith(b"\n"):
            return None, 0
        content = JournalContent(_parse_header(path, header), responses=_stored(path))
        end = len(header)
        for number, line in enumerate(handle, 2):
            if not line.endswith(b"\n"):
                break
            try:
                _take(content, json.loads(line), end)
            except (ValueError, KeyError, TypeError, AttributeError):
                content.damaged.append(number)
            end += len(line)
    return content, end


def _stored(path: Path) -> StoredLines[Response]:
    return StoredLines(path, _parse_response_line)


def _parse_header(path: Path, line: bytes) -> Header:
    try:
        values = json.loads(line)
        version = values["schema_version"]
        known = {one.name: values[one.name] for one in fields(Header) if one.name != "variant"}
        header = Header(**known, variant=values.get("variant"))  # older journals have none
    except (ValueError, KeyError, TypeError) as error:
        raise JournalError(
            f"{path} does not begin with a journal's header; move it away, or start over with "
            "--fresh."
        ) from error
    if version != SCHEMA_VERSION:
        raise JournalError(
            f"{path} has schema version {version} where this vlmbench reads {SCHEMA_VERSION}; "
            "choose another directory with --out."
        )
    return header


def _take(content: JournalContent, line: dict[str, Any], offset: int) -> None:
    kind = line.pop("type")
    if kind == "response":
        elapsed = float(line.pop("at"))
        _count(content, _parse_response(line), elapsed, offset)
    elif kind == "session":
        content.sessions.append(Session(**line))
    elif kind == "end":
        _end(content, line)


def _end(content: JournalContent, values: Mapping[str, float | None]) -> None:
    if content.sessions:
        content.sessions[-1].peak_memory_mib = values["peak_memory_mib"]
        content.sessions[-1].peak_device_memory_mib = values.get("peak_device_memory_mib")


def _count(content: JournalContent, response: Response, elapsed: float, offset: int) -> None:
    assert isinstance(content.responses, StoredLines)
    content.responses.note(response.sample_id, offset)
    if content.sessions:
        session = content.sessions[-1]
        session.seconds = max(session.seconds, elapsed)
        session.answered += response.error is None and not response.cached


def _response_line(response: Response) -> dict[str, Any]:
    values = {name: getattr(response, name) for name in _RESPONSE_FIELDS}
    if response.error is not None:
        values["error"] = {"kind": response.error.kind, "message": response.error.message}
    return {name: value for name, value in values.items() if value is not None}


def _parse_response_line(data: bytes) -> tuple[str, Response]:
    line = json.loads(data)
    del line["type"], line["at"]
    response = _parse_response(line)
    return response.sample_id, response


def _parse_response(line: dict[str, Any]) -> Response:
    error = line.pop("error", None)
    return Response(**line, error=ResponseError(**error) if error is not None else None)


def _check_same(path: Path, there: Header, now: Header) -> None:
    for name in FINGERPRINTS:
        if there.fingerprints.get(name) != now.fingerprints.get(name):
            raise JournalError(
                f"{path} holds answers for another {name} ({_difference(name, there, now)}); "
                "choose another directory with --out, or drop them with --fresh."
            )


def _difference(name: str, there: Header, now: Header) -> str:
    """Which value it is that differs, as precisely as the headers tell."""
    old_side, new_side = (there.model, now.model) if name == "model" else (there.task, now.task)
    for key, old, new in _differing(old_side, new_side, ""):
        if key.partition(".")[0] in _DECIDING.get(name, ()):
            return f"{key}: {_shown(old)} there, {_shown(new)} now"
    old, new = there.fingerprints.get(name), now.fingerprints.get(name)
    return f"fingerprint {_shown(old)} there, {_shown(new)} now"


def _differing(old: Any, new: Any, key: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in [*old, *(name for name in new if name not in old)]:
            inner = f"{key}.{name}" if key else str(name)
            yield from _differing(old.get(name), new.get(name), inner)
    elif canonical_json(old) != canonical_json(new):
        yield key, old, new


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
