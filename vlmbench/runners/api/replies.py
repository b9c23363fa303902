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
from vlmbench.records import ErrorKind

_TOO_LONG = re.compile(
    r"context_length|context[ _-](length|window|size)|max(imum)?_model_len|maximum (model )?length"
    r"|too many tokens|(prompt|input|request) is too long|exceeds? .{0,40}(tokens|context)",
    re.I,
)
_IMAGE = re.compile(r"\bimages?\b|image_url", re.I)
_NO_CREDIT = re.compile(r"insufficient_quota|exceeded your current quota", re.I)
_KEYLIKE = re.compile(r"\b(sk-|Bearer )\S+")

LONGEST_MESSAGE = 300

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
        line = " ".join(text.split())
        if self.key:
            line = line.replace(self.key, "***")
        return _KEYLIKE.sub("***", line)[:LONGEST_MESSAGE]


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
    except _MALFORMED:
        raise RetryableError("unavailable", "the server's reply is no chat completion") from None
    return Completion(text, _finish(finish), *tokens)


async def read_stream(events: AsyncIterator[Any], began: float) -> Completion:
    """The answer in server-sent events.

    Args:
        events: Their JSON, which may have any shape.
        began: When the call began, by the event loop's clock.

    Raises:
        RequestRejected, RetryableError: See the module.
    """
    clock = asyncio.get_running_loop().time
    pieces: list[str] = []
    finish: str | None = None
    tokens: tuple[int | None, int | None] = (None, None)
    first: float | None = None
    async for event in events:
        try:
            if event.get("usage"):
                tokens = _tokens(event)
            for choice in event.get("choices", ())[:1]:
                piece = choice["delta"].get("content") or choice["delta"].get("refusal")
                finish = choice.get("finish_reason") or finish
                if piece:
                    pieces.append(piece)
                    first = clock() - began if first is None else first
        except _MALFORMED:
            raise RetryableError(
                "unavailable", "the server's reply is no chat completion"
            ) from None
    if finish is None:
        raise RetryableError("unavailable", "the server's reply broke off")
    text = _text({"content": "".join(pieces)}, finish)
    return Completion(text, _finish(finish), *tokens, first)


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
    except ValueError:
        return body
    if isinstance(payload, dict):
        for name in ("error", "message", "detail"):
            inner = payload.get(name)
            if isinstance(inner, dict) and inner.get("message"):
                return f"{inner['message']}"
            if inner:
                return inner if isinstance(inner, str) else json.dumps(inner, ensure_ascii=False)
    return body


def _text(message: Mapping[str, Any], finish: str | None) -> str:
    if finish == "content_filter":
        raise RequestRejected("rejected", "the service's content filter held the answer back")
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(part.get("text") or "" for part in content)
    # A model that declines has answered; one that thought until the limit has said nothing.
    content = content or message.get("refusal") or ""
    if not isinstance(content, str):
        raise TypeError("content is neither text nor parts")
    if not content and message.get("content") is None and finish != "length":
        raise RequestRejected("rejected", f"the reply holds no text (finish_reason {finish})")
    return content


def _finish(reason: str | None) -> Literal["stop", "length"] | None:
    match reason:
        case "stop" | "length":
            return reason
        case _:
            return None


def _tokens(payload: Mapping[str, Any]) -> tuple[int | None, int | None]:
    usage = payload.get("usage") or {}
    counts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
    first, second = (count if isinstance(count, int) else None for count in counts)
    return first, second
