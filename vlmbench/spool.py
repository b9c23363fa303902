"""Sequences that may be longer than memory: what does not fit lies in temporary files.

Spool        items in their order, read as often as need be
Backlog      a queue between two threads
sorted_keys  lines by key, sorted
"""

from __future__ import annotations

import heapq
import itertools
import pickle
import tempfile
import threading
import weakref
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from operator import itemgetter
from typing import IO, Any, Generic, TypeAlias, TypeVar

TOGETHER = 256
"""Items that are written together."""

IN_MEMORY = 1 << 20
"""Bytes that are held before a file is made."""

RUN = 1 << 14
"""Lines that are sorted at a time."""

Item = TypeVar("Item")

Keyed: TypeAlias = tuple[str, int, str]
"""A key, the number of its line in the order of coming, and the line."""


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
            pickle.dump(together, self._file, pickle.HIGHEST_PROTOCOL)
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
                pickle.dump(self._last, self._file, pickle.HIGHEST_PROTOCOL)
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


def sorted_keys(lines: Iterable[tuple[str, str]]) -> Iterator[Keyed]:
    """Lines in the order of their keys, which are compared by code points.

    Args:
        lines: (key, line); taken at once.
    """
    numbered = ((key, number, line) for number, (key, line) in enumerate(lines))
    runs: list[Iterable[Keyed]] = []
    while run := sorted(itertools.islice(numbered, RUN)):
        if len(run) < RUN:
            runs.append(run)
            break
        runs.append(Spool(run, pack=_same, unpack=_same))
    return heapq.merge(*runs, key=itemgetter(0, 1))


def _same(item: Keyed) -> Keyed:
    return item


def _file(owner: object) -> IO[bytes]:
    """A file that is gone when its owner is; none at all while there is little in it."""
    made = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - closed with its owner
    weakref.finalize(owner, made.close)
    return made
