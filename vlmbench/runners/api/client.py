"""Chat completions over HTTP: as many at a time as the server bears, again when it is worth it."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from vlmbench.errors import DataError
from vlmbench.models.endpoints import CallOptions
from vlmbench.records import ErrorKind, Request, Response, ResponseError
from vlmbench.runners.api.chat import chat_body
from vlmbench.runners.api.concurrency import AdaptiveLimit
from vlmbench.runners.api.replies import (
    Answer,
    Caller,
    RequestRejected,
    RetryableError,
    StreamedAnswer,
    read_answer,
)

if TYPE_CHECKING:
    import httpx

FIRST_WAIT = 0.5
LONGEST_WAIT = 30.0
"""Seconds before the second attempt, doubled before each further one up to this."""


class Gate:
    """Lets requests through while fewer are under way than the limit says."""

    def __init__(self, limit: AdaptiveLimit) -> None:
        self.limit = limit
        self._changed = asyncio.Condition()
        self._under_way = 0
        self._opens_at = 0.0

    def close_for(self, seconds: float) -> None:
        """Let nobody through for so long: the server asked for it."""
        self._opens_at = max(self._opens_at, asyncio.get_running_loop().time() + seconds)

    @asynccontextmanager
    async def passed(self) -> AsyncIterator[int]:
        """Within, a request is under way; gives its ticket of `AdaptiveLimit`."""
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(max(0.0, self._opens_at - clock()))
            async with self._changed:
                await self._changed.wait_for(lambda: self._under_way < self.limit.size)
                if clock() >= self._opens_at:
                    self._under_way += 1
                    break
        try:
            yield self.limit.started()
        finally:
            self._under_way -= 1
            async with self._changed:
                self._changed.notify(max(1, self.limit.size - self._under_way))


class Connections:
    """Clients of one connection each: httpx looks at all of a pool for each request.

    Args:
        make: Makes one, in the running event loop.
    """

    def __init__(self, make: Callable[[], httpx.AsyncClient]) -> None:
        self._make = make
        self._all: list[httpx.AsyncClient] = []
        self._idle: list[httpx.AsyncClient] = []

    @asynccontextmanager
    async def one(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client that nobody else uses, the one used last if there is a choice."""
        if not self._idle:
            self._all.append(self._make())
            self._idle.append(self._all[-1])
        client = self._idle.pop()
        try:
            yield client
        finally:
            self._idle.append(client)

    async def close(self) -> None:
        """Close them all."""
        for client in self._all:
            await client.aclose()


