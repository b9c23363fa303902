"""What an answer is does not depend on how a server sends it, nor on what it calls things."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from made_server import MadeServer, Reply, completion

from vlmbench.errors import ModelError
from vlmbench.models.endpoints import CallOptions
from vlmbench.models.resolve import resolve_model
from vlmbench.records import Generation, Request, Response, TextPart
from vlmbench.runners.api.client import ChatClient
from vlmbench.runners.api.left_out import special_tokens
from vlmbench.runners.api.replies import Completion, Endpoint, RequestRejected, RetryableError
from vlmbench.runners.api.runner import OpenAIRunner, is_local

QUESTION = {"role": "user", "content": [{"type": "text", "text": "問"}]}
CALL = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]

NO_TEXT, FAILED = "no text", "failed"


KEY = "sk-secret-0123456789"


def events(message: dict[str, Any], finish: str | None) -> bytes:
    """A message as servers stream it: the role, then a piece a field, then the end."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": message.get("content") and ""}]
    for name, value in message.items():
        pieces = list(value) if name in ("content", "refusal") and value else [value]
        deltas += [{name: piece} for piece in pieces]
    parts: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": one}]} for one in deltas]
    parts.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    lines = [f"data: {json.dumps(part)}\n\n" for part in parts]
    return "".join([*lines, "data: [DONE]\n\n"]).encode()


def outcome(message: dict[str, Any], finish: str | None, *, stream: bool) -> Any:
    """Text and finish of an answer, or what kind of failure it is."""

    def reply(body: dict[str, Any], earlier: int) -> Reply:
        if stream:
            return Reply(events(message, finish), headers={"Content-Type": "text/event-stream"})
        whole = {"role": "assistant", "content": None, **message}
        choice = {"index": 0, "message": whole, "finish_reason": finish}
        return Reply({"choices": [choice]})

    async def ask(url: str) -> Completion:
        client = ChatClient(Endpoint(url, "m", "OPENAI_API_KEY"), CallOptions(stream=stream))
        try:
            return await client.complete({"model": "m", "messages": [QUESTION]})
        finally:
            await client.close()

    with MadeServer(reply) as server:
        try:
            answer = asyncio.run(ask(server.url))
        except RequestRejected as refusal:
            assert str(finish) in refusal.message, "the reason is named"
            return NO_TEXT
        except RetryableError as problem:
            assert str(finish) in problem.message
            return FAILED
    return answer.text, answer.finish


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("message", "finish", "expected"),
    [
        ({"content": "赤い"}, "stop", ("赤い", "stop")),
        ({"content": "赤い"}, "length", ("赤い", "length")),
        ({"content": ""}, "stop", ("", "stop")),
        ({"refusal": "お答えできません"}, "stop", ("お答えできません", "stop")),
        # Thoughts alone, as vLLM (null) and llama.cpp (empty) send them
        ({"content": None, "reasoning_content": "考え"}, "stop", NO_TEXT),
        ({"content": "", "reasoning_content": "考え"}, "stop", NO_TEXT),
        ({"content": None, "reasoning": "考え"}, "stop", NO_TEXT),
        ({"content": None, "reasoning_content": "考え"}, "length", ("", "length")),
        ({"content": "赤", "reasoning_content": "考え"}, "stop", ("赤", "stop")),
        # A tool is called instead of an answer
        ({"content": None, "tool_calls": CALL}, "tool_calls", NO_TEXT),
        ({"content": None, "tool_calls": CALL}, "stop", NO_TEXT),
        ({"content": "調べます", "tool_calls": CALL}, "tool_calls", NO_TEXT),
        ({"content": None}, "stop", NO_TEXT),
        # Other names of the same: TGI, Anthropic, Gemini, Mistral
        ({"content": "赤"}, "eos_token", ("赤", "stop")),
        ({"content": "赤"}, "end_turn", ("赤", "stop")),
        ({"content": "赤"}, "STOP", ("赤", "stop")),
        ({"content": "赤"}, "MAX_TOKENS", ("赤", "length")),
        ({"content": "赤"}, "model_length", ("赤", "length")),
        ({"content": ""}, "SAFETY", NO_TEXT),
        ({"content": "赤"}, "content_filter", NO_TEXT),
        # The server gave up: vLLM, OpenRouter, DeepSeek
        ({"content": "赤"}, "abort", FAILED),
        ({"content": ""}, "error", FAILED),
        ({"content": ""}, "insufficient_system_resource", FAILED),
        ({"content": "赤"}, "something_new", NO_TEXT),
    ],
)
def test_streaming_gives_the_same_outcome(
    message: dict[str, Any], finish: str, expected: Any, stream: bool
) -> None:
    assert outcome(message, finish, stream=stream) == expected


