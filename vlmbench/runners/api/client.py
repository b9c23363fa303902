"""Chat completions through the openai package: throttled, and tried again when it is worth it.

The package does the HTTP; waiting and trying again are here, because a wait that a server asks for
concerns all requests, and a request that waits for its next attempt is not in flight.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from vlmbench.errors import DataError, ModelError
from vlmbench.models.endpoints import OMITTABLE, CallOptions
from vlmbench.records import ErrorKind, Request, Response, ResponseError
from vlmbench.runners.api.bounded import ReplyTooLarge, bounding_hook
from vlmbench.runners.api.chat import chat_body
from vlmbench.runners.api.concurrency import AdaptiveLimit, Throttle
from vlmbench.runners.api.replies import (
    LIMIT_FIELDS,
    Completion,
    Endpoint,
    RequestRejected,
    RetryableError,
    raise_for,
    raise_for_error_inside,
    read_completion,
    read_stream,
)

FIRST_WAIT = 0.5
LONGEST_WAIT = 30.0
"""Seconds before the second attempt, doubled before each further one up to this."""

HANGING = 3
"""Samples in a row without an answer in time, each after all its attempts, that end a run."""

ENCODERS = 2
"""Threads that encode images."""

CONNECT_SECONDS = 10.0

KEPT_SECONDS = 2.0
"""How long an idle connection is kept; servers drop theirs after about five seconds."""


class ChatClient:
    """Asks one model of one server; made and used in one event loop.

    Args:
        check: Raises a ModelError if the server is known to be gone for good.
        through_proxy: Whether the environment's proxies are used.
        left_out: Special tokens that the server leaves in its answers.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        options: CallOptions,
        *,
        check: Callable[[], None] = lambda: None,
        through_proxy: bool = True,
        left_out: Sequence[str] = (),
    ) -> None:
        import openai

        kept = type(openai.DEFAULT_CONNECTION_LIMITS)  # of httpx or httpx2, by the version
        self._sdk = openai.AsyncOpenAI(
            base_url=endpoint.url,
            api_key=endpoint.key or "none",
            max_retries=0,
            # How long an attempt may take is bounded as a whole, in `complete`.
            timeout=openai.Timeout(None, connect=CONNECT_SECONDS),
            http_client=openai.DefaultAsyncHttpxClient(
                limits=kept(max_connections=None, keepalive_expiry=KEPT_SECONDS),
                follow_redirects=False,  # a POST would become a GET
                trust_env=through_proxy,
                headers={"Accept-Encoding": "gzip"},
                event_hooks={
                    "response": [
                        bounding_hook(openai.DefaultAsyncHttpxClient, options.max_reply_mib)
                    ]
                },
            ),
        )
        # Where no key is needed, none is sent.
        self._request_options: Any = (
            {} if endpoint.key else {"headers": {"Authorization": openai.Omit()}}
        )
        self._endpoint = endpoint
        self._options = options
        self._throttle = Throttle(AdaptiveLimit(options.concurrency))
        self._encoders = ThreadPoolExecutor(ENCODERS)
        self._check = check
        self._left_out = left_out
        self._answered = 0
        self._down = False
        self._hung = 0
        """Samples in a row that the server took and did not answer in time."""
        self._refused_names: set[str] = set()
        """Names of the limit of new tokens that the server does not take."""

    async def close(self) -> None:
        """Close all connections and threads."""
        self._encoders.shutdown()
        await self._sdk.close()

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
                completion, seconds = await self._attempt(body)
            except RequestRejected as refusal:
                self._stop_at_refused(refusal)
                return _failure(request, refusal.kind, refusal.message)
            except RetryableError as problem:
                wait = backoff(request.key, attempt) if problem.wait is None else problem.wait
                failed_at = failed_at or loop.time()
                self._stop_at_long_wait(problem)
                if not self._worth_it(attempt, loop.time() - failed_at + wait):
                    # While nothing is answered, the next ones are tried once each.
                    self._down = self._answered == answered and not problem.limited
                    times = f"{attempt} attempt{'s' if attempt > 1 else ''}"
                    self._stop_at_silence(problem)
                    return _failure(request, problem.kind, f"{problem.message} (after {times})")
                await asyncio.sleep(wait)
            else:
                self._answered += 1
                self._down = False
                self._hung = 0
                return self._response(request, completion, seconds)
        raise AssertionError("an endless loop has ended")

    async def complete(self, body: dict[str, Any]) -> Completion:
        """One attempt, whatever it comes to.

        Raises:
            RequestRejected, RetryableError, ModelError: See `replies`.
        """
        import openai

        try:
            async with asyncio.timeout(self._options.timeout):
                return await self._call(body)
        except (RequestRejected, RetryableError) as error:
            error.message = self._endpoint.clean(error.message)  # it may quote the reply
            raise
        except TimeoutError:
            message = f"no answer within {self._options.timeout:g} s"
            raise RetryableError("timeout", message) from None
        except ReplyTooLarge as error:
            raise RequestRejected("rejected", self._endpoint.clean(str(error))) from None
        except openai.APIStatusError as error:
            reply = error.response
            raise_for(reply.status_code, reply.headers, reply.text, self._endpoint)
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            if isinstance(cause, ReplyTooLarge):
                raise RequestRejected("rejected", self._endpoint.clean(str(cause))) from None
            if isinstance(cause, RecursionError):
                raise RetryableError("unavailable", "the server's reply is not JSON") from None
            self._check()
            reason = self._endpoint.clean(str(cause)) or "the connection was lost"
            raise RetryableError("unavailable", f"{type(cause).__name__}: {reason}") from None
        except openai.APIError as error:  # an event of a stream says so
            raise_for_error_inside({"error": error.body}, self._endpoint)
            raise RetryableError("unavailable", self._endpoint.clean(str(error))) from None
        except (ValueError, RecursionError):  # of json or UTF-8, which the package lets through
            raise RetryableError("unavailable", "the server's reply is not JSON") from None

    async def _call(self, body: dict[str, Any]) -> Completion:
        import openai

        began = asyncio.get_running_loop().time()
        # Replies are taken as plain JSON: the package's types promise what many servers do not do.
        reply: Any = await self._sdk.post(
            "/chat/completions",
            cast_to=object,
            body=body,
            options=self._request_options,
            stream=self._options.stream,
            stream_cls=openai.AsyncStream[object],
        )
        if isinstance(reply, openai.AsyncStream):
            kind = reply.response.headers.get("content-type", "")
            if not kind.startswith("application/json"):
                return await read_stream(reply, began)
            reply = (await reply.response.aread()).decode()  # this server does not stream
        payload = json.loads(reply) if isinstance(reply, str) else reply
        return read_completion(payload, self._endpoint)

    def _body(self, request: Request) -> dict[str, Any]:
        return chat_body(request, self._endpoint.model, self._options)

    async def _complete_by_either_name(self, body: dict[str, Any]) -> Completion:
        """One attempt, and another where the server takes the limit's other name alone."""
        sent = self._named(body)
        try:
            return await self.complete(sent)
        except RequestRejected as refusal:
            if not self._has_other_name(refusal, sent):
                raise
        return await self.complete(self._named(body))

    def _named(self, body: dict[str, Any]) -> dict[str, Any]:
        """The body, in which the limit of new tokens has a name that was not refused."""
        usable = [name for name in LIMIT_FIELDS if name not in self._refused_names]
        if self._options.token_field not in self._refused_names or not usable:
            return body
        return {usable[0] if name in LIMIT_FIELDS else name: body[name] for name in body}

    def _has_other_name(self, refusal: RequestRejected, sent: dict[str, Any]) -> bool:
        """Whether to ask again with the other name of the limit, for this and all requests."""
        if refusal.refused_field not in LIMIT_FIELDS or refusal.refused_field not in sent:
            return False
        self._refused_names.add(refusal.refused_field)
        return len(self._refused_names) < len(LIMIT_FIELDS)

    def _stop_at_refused(self, refusal: RequestRejected) -> None:
        """Stop where every request would be refused for a field that can be left out."""
        if refusal.refused_field in OMITTABLE:
            raise ModelError(
                f"{self._endpoint.url} does not take '{refusal.refused_field}' as it is sent "
                f"({refusal.message.rstrip('.')}); leave it out with --model-option "
                f"'omit=[{refusal.refused_field}]'."
            )

    def _stop_at_long_wait(self, problem: RetryableError) -> None:
        """Stop where the server asks for a longer wait than anybody wants."""
        if problem.wait is not None and problem.wait > self._options.patience:
            raise ModelError(
                f"{self._endpoint.url} asks to wait {problem.wait:,.0f} s ({problem.message}), "
                f"more than the patience of {self._options.patience:g} s; run the same command "
                "again later, which goes on, or raise it with --model-option patience=SECONDS."
            )

    def _stop_at_silence(self, problem: RetryableError) -> None:
        """Stop where a server takes requests and lets all of them run out of time."""
        self._hung = self._hung + 1 if problem.kind == "timeout" else 0
        if self._hung >= HANGING:
            raise ModelError(
                f"{self._endpoint.url} takes requests and answers none ({self._hung} samples in a "
                f"row: {problem.message}); see what is wrong there, then run the same command, "
                "which goes on."
            )

    def _worth_it(self, attempt: int, seconds: float) -> bool:
        options = self._options
        return attempt <= options.retries and seconds <= options.patience and not self._down

    async def _attempt(self, body: dict[str, Any]) -> tuple[Completion, float]:
        clock = asyncio.get_running_loop().time
        async with self._throttle.slot() as ticket:
            began = clock()
            try:
                completion = await self._complete_by_either_name(body)
            except RetryableError as error:
                self._throttle.limit.failed(ticket)
                if error.limited and error.wait is not None:
                    self._throttle.pause(min(error.wait, self._options.patience))
                raise
            seconds = clock() - began
            self._throttle.limit.succeeded(ticket, seconds)
            return completion, seconds

    def _response(self, request: Request, completion: Completion, seconds: float) -> Response:
        text = self._endpoint.redacted(completion.text)
        for token in self._left_out:
            text = text.replace(token, "")
        stops = [at for stop in request.generation.stop if (at := text.find(stop)) >= 0]
        first = completion.first_token_seconds
        return Response(
            sample_id=request.sample_id,
            key=request.key,
            # Some servers leave the stop string in.
            text=text[: min(stops)] if stops else text,
            finish="stop" if stops else completion.finish,
            prompt_tokens=completion.prompt_tokens,
            output_tokens=completion.output_tokens,
            seconds=round(seconds, 4),
            first_token_seconds=None if first is None else round(first, 4),
        )


def backoff(key: str, attempt: int) -> float:
    """Seconds to wait after a failed attempt: doubling, with jitter that depends on the key."""
    longest = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(attempt - 1, 30))
    jitter: float = random.Random(f"{key}:{attempt}").uniform(0.5, 1.0)
    return longest * jitter


def _failure(request: Request, kind: ErrorKind, message: str) -> Response:
    return Response(request.sample_id, request.key, error=ResponseError(kind, message))
