"""What may be larger than memory: what does not fit lies in temporary files.

Spool        items in their order, read as often as need be
Column       numbers in their order
Index        a number for each text
Backlog      a queue between two threads
sorted_keys  lines by key, sorted

Each holds a fixed amount of memory, however much there is.
"""

from __future__ import annotations

import heapq
import itertools
import pickle
import sqlite3
import tempfile
import threading
import weakref
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from vlmbench.errors import TemporaryError

TOGETHER = 64
"""Items that are written together."""

IN_MEMORY = 1 << 18
"""Bytes that are held before a file is made."""

RUN = 1 << 12
"""Lines that are sorted at a time."""

MERGED = 32
"""Sorted runs that are merged at a time."""

Item = TypeVar("Item")

Keyed: TypeAlias = tuple[str, str]
"""A key and its line."""


class Spool(Collection[Item]):
    """Items in their order.

    Args:
        items: Taken at once.
        pack: What to write of an item; whatever `pickle` takes quickly.
        unpack: Makes an item of that again.
    """

    def __init__(
        self, items: Iterable[Item], *, pack: Callable[[Item], Any], unpack: Callable[[Any], Item]
    ) -> None:
        self._unpack = unpack
        self._file = _file(self)
        self._length = 0
        packed = map(pack, items)
        while together := list(itertools.islice(packed, TOGETHER)):
            _dump(together, self._file)
            self._length += len(together)

    def __len__(self) -> int:
        return self._length

    def __contains__(self, wanted: object) -> bool:
        return any(item == wanted for item in self)

    def __iter__(self) -> Iterator[Item]:
        position = taken = 0
        while taken < self._length:
            self._file.seek(position)  # others may be reading too
            together = pickle.load(self._file)
            position = self._file.tell()
            taken += len(together)
            yield from map(self._unpack, together)


class Backlog(Generic[Item]):
    """A queue: one thread may put what another one takes. Items are what `pickle` takes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._first: deque[Item] = deque()
        self._last: list[Item] = []
        self._file = _file(self)
        self._places: deque[int] = deque()
        """Where in the file the items lie that are neither first nor last."""

    def put(self, item: Item) -> None:
        """Add an item at the end."""
        with self._lock:
            self._last.append(item)
            if len(self._last) == TOGETHER:
                self._places.append(self._file.seek(0, 2))
                _dump(self._last, self._file)
                self._last = []

    def take_all(self) -> Iterator[Item]:
        """Take items from the start until there are none."""
        while True:
            with self._lock:
                if not self._first and not self._refill():
                    return
                item = self._first.popleft()
            yield item

    def _refill(self) -> bool:
        if self._places:
            self._file.seek(self._places.popleft())
            self._first.extend(pickle.load(self._file))
            if not self._places:  # all that was written has been read
                self._file.seek(0)
                self._file.truncate()
        else:
            self._first.extend(self._last)
            self._last = []
        return bool(self._first)


class Column:
    """Numbers of one type, added one after the other and read a stretch at a time.

    Args:
        dtype: Their type.
        together: How many are read at a time.
    """

    def __init__(self, dtype: DTypeLike, together: int) -> None:
        self._last = np.empty(together, dtype)
        self._held = self._stretches = 0
        self._file = _file(self)

    def append(self, number: float) -> None:
        """Add a number at the end."""
        self._last[self._held] = number
        self._held += 1
        if self._held == len(self._last):
            with temporary_files():
                self._file.seek(0, 2)
                self._file.write(self._last.data)
            self._held = 0
            self._stretches += 1

    def __len__(self) -> int:
        return self._stretches * len(self._last) + self._held

    def stretch(self, number: int) -> NDArray[Any]:
        """The numbers from `number * together` on, at most `together`."""
        if number == self._stretches:
            return self._last[: self._held]
        self._file.seek(number * self._last.nbytes)
        return np.frombuffer(self._file.read(self._last.nbytes), self._last.dtype)


class Index:
    """A number for each text. One thread may ask while another one puts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._length = 0
        with temporary_files(), tempfile.NamedTemporaryFile() as file:
            # SQLite opens it now, and keeps what it needs in it though its name is gone.
            self._database = sqlite3.connect(
                file.name, isolation_level=None, check_same_thread=False
            )
        weakref.finalize(self, self._database.close)
        for statement in (
            "PRAGMA journal_mode = OFF",
            "PRAGMA locking_mode = EXCLUSIVE",
            "CREATE TABLE numbers (text BLOB PRIMARY KEY, number INTEGER) WITHOUT ROWID",
            "BEGIN",  # and never an end, which would write the pages each time
        ):
            self._database.execute(statement)

    def __len__(self) -> int:
        return self._length

    def put(self, text: str, number: int) -> bool:
        """Give a text a number, in place of the one that it may have; whether it had none."""
        key = _key(text)
        with self._lock, temporary_files():
            added = self._database.execute(
                "INSERT OR IGNORE INTO numbers VALUES (?, ?)", (key, number)
            )
            if added.rowcount:
                self._length += 1
                return True
            self._database.execute("UPDATE numbers SET number = ? WHERE text = ?", (number, key))
            return False

    def find(self, text: str) -> int | None:
        """The number of a text; None if it has none."""
        with self._lock, temporary_files():
            found = self._database.execute(
                "SELECT number FROM numbers WHERE text = ?", (_key(text),)
            ).fetchone()
        return None if found is None else int(found[0])

    def numbers(self) -> Iterator[int]:
        """All numbers, the smallest first."""
        with self._lock, temporary_files():
            rows = self._database.execute("SELECT number FROM numbers ORDER BY number")
        while True:
            with self._lock, temporary_files():
                some = rows.fetchmany(TOGETHER)
            if not some:
                return
            yield from (number for (number,) in some)


