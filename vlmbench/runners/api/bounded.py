"""A bound on the bytes of a server's reply, counted as they come and after decompression.

The HTTP client holds a reply whole and decompresses it as it likes, so an endless body or a bomb of
compressed zeros would fill the memory.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib import import_module
from typing import Any

STREAMED = 8
"""How many times the bound a stream of events may have in all, as its events are not kept; a
single one of them has the bound itself."""

_STEP = 2**16
"""Bytes that are decompressed at a time."""


class ReplyTooLarge(Exception):
    """A reply is larger than allowed; its text is for people."""


def bounding_hook(client: type, mebibytes: int) -> Callable[[Any], Awaitable[None]]:
    """A response hook of the client that makes every reply end at the bound.

    Args:
        client: The class of the HTTP client, of httpx or of httpx2.
    """
    package = import_module(
        next(
            one.__module__ for one in client.__mro__ if one.__module__.startswith("httpx")
        ).partition(".")[0]
    )

    class Bounded(package.AsyncByteStream):  # type: ignore[misc, name-defined]
        """The body of a reply, decompressed."""

        def __init__(self, inner: Any, encoding: str, events: bool) -> None:
            self.inner, self.encoding, self.events = inner, encoding, events

        async def __aiter__(self) -> AsyncIterator[bytes]:
            counter = _Counter(mebibytes, self.events)
            unpack = _unpacker(self.encoding)
            async for chunk in self.inner:
                for piece in unpack(chunk):
                    counter.count(piece)
                    yield piece

        async def aclose(self) -> None:
            await self.inner.aclose()

    async def hook(response: Any) -> None:
        encoding = response.headers.pop("content-encoding", "identity").strip().lower()
        events = response.headers.get("content-type", "").startswith("text/event-stream")
        response.stream = Bounded(response.stream, encoding, events)

    return hook


class _Counter:
    """Counts a reply's bytes, and those of the line that is being read."""

    def __init__(self, mebibytes: int, events: bool) -> None:
        self._mebibytes = mebibytes
        self._most = mebibytes * 2**20
        self._events = events
        self._total = self._line = 0

    def count(self, piece: bytes) -> None:
        """Raises ReplyTooLarge."""
        self._total += len(piece)
        end = piece.rfind(b"\n")
        self._line = self._line + len(piece) if end < 0 else len(piece) - end - 1
        in_all = self._most * (STREAMED if self._events else 1)
        if self._total > in_all or self._line > self._most:
            raise ReplyTooLarge(
                f"the server's reply is larger than {self._mebibytes} MiB; allow more with "
                "--model-option max_reply_mib=N if it is an answer"
            )


def _unpacker(encoding: str) -> Callable[[bytes], Any]:
    if encoding in ("", "identity"):
        return lambda chunk: (chunk,)
    if encoding not in ("gzip", "x-gzip", "deflate"):  # none of which was asked for
        raise ReplyTooLarge(f"the server's reply is compressed as '{encoding}'")
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)

    def unpack(chunk: bytes) -> Any:
        while chunk:
            try:
                piece = unpacker.decompress(chunk, _STEP)
            except zlib.error as error:
                raise ReplyTooLarge("the server's reply cannot be decompressed") from error
            if not piece and not unpacker.unconsumed_tail:
                return
            yield piece
            chunk = unpacker.unconsumed_tail

    return unpack
