"""How many requests a server gets at a time, found out while it works.

Twice as many after each round, until the server shows that it has enough; then one more after each
round. A round is as many answers as there may be requests. Fewer, by an eighth, when answers take
more than twice as long as they did at best; half as many after a failure.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

START = 2
SHORTEST_ROUND = 4
TOLERANCE = 2.0
"""How many times the best median latency still counts as well."""


class AdaptiveLimit:
    """The number of requests that may be in flight; counts nothing itself.

    Args:
        most: It never grows beyond.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = min(START, most)
        self._doubling = True
        self._best: float | None = None
        self._times: list[float] = []
        self._epoch = 0

    @property
    def size(self) -> int:
        """Requests that may be in flight now; at least 1."""
        return self._size

    def started(self) -> int:
        """A ticket for a request that starts now."""
        return self._epoch

    def succeeded(self, ticket: int, seconds: float) -> None:
        """A request was answered after so long."""
        if ticket != self._epoch:
            return  # it started under another limit, and its latency says nothing of this one
        self._times.append(seconds)
        if len(self._times) < max(self._size, SHORTEST_ROUND):
            return
        median = statistics.median(self._times)
        self._times.clear()
        if self._best is None or self._size <= START:
            self._best = median  # slow with so few: it is the requests that are long now
        self._best = min(median, self._best)
        if median <= TOLERANCE * self._best:
            self._size = min(self._most, self._size * 2 if self._doubling else self._size + 1)
        else:
            self._shrink(self._size - max(1, self._size // 8))

    def failed(self, ticket: int) -> None:
        """A request failed in a way that may be due to load."""
        if ticket == self._epoch:  # those that started before the last cut were part of that load
            self._shrink(self._size // 2)

    def _shrink(self, size: int) -> None:
        self._size = max(1, size)
        self._doubling = False
        self._epoch += 1
        self._times.clear()


class Throttle:
    """Lets requests start while fewer are in flight than the limit says."""

    def __init__(self, limit: AdaptiveLimit) -> None:
        self.limit = limit
        self._changed = asyncio.Condition()
        self._in_flight = 0
        self._resumes_at = 0.0

    def pause(self, seconds: float) -> None:
        """Start no request for so long: the server asked for it."""
        self._resumes_at = max(self._resumes_at, asyncio.get_running_loop().time() + seconds)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[int]:
        """Within, a request is in flight; gives its ticket of `AdaptiveLimit`."""
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(max(0.0, self._resumes_at - clock()))
            async with self._changed:
                await self._changed.wait_for(lambda: self._in_flight < self.limit.size)
                if clock() >= self._resumes_at:
                    self._in_flight += 1
                    break
        try:
            yield self.limit.started()
        finally:
            self._in_flight -= 1
            async with self._changed:
                self._changed.notify(max(1, self.limit.size - self._in_flight))
