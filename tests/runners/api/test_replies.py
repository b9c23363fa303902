"""What becomes of servers' replies. The bodies are written after what the named servers send."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from made_server import MadeServer, Reply, completion

from vlmbench.errors import ModelError
from vlmbench.models.endpoints import CallOptions
from vlmbench.runners.api.client import ChatClient
from vlmbench.runners.api.replies import (
    Completion,
    Endpoint,
    RequestRejected,
    RetryableError,
    retry_after,
)

KEY = "sk-geheim-0123456789"
QUESTION = {"role": "user", "content": [{"type": "text", "text": "問"}]}


def read(status: int, body: Any, *, kind: str | None = None, stream: bool = False) -> Completion:
    """What a client makes of a server's reply, `kind` being its content type."""
    reply = Reply(
        body if isinstance(body, bytes) else json.dumps(body).encode(),
        status,
        {} if kind is None else {"Content-Type": kind},
    )

    async def ask(url: str) -> Completion:
        endpoint = Endpoint(url, "m", "OPENAI_API_KEY", KEY)
        client = ChatClient(endpoint, CallOptions(stream=stream))
        try:
            return await client.complete({"model": "m", "messages": [QUESTION]})
        finally:
            await client.close()

    with MadeServer(lambda body, earlier: reply) as server:
        return asyncio.run(ask(server.url))


def openai_error(message: str, code: Any = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": "x", "param": None, "code": code}}


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (completion("赤"), Completion("赤", "stop", 11, 3)),
        (completion("赤い", "length"), Completion("赤い", "length", 11, 3)),
        (completion(""), Completion("", "stop", 11, 3)),
        # A reasoning model that thought until the limit.
        (completion(None, "length"), Completion("", "length", 11, 3)),
        (
            completion(None, refusal="お答えできません"),
            Completion("お答えできません", "stop", 11, 3),
        ),
        (completion("赤", "eos"), Completion("赤", "stop", 11, 3)),
        ({**completion("赤"), "usage": None}, Completion("赤", "stop", None, None)),
        (
            completion([{"type": "text", "text": "赤"}, {"type": "text", "text": "い"}]),  # type: ignore[arg-type]
            Completion("赤い", "stop", 11, 3),
        ),
    ],
)
@pytest.mark.parametrize("kind", [None, "application/json", "application/json; charset=utf-8"])
def test_answers(body: dict[str, Any], answer: Completion, kind: str | None) -> None:
    assert read(200, body, kind=kind) == answer


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, openai_error("x", "context_length_exceeded"), "too_long"),
        # OpenAI, vLLM, llama.cpp and SGLang
        (400, openai_error("This model's maximum context length is 8192 tokens."), "too_long"),
        (400, {"message": "The prompt is too long: 9000, model maximum 4096"}, "too_long"),
        (400, openai_error("the request exceeds the available context size"), "too_long"),
        (400, openai_error("The input (9000 tokens) is longer than the model's context length"),
         "too_long"),
        (400, openai_error("You uploaded an unsupported image."), "image"),
        (422, {"detail": "Unexpected fields in the request: {'seed'}"}, "rejected"),
        (413, b"<html>Payload Too Large</html>", "rejected"),
        (200, completion("", "content_filter"), "rejected"),
        (200, completion(None), "rejected"),
        (200, openai_error("context length exceeded: 9000 > 8192, context window", 400),
         "too_long"),
    ],
)  # fmt: skip
def test_what_will_never_be_answered(status: int, body: Any, kind: str) -> None:
    with pytest.raises(RequestRejected) as caught:
        read(status, body)
    assert caught.value.kind == kind


