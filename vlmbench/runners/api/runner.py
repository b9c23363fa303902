"""Any server or service with an OpenAI-compatible interface.

    requests -> feeder (thread) -> event loop (thread): encode, ask, retry -> responses

One thread takes the requests, one runs all calls; the caller's reads the responses.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import threading
from collections.abc import (
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from functools import partial
from ipaddress import ip_address
from typing import Any, TypeVar
from urllib.parse import urlsplit

from vlmbench.errors import ModelError
from vlmbench.models.endpoints import OFFICIAL_URL, ApiOptions
from vlmbench.models.resolve import ModelSpec
from vlmbench.records import Request, Response, Scalar
from vlmbench.runners.api.client import CONNECT_SECONDS, ChatClient
from vlmbench.runners.api.left_out import special_tokens
from vlmbench.runners.api.replies import Endpoint, raise_for
from vlmbench.schema import parse

T = TypeVar("T")


class OpenAIRunner:
    """See the module."""

    def __init__(self) -> None:
        self._endpoint: Endpoint | None = None
        self._make_client: Callable[[], ChatClient] | None = None
        self._concurrency = 0

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
        endpoint = Endpoint(options.base_url, spec.location, options.api_key_env, key)
        self.connect(endpoint, options, left_out=special_tokens(spec.location))
        self._reach()

    def check(self, spec: ModelSpec) -> None:
        """See `CheckingRunner.check`."""
        self.prepare(spec)
        self.close()

    def connect(
        self,
        endpoint: Endpoint,
        options: ApiOptions,
        *,
        check: Callable[[], None] = lambda: None,
        left_out: Sequence[str] = (),
    ) -> None:
        """Say whom to ask; see ChatClient."""
        self._endpoint = endpoint
        self._concurrency = options.concurrency
        self._make_client = partial(
            ChatClient,
            endpoint,
            options,
            check=check,
            through_proxy=not is_local(endpoint.url),
            left_out=left_out,
        )

    def describe(self) -> Mapping[str, Scalar]:
        """Where the requests go."""
        return {"endpoint": self._ready().url}

    def close(self) -> None:
        """Forget the key."""
        self._endpoint = self._make_client = None

    def generate(self, requests: Sequence[Request]) -> list[Response]:
        """See `Runner.generate`."""
        responses = {one.key: one for one in self.stream(requests)}
        return [responses[request.key] for request in requests]

    def stream(self, requests: Iterable[Request]) -> Generator[Response, None, None]:
        """See `StreamingRunner.stream`."""
        assert self._make_client is not None, "prepare comes first"
        work = _Background(self._make_client, iter(requests), 2 * self._concurrency)
        try:
            yield from work.responses()
        finally:
            work.stop()

    def _ready(self) -> Endpoint:
        assert self._endpoint is not None, "prepare comes first"
        return self._endpoint

    def _reach(self) -> None:
        """See that somebody is there; what it says matters only if it wants another key."""
        import httpx

        endpoint = self._ready()
        try:
            status = _in_a_loop(_status_of_models(endpoint))
        except (TimeoutError, httpx.ReadTimeout):
            return
        except httpx.HTTPError as error:
            raise ModelError(
                f"No server answers at {endpoint.url} ({endpoint.clean(str(error))}); start it, or "
                "correct --base-url."
            ) from error
        if status == 401:
            raise_for(401, {}, "", endpoint)


async def _status_of_models(endpoint: Endpoint) -> int:
    """The status of `/models`; its body, which may be endless, is not read."""
    import httpx

    headers = {"Authorization": f"Bearer {endpoint.key}"} if endpoint.key else {}
    through_proxy = not is_local(endpoint.url)
    # httpx counts seconds between bytes, and a server may send one at a time.
    async with asyncio.timeout(2 * CONNECT_SECONDS):
        async with (
            httpx.AsyncClient(timeout=CONNECT_SECONDS, trust_env=through_proxy) as client,
            client.stream("GET", f"{endpoint.url}/models", headers=headers) as reply,
        ):
            return reply.status_code


def _in_a_loop(coroutine: Coroutine[Any, Any, T]) -> T:
    """Its result, by an event loop of another thread; the caller may be in one, as in notebooks.

    Ctrl-C ends it at once.
    """
    loop = asyncio.new_event_loop()
    task = loop.create_task(coroutine)
    with ThreadPoolExecutor(1) as pool, contextlib.closing(loop):
        done = pool.submit(loop.run_until_complete, task)
        try:
            return done.result()
        except KeyboardInterrupt:
            loop.call_soon_threadsafe(task.cancel)
            wait([done])
            raise


def is_local(url: str) -> bool:
    """Whether an address is of this machine, where no proxy leads."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a name
        return host == "localhost"


class _Background:
    """Asks requests in an event loop of a thread of its own; another thread reads the responses.

    The caller may itself be in an event loop, as in a notebook.
    """

    def __init__(
        self, make_client: Callable[[], ChatClient], requests: Iterator[Request], most: int
    ) -> None:
        self._make_client = make_client
        self._requests = requests
        self._slots = threading.Semaphore(most)
        """One for each request that may be in flight or unread."""
        self._responses: queue.SimpleQueue[Response | None] = queue.SimpleQueue()
        self._loop = asyncio.new_event_loop()
        self._task = self._loop.create_task(self._ask_all())
        self._task.add_done_callback(lambda _: self._responses.put(None))
        self._thread = threading.Thread(target=self._run, name="vlmbench-api", daemon=True)
        self._thread.start()

    def responses(self) -> Iterator[Response]:
        """Responses as they come; raises whatever stopped the work."""
        while (response := self._responses.get()) is not None:
            yield response
            self._slots.release()
        self._thread.join()
        self._task.result()

    def stop(self) -> None:
        """Cancel what is in flight, and wait until nothing is."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join()

    def _run(self) -> None:
        with contextlib.suppress(BaseException):  # the reader asks the task
            self._loop.run_until_complete(self._task)
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())  # streams left at their end
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    async def _ask_all(self) -> None:
        client = self._make_client()
        with ThreadPoolExecutor(1) as feeder:
            try:
                await self._feed(client, feeder)
            finally:
                self._slots.release()  # the feeder may wait for one
                await client.close()

    async def _feed(self, client: ChatClient, feeder: Executor) -> None:
        """Ask what the requests' iterator gives; its error counts once all those are answered."""
        loop = asyncio.get_running_loop()
        problem: Exception | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                while problem is None:
                    try:
                        request = await loop.run_in_executor(feeder, self._next_request)
                    except Exception as error:
                        problem = error
                    else:
                        if request is None:
                            break
                        tasks.create_task(self._ask(client, request))
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        if problem is not None:
            raise problem

    def _next_request(self) -> Request | None:
        self._slots.acquire()
        return next(self._requests, None)

    async def _ask(self, client: ChatClient, request: Request) -> None:
        self._responses.put(await client.ask(request))
