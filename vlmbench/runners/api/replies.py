"""What a server's reply means.

Completion        a text
RequestRejected   this request will never be answered: a typed error of the sample
RetryableError    the same request may be answered next time
ModelError        no request of this run will be answered: wrong key, no such model
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal, NoReturn

from vlmbench.errors import ModelError
from vlmbench.models.endpoints import OMITTABLE
from vlmbench.records import ErrorKind
from vlmbench.runners.api.redact import HIDDEN, LONGEST_WRITTEN, redacted

_TOO_LONG = re.compile(
    r"context_length|context[ _-](length|window|size)|max(imum)?_model_len|maximum (model )?length"
    r"|too many tokens|(prompt|input|request) is too long|exceeds? .{0,40}(tokens|context)",
    re.I,
)
_IMAGE = re.compile(r"\bimages?\b|image_url", re.I)
_NO_CREDIT = re.compile(r"insufficient_quota|exceeded your current quota", re.I)
_KEYLIKE = re.compile(r"\b(sk-|Bearer )\S+")

_LIMIT_FIELD = re.compile(r"\bmax_(?:completion_)?tokens\b")
_QUOTED_FIELD = re.compile(rf"['\"`]({'|'.join(OMITTABLE)})['\"`]")
_REFUSED_FIELD = re.compile(
    r"unsupported[ _](?:parameter|value)|not supported|unrecognized|unknown (?:parameter|field)"
    r"|extra (?:inputs|fields)|unexpected",
    re.I,
)
LIMIT_FIELDS = ("max_tokens", "max_completion_tokens")
"""What servers call the limit of new tokens."""

FINISHES: Mapping[str, Literal["stop", "length", "filter", "failed"]] = {
    # OpenAI's own, and what servers and gateways put in their place
    **dict.fromkeys(("stop", "eos", "eos_token", "end_turn", "stop_sequence"), "stop"),
    **dict.fromkeys(("stopped", "completed", "end"), "stop"),
    **dict.fromkeys(("length", "max_tokens", "max_length", "model_length"), "length"),
    **dict.fromkeys(("content_filter", "safety", "sensitive", "recitation"), "filter"),
    **dict.fromkeys(("prohibited_content", "blocklist", "spii", "refusal"), "filter"),
    **dict.fromkeys(("abort", "aborted", "cancelled", "canceled", "error"), "failed"),
    **dict.fromkeys(("network_error", "insufficient_system_resource", "timeout"), "failed"),
}
"""What a finish_reason says of the answer: `failed` may go well the next time. Any other, such as
tool_calls, says that the text is no answer."""

LONGEST_MESSAGE = 300
_LOOKED_AT = 10_000
"""Characters of an error in which its sentence is looked for."""
MOST_TOKENS = 2**40
"""A count above this is none."""

_MALFORMED = (AttributeError, IndexError, KeyError, TypeError)
"""What reading raises where a reply has another shape."""


@dataclass(frozen=True, slots=True)
class Completion:
    """A server's answer, with its token counts and timing."""

    text: str
    finish: Literal["stop", "length"] | None
    prompt_tokens: int | None
    output_tokens: int | None
    first_token_seconds: float | None = None


@dataclass(eq=False)
class RequestRejected(Exception):
    """The request will never be answered."""

    kind: ErrorKind
    message: str
    refused_field: str | None = None
    """The field of the request's body that the server does not take."""


@dataclass(eq=False)
class RetryableError(Exception):
    """The request may be answered next time."""

    kind: Literal["unavailable", "timeout"]
    """What the sample's error is called if there is no next time."""
    message: str
    wait: float | None = None
    """Seconds that the server asks to wait."""
    limited: bool = False
    """The server works, but gets too many requests."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model of a server: what error messages name, and what they must hide."""

    url: str
    model: str
    key_name: str
    key: str | None = None

    def clean(self, text: str) -> str:
        """One line of a server's text without the key or anything that looks like one."""
        hidden = self.redacted(text[:_LOOKED_AT])
        if self.key and len(text) > _LOOKED_AT:  # it may have been cut inside the key
            hidden = hidden[: -LONGEST_WRITTEN * len(self.key)]
        return _KEYLIKE.sub(HIDDEN, " ".join(hidden.split()))[:LONGEST_MESSAGE]

    def redacted(self, text: str) -> str:
        """A server's text without the key in any form."""
        return redacted(text, self.key)


