"""Hostile servers: endless, slow, lying, and repeating the key."""

from __future__ import annotations

import base64
from contextlib import ExitStack
from pathlib import Path

from attack.data_cases import task, write
from attack.harness import Attack, Case
from attack.hostile_server import (
    Behavior,
    completion,
    echoing,
    endless,
    events,
    gzip_bomb,
    head,
    piece,
    reset,
    serving,
    silent,
    trickled,
    whole,
)

KEY = "sk-attack-0123456789abcdef"
DEEP = b"[" * 200_000
YEARS = str(20 * 365 * 86_400)
SHORT = ("--model-option", "timeout=2", "--model-option", "patience=4")


def _server(
    name: str,
    about: str,
    chat: Behavior,
    *,
    models: Behavior | None = None,
    stream: bool = False,
    quick: bool = False,
    options: tuple[str, ...] = SHORT,
    codes: frozenset[int] = frozenset({2, 3}),
    secret: str = KEY,
    says: str = "",
) -> Case:
    def setup(directory: Path, stack: ExitStack) -> Attack:
        url = stack.enter_context(serving(chat, models))
        write(directory, task())
        arguments = ["run", "--quiet", "--no-cache", "--model", "openai:m", "--base-url", url]
        arguments += ["--tasks", "t.yaml", "--out", "runs", *options]
        arguments += ["--model-option", "stream=true"] if stream else []
        environment = {"OPENAI_API_KEY": KEY, "no_proxy": "127.0.0.1"}
        return Attack(arguments, codes, says, environment, secret=secret)

    return Case("server", name, about, setup, seconds=60, mebibytes=500, quick=quick)


def _each(key: str, form: str) -> str:
    return "".join(form.format(ord(one)) for one in key)


FINE = frozenset({0})
SSE = "text/event-stream"
ENCODED = base64.b64encode(KEY.encode()).decode()

