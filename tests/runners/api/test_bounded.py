"""Replies end at the bound, counted after decompression; what is within it comes unchanged."""

from __future__ import annotations

import asyncio
import gzip
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from vlmbench.runners.api.bounded import STREAMED, ReplyTooLarge, bounding_hook

MIB = 2**20


def fetched(body: bytes, encoding: str = "", kind: str = "application/json") -> bytes:
    """What a client with a bound of 1 MiB reads."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            if encoding:
                self.send_header("Content-Encoding", encoding)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing."""

    async def read(url: str) -> bytes:
        hooks = {"response": [bounding_hook(httpx.AsyncClient, 1)]}
        async with httpx.AsyncClient(event_hooks=hooks, trust_env=False) as client:
            return (await client.get(url)).content

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.handle_error = lambda *arguments: None  # type: ignore[method-assign]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            return asyncio.run(read(f"http://127.0.0.1:{server.server_address[1]}"))
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("body", [b"", b"{}", "答え\n".encode() * 1000, b"x" * MIB])
def test_within_the_bound(body: bytes) -> None:
    assert fetched(body) == body
    assert fetched(gzip.compress(body), "gzip") == body
    assert fetched(zlib.compress(body), "deflate") == body


@pytest.mark.parametrize(
    ("body", "encoding"),
    [(b"x" * (MIB + 1), ""), (gzip.compress(bytes(64 * MIB)), "gzip"), (b"x\n" * MIB, "")],
)
def test_beyond_the_bound(body: bytes, encoding: str) -> None:
    with pytest.raises(ReplyTooLarge, match="larger than 1 MiB"):
        fetched(body, encoding)


def test_a_stream_of_events_may_be_longer_but_not_one_of_them() -> None:
    events = (b"data: " + b"x" * 1000 + b"\n\n") * 3000
    assert MIB < len(events) < STREAMED * MIB
    assert fetched(events, kind="text/event-stream") == events
    for body in (b"data: " + b"x" * (MIB + 1), events * 3):
        with pytest.raises(ReplyTooLarge):
            fetched(body, kind="text/event-stream")


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip"])
def test_what_cannot_be_decompressed(encoding: str) -> None:
    with pytest.raises(ReplyTooLarge, match=r"compressed as|cannot be decompressed"):
        fetched(b"not compressed at all", encoding)