def read_completion(payload: Any, endpoint: Endpoint) -> Completion:
    """The answer in a reply's JSON, which may have any shape.

    Raises:
        RequestRejected, RetryableError, ModelError: See the module.
    """
    raise_for_error_inside(payload, endpoint)
    try:
        choice = payload["choices"][0]
        message, finish = choice["message"], choice.get("finish_reason")
        text = _text(message, finish)
        tokens = _tokens(payload)
        named = _finish(finish)
    except _MALFORMED:
        raise RetryableError("unavailable", "the server's reply is no chat completion") from None
    return Completion(text, named, *tokens)


async def read_stream(events: AsyncIterator[Any], began: float) -> Completion:
    """The answer in server-sent events.

    Args:
        events: Their JSON, which may have any shape.
        began: When the call began, by the event loop's clock.

    Raises:
        RequestRejected, RetryableError: See the module.
    """
    clock = asyncio.get_running_loop().time
    message = _Streamed()
    finish: str | None = None
    tokens: tuple[int | None, int | None] = (None, None)
    first: float | None = None
    async for event in events:
        try:
            if event.get("usage"):
                tokens = _tokens(event)
            for choice in event.get("choices", ())[:1]:
                finish = choice.get("finish_reason") or finish
                if message.add(choice["delta"]) and first is None:
                    first = clock() - began
        except _MALFORMED:
            raise RetryableError(
                "unavailable", "the server's reply is no chat completion"
            ) from None
    if finish is None:
        raise RetryableError("unavailable", "the server's reply broke off")
    try:
        return Completion(_text(message.whole(), finish), _finish(finish), *tokens, first)
    except _MALFORMED:
        raise RetryableError("unavailable", "the server's reply is no chat completion") from None


class _Streamed:
    """A message in the making, which is read as one that came whole."""

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {}
        self._others: set[str] = set()

    def add(self, delta: Mapping[str, Any]) -> bool:
        """Take an event's piece; says whether it holds text of the answer."""
        for name, value in delta.items():
            if name in ("content", "refusal") and value is not None:
                self._texts.setdefault(name, []).append(value)
            elif value:
                self._others.add(name)
        return bool(delta.get("content") or delta.get("refusal"))

    def whole(self) -> dict[str, Any]:
        """The message; of what is no text only that it was there."""
        texts = {name: "".join(pieces) for name, pieces in self._texts.items()}
        return {"content": None, **dict.fromkeys(self._others, True), **texts}


def raise_for(status: int, headers: Mapping[str, str], body: str, endpoint: Endpoint) -> NoReturn:
    """The exception for a status other than 200."""
    reason = endpoint.clean(_error_text(body)) or "no reason given"
    if _NO_CREDIT.search(body):
        raise ModelError(
            f"{endpoint.url} gives no more answers for want of credit ({reason}); top it up and "
            "run the same command again."
        )
    if status == 429 or status >= 500 or status in (408, 409, 425):
        raise RetryableError(
            "timeout" if status in (408, 504) else "unavailable",
            f"HTTP {status}: {reason}",
            wait=retry_after(headers.get("retry-after"), datetime.now(UTC)),
            limited=status == 429,
        )
    if status in (401, 402, 403, 404, 405) or status < 400:
        raise ModelError(_stopping(status, reason, endpoint))
    if field := _refused_field(body):
        raise RequestRejected("rejected", f"HTTP {status}: {reason}", field)
    if _TOO_LONG.search(body):
        raise RequestRejected("too_long", f"HTTP {status}: {reason}")
    kind: ErrorKind = "image" if _IMAGE.search(_error_text(body)) else "rejected"
    raise RequestRejected(kind, f"HTTP {status}: {reason}")


def raise_for_error_inside(payload: Any, endpoint: Endpoint) -> None:
    """Some services report errors in a reply whose status is 200."""
    error = payload.get("error") if isinstance(payload, dict) else None
    if not error:
        return
    code = error.get("code") if isinstance(error, dict) else None
    status = code if isinstance(code, int) and 400 <= code < 600 else 500
    raise_for(status, {}, json.dumps(payload, ensure_ascii=False), endpoint)


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks for; it is a number or a date."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - now).total_seconds()
        except (ValueError, TypeError):  # no date, or one without a zone
            return None
    return max(0.0, seconds) if seconds < float("inf") else None


