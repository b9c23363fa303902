"""A line of a journal with a checksum in it, so that a flipped bit is noticed and not believed.

The checksum stands at the end of the JSON object under "~crc", which sorts behind all other keys.
"""

from __future__ import annotations

import json
import zlib
from typing import Any

_MARK = b',"~crc":"'
"""No text inside a line can look like this, because JSON escapes its quotation marks."""


def sealed(text: str) -> bytes:
    """A line's bytes, its end included.

    Args:
        text: A JSON object that is not empty, as `canonical_json` writes it.
    """
    body = text.encode("utf-8", "backslashreplace")
    return b'%s%s%08x"}\n' % (body[:-1], _MARK, zlib.crc32(body))


def unsealed(line: bytes) -> Any:
    """The JSON value of a line without its checksum; lines of older journals have none.

    Raises:
        ValueError: It is not JSON, too deep, or not what was written.
    """
    body, mark, rest = line.rstrip().rpartition(_MARK)
    if mark:
        body += b"}"
        if rest != b'%08x"}' % zlib.crc32(body):
            raise ValueError("the checksum is another one")
    try:
        return json.loads(body if mark else line)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