class ChatClient:
    """Asks one model of one server.

    Args:
        connections: With the headers that the server wants.
        caller: Address, model and key.
        options: How to ask.
        limit: How many requests the server gets at a time.
        encoders: Where images are encoded.
        check: Raises a ModelError if the server is known to be gone for good.
        left_out: Special tokens that the server leaves in its answers.
    """

    def __init__(
        self,
        connections: Connections,
        caller: Caller,
        options: CallOptions,
        *,
        limit: AdaptiveLimit,
        encoders: Executor,
        check: Callable[[], None],
        left_out: Sequence[str] = (),
    ) -> None:
        self._connections = connections
        self._caller = caller
        self._options = options
        self._gate = Gate(limit)
        self._encoders = encoders
        self._check = check
        self._left_out = left_out
        self._answered = 0
        self._down = False

    async def ask(self, request: Request) -> Response:
        """The response to a request.

        Raises:
            ModelError: No request will be answered.
        """
        loop = asyncio.get_running_loop()
        try:
            if request.images:
                body = await loop.run_in_executor(self._encoders, self._body, request)
            else:
                body = self._body(request)
        except DataError as error:
            return _failure(request, "image", str(error))
        answered = self._answered
        failed_at: float | None = None
        for attempt in itertools.count(1):
            try:
                answer, seconds = await self._attempt(body)
            except RequestRejected as refusal:
                return _failure(request, refusal.kind, refusal.message)
            except RetryableError as problem:
                wait = backoff(request.key, attempt) if problem.wait is None else problem.wait
                failed_at = failed_at or loop.time()
                if not self._worth_it(attempt, loop.time() - failed_at + wait):
                    # While nothing is answered, the next ones are tried once each.
                    self._down = self._answered == answered and not problem.limited
                    times = f"{attempt} attempt{'s' if attempt > 1 else ''}"
                    return _failure(request, problem.kind, f"{problem.message} (after {times})")
                await asyncio.sleep(wait)
            else:
                self._answered += 1
                self._down = False
                return self._response(request, answer, seconds)
        raise AssertionError("an endless loop has ended")

    def _body(self, request: Request) -> bytes:
        return json.dumps(chat_body(request, self._caller.model, self._options)).encode("ascii")

    def _worth_it(self, attempt: int, seconds: float) -> bool:
        options = self._options
        return attempt <= options.retries and seconds <= options.patience and not self._down

    async def _attempt(self, body: bytes) -> tuple[Answer, float]:
        clock = asyncio.get_running_loop().time
        async with self._gate.passed() as ticket:
            began = clock()
            try:
                async with asyncio.timeout(self._options.timeout):
                    answer = await self._call(body)
            except (RetryableError, TimeoutError) as error:
                self._gate.limit.failed(ticket)
                if isinstance(error, TimeoutError):
                    message = f"no answer within {self._options.timeout:g} s"
                    raise RetryableError("timeout", message) from None
                if error.limited and error.wait is not None:
                    self._gate.close_for(min(error.wait, self._options.patience))
                raise
            seconds = clock() - began
            self._gate.limit.succeeded(ticket, seconds)
            return answer, seconds

    async def _call(self, body: bytes) -> Answer:
        import httpx

        try:
            async with self._connections.one() as http:
                if self._options.stream:
                    return await self._streamed(http, body)
                reply = await http.post(self._url, content=body)
            return read_answer(reply.status_code, reply.headers, reply.content, self._caller)
        except httpx.ReadTimeout:
            raise TimeoutError from None
        except httpx.HTTPError as error:
            self._check()
            reason = self._caller.clean(str(error)) or "the connection was lost"
            raise RetryableError("unavailable", f"{type(error).__name__}: {reason}") from None

    async def _streamed(self, http: httpx.AsyncClient, body: bytes) -> Answer:
        clock = asyncio.get_running_loop().time
        began = clock()
        async with http.stream("POST", self._url, content=body) as reply:
            kind = reply.headers.get("content-type", "")
            if reply.status_code != 200 or kind.startswith("application/json"):
                content = await reply.aread()
                return read_answer(reply.status_code, reply.headers, content, self._caller)
            answer = StreamedAnswer(self._caller)
            rest = b""
            # Not aiter_lines: that also splits at characters which an answer may contain.
            async for piece in reply.aiter_bytes():
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    answer.add(line.rstrip(b"\r"), clock() - began)
            answer.add(rest, clock() - began)
            return answer.answer()

    def _response(self, request: Request, answer: Answer, seconds: float) -> Response:
        text = answer.text
        for token in self._left_out:
            text = text.replace(token, "")
        stops = [at for stop in request.generation.stop if (at := text.find(stop)) >= 0]
        first = answer.first_token_seconds
        return Response(
            sample_id=request.sample_id,
            key=request.key,
            # Some servers leave the stop string in.
            text=text[: min(stops)] if stops else text,
            finish="stop" if stops else answer.finish,
            prompt_tokens=answer.prompt_tokens,
            output_tokens=answer.output_tokens,
            seconds=round(seconds, 4),
            first_token_seconds=None if first is None else round(first, 4),
        )

    @property
    def _url(self) -> str:
        return f"{self._caller.url}/chat/completions"


def backoff(key: str, attempt: int) -> float:
    """Seconds to wait after a failed attempt: doubling, with jitter that depends on the key."""
    longest = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(attempt - 1, 30))
    jitter: float = random.Random(f"{key}:{attempt}").uniform(0.5, 1.0)
    return longest * jitter


def _failure(request: Request, kind: ErrorKind, message: str) -> Response:
    return Response(request.sample_id, request.key, error=ResponseError(kind, message))
