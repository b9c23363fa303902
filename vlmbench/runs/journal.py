"""The journal of a run: append-only JSON Lines, the only truth about what a model answered.

    {"type": "header", ...}     first line: what model, task, data, prompt and code it is about
    {"type": "task", ...}       the task with other metrics or slices, which score the same answers
    {"type": "corpus", ...}     references of all samples, for a metric that looks at all of them
    {"type": "session", ...}    a call of `vlmbench run` begins
    {"type": "response", ...}   a sample: rendered prompt, image digests, references, choices, meta,
                                cluster, and the answer or the error in its place; the last counts
    {"type": "end", ...}        the call ended by itself

Nothing else is needed to score, judge, gate, compare or report, but for the pictures themselves.

A process may be killed at any byte. What is complete up to a line's end is kept; the rest of the
last line is cut off when the journal is opened again. Each line has a checksum (seal.py). A line
that is damaged counts as not there; a damaged header is written again, as a further line, when the
same run goes on: the sessions have its fingerprints too.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from vlmbench.environment import Memory
from vlmbench.errors import JournalError
from vlmbench.records import (
    JournalSample,
    Response,
    Scalar,
)
from vlmbench.runs.directory import canonical_json
from vlmbench.runs.journal_header import (
    Header,
    check_same,
    check_types,
    differing,
    parse_header,
    parse_overlap,
)
from vlmbench.runs.journal_lines import (
    parse_response,
    parse_sample,
    response_line,
    sample_line,
)
from vlmbench.runs.seal import sealed, unsealed
from vlmbench.runs.shared import Shared

SYNC_SECONDS = 1.0
"""How much work a power cut may cost; a killed process loses none."""


@dataclass(slots=True)
class Session:
    """One call of `vlmbench run`."""

    created: str
    """ISO 8601, UTC."""
    limit: int | None
    seed: int
    environment: Mapping[str, Scalar]
    total: int | None = None
    """Samples that the run is to answer, over all calls; None in a judge's journal."""
    available: int | None = None
    """Samples of which `total` are a part; None in a judge's journal and in older ones."""
    drawn: tuple[int, ...] | None = None
    """Positions in the data of the samples that a limit leaves; None without one, and in older
    journals, where it left the first ones."""
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
    responses: dict[str, Response] = field(default_factory=dict)
    """By sample id, the last one of each."""
    samples: dict[str, JournalSample] = field(default_factory=dict)
    """What was asked, by sample id; empty in a judge's journal."""
    corpus: list[tuple[tuple[str, ...], Mapping[str, Scalar]]] | None = None
    """References and meta of all samples of the task, also of those that were not asked; None if
    no metric of the task looks at them."""
    damaged: list[int] = field(default_factory=list)
    """Numbers of lines that cannot be read, from 1; their samples count as not asked."""
    repaired: bool = False
    """Whether a later line stands in for a damaged header."""

    def damage(self, path: Path) -> str | None:
        """A sentence about the lines that cannot be read; None if all can."""
        lines = [number for number in self.damaged if number > 1 or not self.repaired]
        if not lines:
            return None
        shown = ", ".join(map(str, lines[:5])) + (", ..." if len(lines) > 5 else "")
        return (
            f"Damage in {path}: line {shown} cannot be read and counts as not there; run the same "
            "'vlmbench run' again, which asks what was lost."
        )

    @property
    def asked(self) -> dict[str, JournalSample]:
        """The samples that the last call of `vlmbench run` was about."""
        last = self.sessions[-1] if self.sessions else None
        if last is None or last.limit is None:
            return self.samples
        positions = range(last.limit) if last.drawn is None else {*last.drawn}
        return {name: one for name, one in self.samples.items() if one.index in positions}


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
        fresh: Drop whatever the journal holds.

    Raises:
        JournalError: The file cannot be written, another process writes it, or it is about
            something else than `header` says.
    """

    def __init__(self, path: Path, header: Header, *, fresh: bool = False) -> None:
        self.path = path
        self._fd = _open_locked(path)
        try:
            content, self._end = (None, 0) if fresh else _read(path, header)
            if content is not None:
                check_same(path, content.header, header)
            os.ftruncate(self._fd, self._end)
            self._synced = time.monotonic()
            self._started = self._synced
            self.content = content or JournalContent(header)
            self.task_changes: tuple[str, ...] = ()
            """Keys of the task file that have changed without making an answer another one."""
            if content is None:
                self._append({"type": "header", **asdict(header)})
            else:
                if 1 in content.damaged and not content.repaired:
                    self._append({"type": "header", **asdict(header)})
                self._update_task(header)
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

    def keep_corpus(self, corpus: list[tuple[tuple[str, ...], Mapping[str, Scalar]]]) -> None:
        """Note the references and meta of all samples, once."""
        if self.content.corpus is None:
            self.content.corpus = corpus
            self._append({"type": "corpus", "samples": corpus})

    def begin(self, session: Session) -> None:
        """Note that a call begins to ask."""
        self._started = time.monotonic()
        self.content.sessions.append(session)
        self._append(
            {
                "type": "session",
                "fingerprints": self.content.header.fingerprints,
                "created": session.created,
                "limit": session.limit,
                "seed": session.seed,
                "environment": dict(session.environment),
                "total": session.total,
                "available": session.available,
                "drawn": session.drawn,
            }
        )

    def add(self, response: Response, sample: JournalSample | None = None) -> None:
        """Note a response; it survives whatever happens to the process afterwards.

        Args:
            response: The answer, or why there is none.
            sample: What was asked; None in a judge's journal.
        """
        elapsed = round(time.monotonic() - self._started, 3)
        line = {"type": "response", "at": elapsed, **response_line(response)}
        if sample is not None:
            line |= sample_line(sample)
        self._append(line)
        _count(self.content, response, sample, elapsed)

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

    def _update_task(self, header: Header) -> None:
        """Note a task whose metrics, slices or words about itself have changed."""
        there = self.content.header
        keys = {key for key, _, _ in differing(there.task, header.task, "")}
        self.task_changes = tuple(sorted({key.partition(".")[0] for key in keys} - {"data"}))
        line: dict[str, Any] = {
            "task": header.task,
            "origin": header.origin,
            "fingerprints": header.fingerprints,
        }
        changed = any(getattr(there, name) != value for name, value in line.items())
        if changed or there.overlap != header.overlap:
            overlap = asdict(header.overlap) if header.overlap else None
            self._append({"type": "task", **line, "overlap": overlap})
            self.content.header = replace(there, **line, overlap=header.overlap)

    def _remove(self) -> None:
        """Leaves no trace of a run that has not begun, as when the model cannot be loaded."""
        self.path.unlink(missing_ok=True)
        for folder in (self.path.parent, self.path.parent.parent):
            try:
                folder.rmdir()
            except OSError:  # it holds something else
                return

    def _append(self, line: dict[str, Any]) -> None:
        data = sealed(canonical_json(line))
        try:
            self._check_place()
            _write_all(self._fd, data, self._end)
            self._end += len(data)
            if time.monotonic() - self._synced > SYNC_SECONDS:
                os.fsync(self._fd)
                self._synced = time.monotonic()
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def _check_place(self) -> None:
        """See that the file is where it was and as long: what is written elsewhere is lost."""
        here = os.fstat(self._fd)
        try:
            there = self.path.stat()
        except FileNotFoundError:
            there = None
        if there is None or (there.st_ino, there.st_dev) != (here.st_ino, here.st_dev):
            raise JournalError(
                f"{self.path} was removed, moved or replaced while it was written; move it back if "
                "you can, then run the same command, which asks what is not in it."
            )
        if here.st_size < self._end:
            raise JournalError(
                f"{self.path} was cut from {self._end:,} to {here.st_size:,} bytes while it was "
                "written; run the same command again, which asks what was lost."
            )


def _open_locked(path: Path) -> int:
    from vlmbench.runs.lock import lock  # of POSIX systems

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise _unwritable(path, error) from error
    holder = lock(descriptor)
    if holder is not None:
        os.close(descriptor)
        raise JournalError(
            f"Another run is writing {path}{holder}; wait for it, or choose another directory with "
            "--out."
        )
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


def _read(path: Path, expected: Header | None = None) -> tuple[JournalContent | None, int]:
    """What the complete lines say and where they end; None if not even the header is complete.

    Args:
        expected: What the journal should be about, which stands in for a damaged header if a
            session of the journal has the same fingerprints.
    """
    if path.exists() and not path.is_file():
        raise JournalError(f"{path} is no file; choose another directory with --out.")
    with path.open("rb") as handle:
        first = handle.readline()
        if not first.endswith(b"\n"):
            return None, 0
        header = parse_header(path, first)
        content = JournalContent(header or _later_header(path, expected))
        if header is None:
            content.damaged.append(1)
        end = len(first)
        shared = Shared()
        for number, line in enumerate(handle, 2):
            if not line.endswith(b"\n"):
                break
            try:
                _take(content, unsealed(line), shared)
            except (ValueError, KeyError, TypeError, AttributeError):
                content.damaged.append(number)
            end += len(line)
    return content, end


def _later_header(path: Path, expected: Header | None) -> Header:
    """What stands in for a damaged first line: a header further down, or the expected one."""
    sessions = []
    with path.open("rb") as handle:
        for line in handle:
            if b'"type":"header"' in line and (header := parse_header(path, line)) is not None:
                return header
            if b'"type":"session"' in line:
                sessions.append(line)
    for line in sessions:
        try:
            fingerprints = unsealed(line).get("fingerprints")
        except (ValueError, AttributeError):
            continue
        if expected is not None and fingerprints is not None:
            check_same(path, replace(expected, fingerprints=fingerprints), expected)
            return expected
    advice = "move it away, or start over with --fresh"
    if sessions and expected is None:
        advice = f"run the same 'vlmbench run' again, which repairs it, or {advice}"
    raise JournalError(f"{path} does not begin with a journal's header; {advice}.")


def _take(content: JournalContent, line: dict[str, Any], shared: Shared) -> None:
    kind = line.pop("type")
    if kind == "response":
        elapsed = float(line.pop("at"))
        sample = parse_sample(line, shared)
        _count(content, parse_response(line, shared), sample, elapsed)
    elif kind == "header":
        content.repaired = True
    elif kind == "session":
        line.pop("fingerprints", None)
        drawn = line.pop("drawn", None)
        counts = (line["limit"], line["seed"], line.get("total"), line.get("available"))
        known = isinstance(line["created"], str) and isinstance(line["environment"], dict)
        if not known or not all(isinstance(one, int | None) for one in (*counts, *(drawn or ()))):
            raise TypeError("a field is of another type")
        content.sessions.append(Session(**line, drawn=None if drawn is None else tuple(drawn)))
    elif kind == "corpus":
        content.corpus = [(tuple(references), meta) for references, meta in line["samples"]]
    elif kind == "task":
        overlap = parse_overlap(line.pop("overlap", None))
        header = replace(content.header, **line, overlap=overlap)
        check_types(header)
        content.header = header
    elif kind == "end":
        _end(content, line)


def _end(content: JournalContent, values: Mapping[str, float | None]) -> None:
    if content.sessions:
        content.sessions[-1].peak_memory_mib = values["peak_memory_mib"]
        content.sessions[-1].peak_device_memory_mib = values.get("peak_device_memory_mib")


def _count(
    content: JournalContent, response: Response, sample: JournalSample | None, elapsed: float
) -> None:
    content.responses[response.sample_id] = response
    if sample is not None:
        content.samples[response.sample_id] = sample
    if content.sessions:
        session = content.sessions[-1]
        session.seconds = max(session.seconds, elapsed)
        session.answered += response.error is None and not response.cached
