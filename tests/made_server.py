"""A real HTTP server on 127.0.0.1 that answers chat completions, well or badly, as a test says."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


@dataclass(frozen=True)
class Reply:
    """What the server does with one request."""

    body: bytes | Mapping[str, Any] = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    """How long it thinks first."""
    promised: int | None = None
    """Length that the header promises; the connection is cut after fewer bytes."""


def completion(text: str | None, finish: str = "stop", **message: Any) -> dict[str, Any]:
    """A chat completion as OpenAI's reference describes it."""
    return {
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, **message},
                "finish_reason": finish,
            }
        ],
        "usage": {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14},
    }


def said(body: Mapping[str, Any]) -> str:
    """The text of a request's user turn."""
    parts = body["messages"][-1]["content"]
    return "".join(part["text"] for part in parts if part["type"] == "text")


class MadeServer:
    """Serves until the context ends.

    Args:
        behave: What to do with a request, by its body and how often its text came before.
        port: 0 for a free one.
    """

    def __init__(self, behave: Callable[[dict[str, Any], int], Reply], *, port: int = 0) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()
        self.times: dict[str, list[float]] = {}
        """When each text came."""
        self.most = 0
        """The most requests at a time."""
        self._behave = behave
        self._now = 0
        self._lock = threading.Lock()
        self._connections: list[socket.socket] = []
        self._server = _Server(("127.0.0.1", port), self._handler())
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def __enter__(self) -> MadeServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()

    def kill(self) -> None:
        """Cut every connection and take no more; again is fine."""
        self._server.shutdown()
        for connection in self._connections:
            with contextlib.suppress(OSError):  # it may have ended already
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.server_close()

    def _take(self, body: dict[str, Any], key: str | None) -> Reply:
        text = said(body)
        with self._lock:
            self.bodies.append(body)
            self.keys.add(key)
            earlier = self.times.setdefault(text, [])
            earlier.append(time.monotonic())
            self._now += 1
            self.most = max(self.most, self._now)
        return self._behave(body, len(earlier) - 1)

    @property
    def now(self) -> int:
        """Requests that are being handled."""
        return self._now

    def _done(self) -> None:
        with self._lock:
            self._now -= 1

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        made = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                made._connections.append(self.request)
                super().setup()

            def do_GET(self) -> None:
                self._send(Reply({"object": "list", "data": []}))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                reply = made._take(body, self.headers.get("Authorization"))
                try:
                    time.sleep(reply.seconds)
                finally:
                    made._done()
                self._send(reply)

            def _send(self, reply: Reply) -> None:
                data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body)
                data = data if isinstance(data, bytes) else data.encode()
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(reply.promised or len(data)))
                self.end_headers()
                self.wfile.write(data)
                if reply.promised:
                    self.close_connection = True

            def log_message(self, format: str, *arguments: Any) -> None:
                """Nothing on standard error."""

        return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error here."""
