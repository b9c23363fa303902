"""Reads files out of a compiled Qt resource bundle (.rcc), the form in which GCompris ships."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from vlmbench.errors import DataError

_HEADER = struct.Struct(">4s4I")  # magic, format version, offsets of tree, data and names
_COMPRESSED, _DIRECTORY, _ZSTANDARD = 1, 2, 4  # node flags
_NODE_SIZES = {1: 14, 2: 22, 3: 22}  # since version 2 a node ends with a modification time


def read_resource(bundle: Path, member: str) -> bytes:
    """One file of a bundle.

    Args:
        bundle: The .rcc file.
        member: The file's path in the bundle, from its root: "folder/name.webp".

    Raises:
        DataError: The bundle is not one this can read, or has no such member.
    """
    content = bundle.read_bytes()
    try:
        found = _find(content, member.split("/"))
    except (struct.error, zlib.error, KeyError, UnicodeDecodeError) as error:
        raise DataError(
            f"{bundle.name} is not a readable Qt resource bundle; fetch the sources again."
        ) from error
    if found is None:
        raise DataError(f"{bundle.name} holds no file '{member}'; fetch the pinned version of it.")
    return found


def _find(content: bytes, names: list[str]) -> bytes | None:
    magic, version, tree, data, strings = _HEADER.unpack_from(content)
    if magic != b"qres":
        raise KeyError(magic)
    size = _NODE_SIZES[version]
    node = tree  # the root directory, which has no name
    for name in names:
        _, flags, count, first = struct.unpack_from(">IHII", content, node)
        if not flags & _DIRECTORY:
            return None
        children = (tree + index * size for index in range(first, first + count))
        match = next((child for child in children if _name(content, strings, child) == name), None)
        if match is None:
            return None
        node = match
    return _file(content, data, node)


def _name(content: bytes, strings: int, node: int) -> str:
    (offset,) = struct.unpack_from(">I", content, node)
    (length,) = struct.unpack_from(">H", content, strings + offset)
    start = strings + offset + 6  # a length and a hash stand before the UTF-16 text
    return content[start : start + 2 * length].decode("utf-16-be")


def _file(content: bytes, data: int, node: int) -> bytes | None:
    _, flags, _, _, offset = struct.unpack_from(">IHHHI", content, node)
    if flags & _DIRECTORY:
        return None
    if flags & _ZSTANDARD:
        raise KeyError("zstandard")
    (length,) = struct.unpack_from(">I", content, data + offset)
    stored = content[data + offset + 4 : data + offset + 4 + length]
    return zlib.decompress(stored[4:]) if flags & _COMPRESSED else stored  # 4: the plain length
