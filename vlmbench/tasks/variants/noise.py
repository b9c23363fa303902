"""Colored noise as a PNG file whose bytes are the same on every machine.

A compressed file would depend on the version of zlib, and so would the hash by which a journal
finds an answer again. The pixels are therefore stored, 16 colors in 4 bits each.
"""

from __future__ import annotations

import hashlib
import struct
import zlib

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LEVELS = (0, 85, 170, 255)
_PALETTE = bytes(
    value
    for red in (0, 255)
    for green in (0, 255)
    for blue in _LEVELS
    for value in (red, green, blue)
)
_STORED = 65_535
"""Most bytes of a stored block (RFC 1951)."""


def noise_png(width: int, height: int, *, key: str) -> bytes:
    """A PNG of independent pixels, each of one of 16 colors."""
    row = (width + 1) // 2
    drawn = hashlib.shake_256(key.encode("utf-8", "surrogatepass")).digest(row * height)
    # A zero before each row: no filter.
    rows = b"".join(b"\0" + drawn[start : start + row] for start in range(0, len(drawn), row))
    size = struct.pack(">IIBBBBB", width, height, 4, 3, 0, 0, 0)
    chunks = ((b"IHDR", size), (b"PLTE", _PALETTE), (b"IDAT", _stored(rows)), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    check = zlib.crc32(data, zlib.crc32(name))
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)


def _stored(data: bytes) -> bytes:
    """A zlib stream (RFC 1950) that compresses nothing."""
    blocks = [b"\x78\x01"]
    for start in range(0, len(data), _STORED):
        block = data[start : start + _STORED]
        last = start + _STORED >= len(data)
        blocks.append(struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF) + block)
    return b"".join(blocks) + struct.pack(">I", zlib.adler32(data))