CASES = [
    _server("deep", "a reply of lists 200,000 deep", whole(DEEP), quick=True),
    _server("deep500", "the same with status 500", whole(DEEP, 500)),
    _server("deep400", "the same with status 400", whole(b'{"a":' * 100_000, 400)),
    _server(
        "deepok",
        "a completion with 200,000 lists inside",
        whole(completion()[:-1] + b', "x": ' + DEEP + b"]" * 200_000 + b"}"),
        codes=frozenset({0, 2, 3}),
    ),
    _server("slow", "a reply of a byte each half second", trickled(head() + completion())),
    _server("slowhead", "headers of a byte each half second", trickled(head())),
    _server("never", "no reply", silent, quick=True),
    _server(
        "slowmodels",
        "/models of a byte each half second",
        whole(completion()),
        models=trickled(head() + b" " * 10_000),
        codes=frozenset({0, 2}),
    ),
    _server(
        "nevermodels",
        "no reply at /models",
        whole(completion()),
        models=silent,
        codes=frozenset({0, 2}),
    ),
    _server(
        "endlessmodels",
        "an endless reply at /models",
        whole(completion()),
        models=endless(head(), b" " * 65536),
        codes=frozenset({0, 2}),
    ),
    _server(
        "echo200",
        "the key as the answer",
        echoing(lambda key: head() + completion(f"鍵は{key}です")),
        codes=FINE,
        quick=True,
    ),
    _server(
        "echoupper",
        "the key in capitals",
        echoing(lambda key: head() + completion(key.upper())),
        codes=FINE,
        secret=KEY.upper(),
    ),
    _server(
        "echobase64",
        "the key in base64",
        echoing(lambda key: head() + completion(base64.b64encode(key.encode()).decode())),
        codes=FINE,
        secret=ENCODED.rstrip("="),
    ),
    *(
        _server(
            f"echo{name}",
            f"the key {about}",
            echoing(lambda key, form=form: head() + completion(form(key))),  # type: ignore[misc]
            codes=FINE,
            secret=form(KEY),
            quick=name == "entities",
        )
        for name, about, form in (
            ("percent", "in percent signs", lambda key: _each(key, "%{:02x}")),
            ("entities", "in HTML's entities", lambda key: _each(key, "&#{};")),
            ("hex", "in hexadecimal", lambda key: key.encode().hex()),
            ("zerowidth", "with spaces of no width", "\u200b".join),
            ("wide", "in full width", lambda key: "".join(chr(ord(one) + 0xFEE0) for one in key)),
        )
    ),
    _server(
        "echoencoding",
        "a part of the key as Content-Encoding",
        echoing(lambda key: head(Content_Encoding=key) + completion()),
        secret=KEY[:20],
    ),
    _server(
        "e100",
        "endless statuses 100",
        endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    ),
    _server(
        "echosplit",
        "the key in two pieces of a stream",
        echoing(
            lambda key: head(kind=SSE) + events(piece(key[:9]), piece(key[9:], "stop"), "[DONE]")
        ),
        stream=True,
        codes=FINE,
    ),
    _server(
        "echo400",
        "the key in an error",
        echoing(lambda key: head(400) + b'{"error": {"message": "bad ' + key.encode() + b'"}}'),
    ),
    _server(
        "echofinish",
        "the key as finish_reason",
        echoing(lambda key: head() + completion("赤").replace(b'"stop"', f'"{key}"'.encode())),
        codes=frozenset({0, 2, 3}),
    ),
    _server(
        "r429rabig",
        "429 with a Retry-After of 20 years",
        whole(b"{}", 429, Retry_After=YEARS),
        quick=True,
    ),
    _server(
        "r429rabig_default",
        "the same with the default patience",
        whole(b"{}", 429, Retry_After=YEARS),
        options=(),
    ),
    _server(
        "r429rafuture",
        "429 with a Retry-After in the year 2096",
        whole(b"{}", 429, Retry_After="Sun, 06 Nov 2096 08:49:37 GMT"),
    ),
    _server(
        "r429rapast",
        "429 with a Retry-After in the past",
        whole(b"{}", 429, Retry_After="Sun, 06 Nov 1994 08:49:37 GMT"),
    ),
    _server("r429raneg", "429 with a Retry-After below zero", whole(b"{}", 429, Retry_After="-9")),
    _server("big", "a reply of 50 MB", whole(completion("x" * 50_000_000)), quick=True),
    _server("big500", "an error of 50 MB", whole(b"x" * 50_000_000, 500)),
    _server("endless", "an endless reply", endless(head(), b" " * 65536)),
    _server("endless500", "an endless error", endless(head(500), b" " * 65536)),
    _server(
        "endless_default",
        "an endless reply, with the default patience",
        endless(head(), b" " * 65536),
        options=(),
    ),
    _server(
        "gzipbomb",
        "2 GB of zeros, compressed",
        whole(gzip_bomb(2048), Content_Encoding="gzip"),
        quick=True,
    ),
    _server(
        "stream_endlesssse",
        "an endless stream of pieces",
        endless(head(kind=SSE), events(piece("赤" * 1000))),
        stream=True,
    ),
    _server(
        "stream_longline",
        "a stream of one endless line",
        endless(head(kind=SSE) + b"data: ", b"x" * 65536),
        stream=True,
    ),
    _server(
        "stream_empty",
        "an endless stream of empty pieces",
        endless(head(kind=SSE), events(piece("")) * 200),
        stream=True,
    ),
    _server(
        "stream_never",
        "a stream without a piece",
        endless(head(kind=SSE), b"", pause=1),
        stream=True,
    ),
    _server(
        "stream_slow",
        "a stream of comments each second",
        endless(head(kind=SSE), b": wait\n\n", pause=1),
        stream=True,
    ),
    _server(
        "stream_deep",
        "a piece of lists 200,000 deep",
        whole(b"data: " + DEEP + b"\n\n", kind=SSE),
        stream=True,
    ),
    _server(
        "stream_gzipbomb",
        "2 GB of zeros as a stream, compressed",
        lambda connection, text, over: connection.sendall(
            head(kind=SSE, Content_Encoding="gzip") + gzip_bomb(2048)
        ),
        stream=True,
    ),
    _server(
        "bigusage",
        "token counts of 4,000 digits",
        whole(completion(usage={"prompt_tokens": 10**4000, "completion_tokens": -5})),
        codes=frozenset({0, 2, 3}),
        options=SHORT,
    ),
    _server(
        "bigusage_price",
        "token counts of 4,000 digits, with a price",
        whole(completion(usage={"prompt_tokens": 10**4000, "completion_tokens": 10**300})),
        codes=frozenset({0, 2, 3}),
        options=(*SHORT, "--model-option", "price={input: 1.0, output: 2.0}"),
    ),
    _server(
        "endless60",
        "an endless reply, with a minute's patience",
        endless(head(), b" " * 65536),
        options=("--model-option", "timeout=60", "--model-option", "patience=60"),
    ),
    _server(
        "stream_mixed",
        "a stream of bytes that are no events",
        endless(head(kind=SSE), bytes(range(1, 256)) * 256),
        stream=True,
    ),
    _server("reset", "connections that are cut", reset),
]
