"""A server on 127.0.0.1 that follows no rule: raw sockets, a thread for each connection."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

Behavior = Callable[[socket.socket, str, threading.Event], None]
"""What is done with a request: its connection, its body, and what says that the test is over."""


def completion(text: str | None = "赤", **changes: Any) -> bytes:
    """A chat completion as OpenAI's reference describes it."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": "stop",
    }
    usage = {"prompt_tokens": 5, "completion_tokens": 1}
    return json.dumps({"choices": [choice], "usage": usage, **changes}).encode()


def head(status: int = 200, kind: str = "application/json", **headers: str) -> bytes:
    """Status line and headers, without a length: the body ends with the connection."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def whole(
    body: bytes, status: int = 200, kind: str = "application/json", **headers: str
) -> Behavior:
    """Answers and closes."""

    def behave(connection: socket.socket, text: str, over: threading.Event) -> None:
        connection.sendall(head(status, kind, Content_Length=str(len(body)), **headers) + body)

    return behave


def endless(start: bytes, piece: bytes, *, pause: float = 0.0) -> Behavior:
    """Sends the start and then the piece until the other side leaves."""

    def behave(connection: socket.socket, text: str, over: threading.Event) -> None:
        connection.sendall(start)
        while not over.is_set():
            connection.sendall(piece)
            if pause:
                time.sleep(pause)

    return behave


def silent(connection: socket.socket, text: str, over: threading.Event) -> None:
    """Takes the request and says nothing."""
    over.wait()


def reset(connection: socket.socket, text: str, over: threading.Event) -> None:
    """Cuts the connection in the middle of a reply."""
    connection.sendall(head(Content_Length="1000") + completion()[:20])
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def trickled(data: bytes, pause: float = 0.5) -> Behavior:
    """A byte at a time."""

    def behave(connection: socket.socket, text: str, over: threading.Event) -> None:
        for byte in data:
            connection.sendall(bytes([byte]))
            if over.wait(pause):
                return

    return behave


def echoing(wrap: Callable[[str], bytes]) -> Behavior:
    """Says the key that it was sent."""

    def behave(connection: socket.socket, text: str, over: threading.Event) -> None:
        found = re.search(r"authorization: bearer (\S+)", text, re.I)
        connection.sendall(wrap(found[1] if found else "none"))

    return behave


def gzip_bomb(mebibytes: int) -> bytes:
    """Zeros, compressed a thousand times."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    pieces = [packer.compress(bytes(2**20)) for _ in range(mebibytes)]
    return b"".join([*pieces, packer.flush()])


def events(*payloads: Any) -> bytes:
    """Server-sent events."""
    texts = (one if isinstance(one, str) else json.dumps(one) for one in payloads)
    return b"".join(f"data: {text}\n\n".encode() for text in texts)


def piece(text: str, finish: str | None = None) -> dict[str, Any]:
    """A part of a streamed answer."""
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}


@contextlib.contextmanager
def serving(chat: Behavior, models: Behavior | None = None) -> Iterator[str]:
    """The base URL of a server that does this with chat completions and with `/models`."""
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    plain = whole(b'{"data": []}')

    def handle(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            text = _request(connection)
            asks_models = text.startswith("GET ")
            behavior = (models or plain) if asks_models else chat
            behavior(connection, text, over)
            connection.shutdown(socket.SHUT_WR)

    def accept() -> None:
        while not over.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=handle, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        over.set()
        listener.close()


def _request(connection: socket.socket) -> str:
    """Headers and body of one request."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return ""
        data += more
    start, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", start, re.I)
    while length and len(body) < int(length[1]):
        body += connection.recv(65536)
    return (start + b"\r\n\r\n" + body).decode(errors="replace")
