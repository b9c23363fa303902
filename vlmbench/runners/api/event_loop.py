"""An event loop in a thread of its own, for a caller that knows nothing of it."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import TypeAlias

from vlmbench.records import Request, Response

AT_A_TIME = 8
LONGEST_TAKING = 0.005
"""Requests that are taken together, as a change of threads costs more than a request, and the
seconds after which no further one is waited for."""

Outcome: TypeAlias = Response | BaseException | None
"""What the event loop hands over; None at the end."""


class Background:
    """An event loop in a thread, whose outcomes another thread reads.

    Args:
        serve: Answers the requests, and delivers each response; run in the loop.
        requests: Given to it.
    """

    def __init__(
        self,
        serve: Callable[[Background, Iterator[Request]], Coroutine[None, None, None]],
        requests: Iterator[Request],
    ) -> None:
        self.room: asyncio.Semaphore | None = None
        """Free places for requests that are under way or unread."""
        self._outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._loop = asyncio.new_event_loop()
        self._task = self._loop.create_task(serve(self, requests))
        self._thread = threading.Thread(target=self._run, name="vlmbench-api", daemon=True)
        self._thread.start()

    async def free_places(self, most: int) -> int:
        """Take places for requests: at least one, and up to `most` if nobody has them."""
        assert self.room is not None
        await self.room.acquire()
        taken = 1
        while taken < most and not self.room.locked():
            await self.room.acquire()
            taken += 1
        return taken

    def results(self) -> Iterator[Response]:
        """Responses as they come.

        Raises:
            BaseException: Whatever stopped the work.
        """
        while (outcome := self._outcomes.get()) is not None:
            if isinstance(outcome, BaseException):
                raise outcome
            yield outcome
            if self.room is not None:
                self._call_in_loop(self.room.release)

    def stop(self) -> None:
        """Cancel what is under way, and wait until nothing is."""
        self._call_in_loop(self._task.cancel)
        self._thread.join()

    async def deliver(
        self, ask: Callable[[Request], Awaitable[Response]], request: Request
    ) -> None:
        """Hand a response over when it is there."""
        self._outcomes.put(await ask(request))

    def _call_in_loop(self, function: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(function)

    def _run(self) -> None:
        outcome: BaseException | None = None
        try:
            self._loop.run_until_complete(self._task)
        except BaseExceptionGroup as group:
            outcome = group.exceptions[0]
        except asyncio.CancelledError:
            pass
        except BaseException as error:
            outcome = error
        finally:
            self._loop.close()
            if outcome is not None:
                self._outcomes.put(outcome)
            self._outcomes.put(None)


def take_few(requests: Iterator[Request], most: int) -> tuple[list[Request], Exception | None]:
    """The next requests, as many as come at once, and what kept more from coming."""
    few: list[Request] = []
    ends = time.monotonic() + LONGEST_TAKING
    try:
        for request in requests:
            few.append(request)
            if len(few) == most or time.monotonic() > ends:
                break
    except Exception as error:
        return few, error
    return few, None