def ask_all(url: str, count: int, **options: Any) -> list[Response]:
    many = [Request(f"q{n}", (TextPart(f"問{n}"),), Generation(8)) for n in range(count)]
    runner = OpenAIRunner()
    runner.prepare(resolve_model("openai:m", options={"base_url": url, **options}))
    try:
        return runner.generate(many)
    finally:
        runner.close()


def error(message: str, status: int = 400, **fields: Any) -> Reply:
    return Reply({"error": {"message": message, **fields}}, status)


REFUSALS = [
    # OpenAI's words for its reasoning models
    error(
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
        "'max_completion_tokens' instead.",
        param="max_tokens",
        code="unsupported_parameter",
    ),
    error("max_tokens is not supported for this model"),
    # A server that checks fields by pydantic
    Reply(
        {"detail": [{"type": "extra_forbidden", "loc": ["body", "max_tokens"],
                     "msg": "Extra inputs are not permitted"}]},
        422,
    ),
]  # fmt: skip


@pytest.mark.parametrize("refusal", REFUSALS)
def test_the_other_name_of_the_limit_is_taken(refusal: Reply) -> None:
    def refuse(body: dict[str, Any], earlier: int) -> Reply:
        return refusal if "max_tokens" in body else Reply(completion("猫"))

    with MadeServer(refuse) as server:
        answers = ask_all(server.url, 40)
        refused = [body for body in server.bodies if "max_tokens" in body]
    assert [one.text for one in answers] == ["猫"] * 40
    assert 1 <= len(refused) <= 4, "a handful"
    assert all(body.get("max_completion_tokens", 8) == 8 for body in server.bodies)


def test_the_older_name_is_taken_where_the_newer_is_refused() -> None:
    def refuse(body: dict[str, Any], earlier: int) -> Reply:
        if "max_completion_tokens" in body:
            return error("Unrecognized request argument supplied: max_completion_tokens")
        return Reply(completion("猫"))

    with MadeServer(refuse) as server:
        answers = ask_all(server.url, 9, token_field="max_completion_tokens")
    assert [one.text for one in answers] == ["猫"] * 9


def test_a_server_that_takes_neither_name_ends() -> None:
    def refuse(body: dict[str, Any], earlier: int) -> Reply:
        name = "max_tokens" if "max_tokens" in body else "max_completion_tokens"
        return error(f"'{name}' is not supported", param=name)

    with MadeServer(refuse) as server:
        answers = ask_all(server.url, 5)
        assert len(server.bodies) <= 10
    assert {one.error.kind for one in answers if one.error} == {"rejected"}


def test_a_limit_that_is_too_large_is_no_refused_name() -> None:
    words = (
        "'max_tokens' or 'max_completion_tokens' is too large: 9000. This model's maximum context "
        "length is 8192 tokens and your request has 100 input tokens"
    )
    with MadeServer(lambda body, earlier: error(words)) as server:
        answers = ask_all(server.url, 3)
        assert len(server.bodies) == 3
    assert {one.error.kind for one in answers if one.error} == {"too_long"}


def test_a_field_that_no_request_may_have_stops_the_run() -> None:
    refusal = error(
        "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) "
        "value is supported.",
        param="temperature",
        code="unsupported_value",
    )
    with MadeServer(lambda body, earlier: refusal) as server:
        with pytest.raises(ModelError, match=r"--model-option 'omit=\[temperature\]'"):
            ask_all(server.url, 40)
        assert len(server.bodies) <= 4
        server.bodies.clear()

        def take(body: dict[str, Any], earlier: int) -> Reply:
            return refusal if "temperature" in body else Reply(completion("猫"))

    with MadeServer(take) as server:
        assert ask_all(server.url, 1, omit=["temperature"])[0].text == "猫"


