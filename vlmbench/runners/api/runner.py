"""Any server or service with an OpenAI-compatible interface.

    requests -> feeder (thread) -> event loop (thread): encode, ask, retry -> responses

One thread takes the requests, one runs all calls; the caller's reads the responses.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING
from urllib.request import getproxies

from vlmbench.errors import ModelError
from vlmbench.models.endpoints import OFFICIAL_URL, ApiOptions
from vlmbench.models.resolve import ModelSpec
from vlmbench.records import Request, Response, Scalar
from vlmbench.runners.api.client import ChatClient, Connections
from vlmbench.runners.api.concurrency import AdaptiveLimit
from vlmbench.runners.api.event_loop import AT_A_TIME, Background, take_few
from vlmbench.runners.api.replies import Caller, raise_for
from vlmbench.schema import parse

if TYPE_CHECKING:
    import httpx

ENCODERS = 2
"""Threads that encode images."""

CONNECT_SECONDS = 10.0

KEPT_SECONDS = 2.0
"""How long an idle connection is kept; servers drop theirs after about five seconds."""


class OpenAIRunner:
    """See the module."""

    def __init__(self) -> None:
        self._caller: Caller | None = None
        self._options: ApiOptions | None = None
        self._check: Callable[[], None] = _nothing
        self._through_proxy = True
        self._left_out: tuple[str, ...] = ()

    def prepare(self, spec: ModelSpec) -> None:
        """Find the key, and see whether the server is there.

        Raises:
            ModelError: No key, a wrong one, or no server.
        """
        options = parse(ApiOptions, dict(spec.options), location=f"the options of '{spec.name}'")
        key = os.environ.get(options.api_key_env, "").strip() or None
        if key is None and (
            options.base_url == OFFICIAL_URL or options.api_key_env != "OPENAI_API_KEY"
        ):
            raise ModelError(
                f"There is no key for {options.base_url} in {options.api_key_env}; set that "
                "environment variable, or name another one with --api-key-env."
            )
        if key is not None and not (key.isascii() and key.isprintable()):
            raise ModelError(
                f"What {options.api_key_env} holds cannot be a key, as it is not plain ASCII in "
                "one line; set it again."
            )
        self.connect(spec.location, options, key=key)
        self._reach()

    def check(self, spec: ModelSpec) -> None:
        """See `CheckingRunner.check`."""
        self.prepare(spec)
        self.close()

    def connect(
        self,
        model: str,
        options: ApiOptions,
        *,
        key: str | None = None,
        check: Callable[[], None] | None = None,
        through_proxy: bool = True,
        left_out: Sequence[str] = (),
    ) -> None:
        """Say whom to ask.

        Args:
            model: As the server calls it.
            options: Address and the rest.
            key: Sent with each request.
            check: Called when a connection fails; raises a ModelError if the server is gone.
            through_proxy: Whether the environment's proxies are used.
            left_out: Special tokens that the server leaves in its answers.
        """
        self._caller = Caller(options.base_url, model, options.api_key_env, key)
        self._options = options
        self._check = check or _nothing
        self._through_proxy = through_proxy
        self._left_out = tuple(left_out)

    def describe(self) -> Mapping[str, Scalar]:
        """Where the requests go."""
        return {"endpoint": self._ready().url}

    def close(self) -> None:
        """Forget the key."""
        self._caller = self._options = None

    def generate(self, requests: Sequence[Request]) -> list[Response]:
        """See `Runner.generate`."""
        responses = {one.key: one for one in self.stream(requests)}
        return [responses[request.key] for request in requests]

    def stream(self, requests: Iterable[Request]) -> Generator[Response, None, None]:
        """See `StreamingRunner.stream`."""
        work = Background(self._serve, iter(requests))
        try:
            yield from work.results()
        finally:
            work.stop()

    def _ready(self) -> Caller:
        assert self._caller is not None, "prepare comes first"
        return self._caller

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        if key := self._ready().key:
            headers["Authorization"] = f"Bearer {key}"
        return headers

    def _reach(self) -> None:
        """See that somebody is there; what it says matters only if it wants another key."""
        import httpx

        caller = self._ready()
        try:
            reply = httpx.get(
                f"{caller.url}/models", headers=self._headers(), timeout=CONNECT_SECONDS
            )
        except httpx.ReadTimeout:
            return
        except httpx.HTTPError as error:
            raise ModelError(
                f"No server answers at {caller.url} ({caller.clean(str(error))}); start it, or "
                "correct --base-url."
            ) from error
        if reply.status_code == 401:
            raise_for(401, {}, "", caller)

    async def _serve(self, work: Background, requests: Iterator[Request]) -> None:
        """Ask all requests; their number under way and unread is bounded."""
        assert self._options is not None, "prepare comes first"
        most = self._options.concurrency
        work.room = asyncio.Semaphore(2 * most)
        problem: Exception | None = None
        connections = Connections(self._connector())
        with ThreadPoolExecutor(1) as feeder, ThreadPoolExecutor(ENCODERS) as encoders:
            client = ChatClient(
                connections,
                self._ready(),
                self._options,
                limit=AdaptiveLimit(most),
                encoders=encoders,
                check=self._check,
                left_out=self._left_out,
            )
            loop = asyncio.get_running_loop()
            try:
                async with asyncio.TaskGroup() as tasks:
                    while problem is None:
                        free = await work.free_places(AT_A_TIME)
                        few, problem = await loop.run_in_executor(feeder, take_few, requests, free)
                        # After a problem, those under way are answered, and perhaps paid for.
                        for request in few:
                            tasks.create_task(work.deliver(client.ask, request))
                        for _ in range(free - len(few)):
                            work.room.release()
                        if not few:
                            break
            finally:
                await connections.close()
        if problem is not None:
            raise problem

    def _connector(self) -> Callable[[], httpx.AsyncClient]:
        import httpx

        assert self._options is not None, "prepare comes first"
        # Reading all certificates takes as long as a hundred requests.
        is_encrypted = self._options.base_url.startswith("https:")
        needs_certificates = is_encrypted or (self._through_proxy and getproxies())
        return partial(
            httpx.AsyncClient,
            headers=self._headers(),
            timeout=httpx.Timeout(self._options.timeout, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=1, keepalive_expiry=KEPT_SECONDS),
            trust_env=self._through_proxy,
            verify=httpx.create_ssl_context() if needs_certificates else False,
        )


def _nothing() -> None:
    """No check is needed."""