def _key(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def sorted_keys(lines: Iterable[Keyed]) -> Iterator[Keyed]:
    """Lines in the order of their keys, which are compared by code points.

    Args:
        lines: Taken at once. No key stands twice.
    """
    lines = iter(lines)
    levels: list[list[Iterable[Keyed]]] = [[]]
    while run := sorted(itertools.islice(lines, RUN)):
        levels[0].append(run if len(run) < RUN else _spooled(run))
        for number, level in enumerate(levels):
            if len(level) == MERGED:  # few files are open at a time, however many lines there are
                levels[number + 1 :] = levels[number + 1 :] or [[]]
                levels[number + 1].append(_spooled(heapq.merge(*level)))
                level.clear()
    return heapq.merge(*itertools.chain.from_iterable(levels))


def _spooled(lines: Iterable[Keyed]) -> Spool[Keyed]:
    return Spool(lines, pack=_same, unpack=_same)


def _same(item: Keyed) -> Keyed:
    return item


@contextmanager
def temporary_files() -> Iterator[None]:
    """Says in a sentence that temporary files cannot be written.

    Raises:
        TemporaryError: Instead of an error of the file system or of SQLite.
    """
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise TemporaryError(
            f"Temporary files cannot be written in {tempfile.gettempdir()} ({reason}); make room "
            "there or name another folder in TMPDIR, then run the same command: answers that are "
            "in the journal stay."
        ) from error


def _dump(items: list[Any], file: IO[bytes]) -> None:
    with temporary_files():
        pickle.dump(items, file, pickle.HIGHEST_PROTOCOL)
        file.flush()  # now, where an error can be said


def _file(owner: object) -> IO[bytes]:
    """A file that is gone when its owner is; none at all while there is little in it."""
    made = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - closed with its owner
    weakref.finalize(owner, _close, made)
    return made


def _close(file: IO[bytes]) -> None:
    with suppress(OSError):  # what could not be written is of no use any more
        file.close()