def _stopping(status: int, reason: str, endpoint: Endpoint) -> str:
    match status:
        case 401:
            # The reason is left out: services like to repeat the key in it.
            state = "does not accept the key" if endpoint.key else "wants a key"
            return (
                f"{endpoint.url} {state} of {endpoint.key_name} (HTTP 401); set that variable, or "
                "name another one with --api-key-env."
            )
        case 402 | 403:
            return (
                f"{endpoint.url} does not let you use '{endpoint.model}' (HTTP {status}: "
                f"{reason}); check the account and its rights."
            )
        case 404:
            return (
                f"{endpoint.url} has no model '{endpoint.model}' or is no OpenAI-compatible "
                f"address (HTTP 404: {reason}); check the name, and --base-url, which usually ends "
                "in /v1."
            )
        case _:
            return (
                f"{endpoint.url} takes no chat completions (HTTP {status}: {reason}); check "
                "--base-url, which usually ends in /v1."
            )


def _error_text(body: str) -> str:
    """The sentence in an error's JSON, whichever server's."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return body
    if isinstance(payload, dict):
        for name in ("error", "message", "detail"):
            inner = payload.get(name)
            if isinstance(inner, dict) and inner.get("message"):
                return f"{inner['message']}"
            if inner:
                return inner if isinstance(inner, str) else json.dumps(inner, ensure_ascii=False)
    return body


def _refused_field(body: str) -> str | None:
    """The field of the request that an error is about, as services name it; None if none."""
    text = _error_text(body)
    if not _REFUSED_FIELD.search(body):
        return None
    try:
        error = json.loads(body).get("error")
        named = error.get("param") if isinstance(error, dict) else None
    except (ValueError, AttributeError, RecursionError):
        named = None
    if isinstance(named, str) and named in (*LIMIT_FIELDS, *OMITTABLE):
        return named
    found = _LIMIT_FIELD.search(text) or _QUOTED_FIELD.search(text)
    return found[found.lastindex or 0] if found else None


def _text(message: Mapping[str, Any], finish: str | None) -> str:
    """The text of a message, streamed or not.

    Raises:
        RequestRejected: It has none, or what it has is no answer.
        RetryableError: The server could not end it.
        TypeError: It is of another shape.
    """
    meaning = _meaning(finish)
    if meaning == "filter":
        raise RequestRejected(
            "rejected", f"the service's content filter held the answer back ({finish})"
        )
    if meaning == "failed":
        raise RetryableError("unavailable", f"the server did not end its answer ({finish})")
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(part.get("text") or "" for part in content)
    # A model that declines has answered; one that thought until the limit has said nothing.
    content = content or message.get("refusal") or ""
    if not isinstance(content, str):
        raise TypeError("content is neither text nor parts")
    if meaning == "other":
        raise RequestRejected(
            "rejected", f"the reply is no finished answer (finish_reason {finish})"
        )
    if not content and meaning != "length":
        instead = [name for name in _INSTEAD if message.get(name)]
        if instead or message.get("content") is None:
            holds = f"only {', '.join(instead)}" if instead else "no text"
            raise RequestRejected("rejected", f"the reply holds {holds} (finish_reason {finish})")
    return content


_INSTEAD = ("reasoning_content", "reasoning", "tool_calls", "function_call", "audio")
"""What a message may hold instead of text."""


def _meaning(finish: Any) -> str:
    """What a finish_reason says: a value of FINISHES, `other`, or empty where there is none."""
    if finish is None:
        return ""
    return FINISHES.get(finish.lower(), "other")


def _finish(reason: Any) -> Literal["stop", "length"] | None:
    match _meaning(reason):
        case "stop":
            return "stop"
        case "length":
            return "length"
        case _:
            return None


def _tokens(payload: Mapping[str, Any]) -> tuple[int | None, int | None]:
    usage = payload.get("usage") or {}
    counts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
    first, second = (
        # Not isinstance: true is no count.
        count if type(count) is int and 0 <= count < MOST_TOKENS else None
        for count in counts
    )
    return first, second