@pytest.mark.parametrize("file", ["tokenizer.json", "tokenizer_config.json"])
def test_special_tokens_in_the_text_are_removed_where_the_tokenizer_is_known(
    tmp_path: Path, file: str
) -> None:
    names = ["<|im_end|>", "<|im_end|>x", "<think>", "</think>"]
    tokens = [{"content": one, "special": True} for one in names]
    tokens.append({"content": "<b>", "special": False})
    content: dict[str, Any] = {"added_tokens": tokens}
    if file == "tokenizer_config.json":
        content = {"added_tokens_decoder": {str(at): one for at, one in enumerate(tokens)}}
    (tmp_path / file).write_text(json.dumps(content))
    assert special_tokens(str(tmp_path)) == ["<|im_end|>x", "<|im_end|>"]

    said = "<think>考え</think><b>赤</b><|im_end|>x<|im_end|>"
    with MadeServer(lambda body, earlier: Reply(completion(said))) as server:
        runner = OpenAIRunner()
        options = {"base_url": server.url}
        runner.prepare(resolve_model(f"openai:{tmp_path}", options=options))
        answer = runner.generate([Request("q", (TextPart("問"),), Generation(8))])[0]
    assert answer.text == "<think>考え</think><b>赤</b>", "the marks of reasoning stay"


def test_special_tokens_of_a_model_of_the_hub_are_read_from_its_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache as the Hub's client lays it out."""
    import huggingface_hub

    repo = tmp_path / "models--org--m"
    (repo / "snapshots" / "abc").mkdir(parents=True)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text("abc")
    tokens = {"added_tokens": [{"content": "<|end|>", "special": True},
                               {"content": "<eot>", "special": True}]}  # fmt: skip
    (repo / "snapshots" / "abc" / "tokenizer.json").write_text(json.dumps(tokens))
    found = huggingface_hub.try_to_load_from_cache
    monkeypatch.setattr(
        huggingface_hub,
        "try_to_load_from_cache",
        lambda repo_id, name: found(repo_id, name, cache_dir=str(tmp_path)),
    )
    assert special_tokens("org/m") == ["<eot>"]  # <|end|> stands around reasoning, too
    assert special_tokens("org/other") == special_tokens("gpt-5") == special_tokens("a/b/c") == []


@pytest.mark.parametrize("finish", [KEY, f"failed: {KEY.upper()}", "x" * 10**6])
def test_a_reason_to_end_is_hidden_and_cut(finish: str) -> None:
    """It stands in the sample's error, and a server may write anything there."""
    with MadeServer(lambda body, earlier: Reply(completion("赤", finish))) as server:

        async def ask() -> Response:
            options = CallOptions.model_validate({"retries": 0})
            client = ChatClient(Endpoint(server.url, "m", "K", KEY), options)
            try:
                return await client.ask(Request("q", (TextPart("何色？"),), Generation(4)))
            finally:
                await client.close()

        response = asyncio.run(ask())
    assert response.error is not None
    assert KEY.lower() not in response.error.message.lower()
    assert len(response.error.message) < 400


def test_a_server_of_this_machine_is_asked_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with MadeServer(lambda body, earlier: Reply(completion("赤"))) as server:
        runner = OpenAIRunner()
        runner.prepare(resolve_model("openai:m", options={"base_url": server.url}))
        request = Request("q", (TextPart("何色？"),), Generation(4))
        assert [one.text for one in runner.generate([request])] == ["赤"]


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost:8000/v1", True),
        ("http://127.0.0.1/v1", True),
        ("http://[::1]:9/v1", True),
        ("http://127.example.org/v1", False),
        ("https://api.openai.com/v1", False),
        ("http://10.0.0.1/v1", False),
    ],
)
def test_addresses_of_this_machine(url: str, local: bool) -> None:
    assert is_local(url) is local