@pytest.mark.parametrize(
    ("status", "body", "kind", "limited"),
    [
        (429, openai_error("Rate limit reached"), "unavailable", True),
        (500, b"Internal Server Error", "unavailable", False),
        (503, {"error": {"code": 503, "message": "Loading model"}}, "unavailable", False),
        (529, {"error": "overloaded"}, "unavailable", False),
        (504, b"", "timeout", False),
        (408, b"", "timeout", False),
        (200, b'{"choices": [{"mess', "unavailable", False),
        (200, b"[]", "unavailable", False),
        (200, {"choices": []}, "unavailable", False),
        (200, {"choices": [{"message": {"content": 5}}]}, "unavailable", False),
        (200, openai_error("provider is down", 502), "unavailable", False),
        (200, {"error": "CUDA out of memory"}, "unavailable", False),
    ],
)
def test_what_may_be_answered_later(status: int, body: Any, kind: str, limited: bool) -> None:
    with pytest.raises(RetryableError) as caught:
        read(status, body)
    assert (caught.value.kind, caught.value.limited) == (kind, limited)


@pytest.mark.parametrize(
    ("status", "body", "fragment"),
    [
        (401, openai_error(f"Incorrect API key provided: {KEY}"), "does not accept the key of"),
        (403, openai_error("Country not supported"), "(HTTP 403: Country not supported)"),
        (404, openai_error("The model 'm' does not exist"), "has no model 'm'"),
        (405, b"", "takes no chat completions"),
        (301, b"", "takes no chat completions (HTTP 301"),
        (429, openai_error("You exceeded your current quota", "insufficient_quota"), "credit"),
    ],
)
def test_what_stops_the_run(status: int, body: Any, fragment: str) -> None:
    with pytest.raises(ModelError) as caught:
        read(status, body)
    assert fragment in str(caught.value)
    assert str(caught.value).count(". ") == 0, "one sentence"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 418])
def test_the_key_is_in_no_message(status: int) -> None:
    body = openai_error(f"no: {KEY}, Bearer {KEY}, sk-of-someone-else")
    with pytest.raises((RequestRejected, RetryableError, ModelError)) as caught:
        read(status, body)
    assert "geheim" not in str(caught.value) and "someone" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        # RFC 9110, section 10.2.3, shows both forms.
        ("Fri, 31 Dec 1999 23:59:59 GMT", 59.0),
        ("Fri, 31 Dec 1999 23:00:00 GMT", 0.0),
        ("soon", None),
        ("nan", None),
        ("inf", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, datetime(1999, 12, 31, 23, 59, 0, tzinfo=UTC)) == seconds


def event(**delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


END = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
USAGE = {"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 3}}


def streamed(*events: Any) -> Completion:
    texts = [one if isinstance(one, str) else f"data: {json.dumps(one)}" for one in events]
    body = "".join(f"{text}\n\n" for text in texts).encode()
    return read(200, body, kind="text/event-stream", stream=True)


def test_a_streamed_answer() -> None:
    events = [": ping", "", event(role="assistant", content=""), event(content="赤"),
              event(content="\u2028い"), END, USAGE, "data: [DONE]"]  # fmt: skip
    answer = streamed(*events)
    assert answer.first_token_seconds is not None
    assert replace(answer, first_token_seconds=None) == Completion("赤\u2028い", "stop", 11, 3)


@pytest.mark.parametrize(
    "events",
    [
        [event(content="赤")],
        [event(content="赤"), {"error": {"message": "died", "code": 500}}],
        [event(content="赤"), {"error": "died"}],
        ['data: {"choices'],
        [{"choices": [{}]}],
        [["no event"]],
    ],
)
def test_a_stream_that_breaks_off_is_no_answer(events: list[Any]) -> None:
    with pytest.raises(RetryableError):
        streamed(*events)


def test_a_stream_may_say_that_the_request_is_too_long() -> None:
    with pytest.raises(RequestRejected) as caught:
        streamed(openai_error("maximum context length is 8192 tokens", 400))
    assert caught.value.kind == "too_long"


def test_json_that_is_none_is_retried() -> None:
    """With a content type that promises JSON; the table above has none."""
    with pytest.raises(RetryableError, match="is not JSON"):
        read(200, b'{"choices": [{"mess', kind="application/json")
