"""Lines of a file found again by the id that they are about, without holding them in memory."""

from __future__ import annotations

import json
import os
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from vlmbench.errors import DataError
from vlmbench.runs.spool import Index, temporary_files

Value = TypeVar("Value")

_AT_ONCE = 1 << 10
"""Bytes that are read of a line at first; most are shorter."""


class StoredLines(Mapping[str, Value]):
    """What the lines of a file say, by id; read from the file whenever it is asked for.

    Args:
        path: The file, whose noted lines must stay as they are.
        parse: What a line says: whom it is about, and what. It raises no error on a noted line.
    """

    def __init__(self, path: Path, parse: Callable[[bytes], tuple[str, Value]]) -> None:
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._file)
        self._parse = parse
        self._index = Index()

    def note(self, key: str, offset: int) -> None:
        """A line about `key` begins at this byte; it counts instead of an earlier one."""
        self._index.put(key, offset)

    def __getitem__(self, key: str) -> Value:
        offset = self._index.find(key)
        if offset is None:
            raise KeyError(key)
        return self._at(offset)[1]

    def __iter__(self) -> Iterator[str]:
        return (self._at(offset)[0] for offset in self._index.numbers())

    def __len__(self) -> int:
        return len(self._index)

    def __eq__(self, other: object) -> bool:
        # Two of them are never read through to be compared.
        return self is other if isinstance(other, StoredLines) else super().__eq__(other)

    def __reduce__(self) -> tuple[Any, ...]:
        """Goes to another process as a plain mapping."""
        return dict, (dict(self),)

    def _at(self, offset: int) -> tuple[str, Value]:
        size = _AT_ONCE
        while b"\n" not in (data := os.pread(self._file, size, offset)) and len(data) == size:
            size *= 4
        return self._parse(data.partition(b"\n")[0])


def store_texts(texts: Iterable[tuple[str, str]]) -> StoredLines[str]:
    """Texts by id, laid down in a temporary file."""
    with (
        temporary_files(),
        tempfile.NamedTemporaryFile(prefix="vlmbench-", suffix=".jsonl") as handle,
    ):
        for key, text in texts:
            handle.write(json.dumps({"id": key, "text": text}).encode("ascii") + b"\n")
        handle.flush()
        return stored_texts(Path(handle.name))


def stored_texts(path: Path) -> StoredLines[str]:
    """The texts of a file of {id, text}.

    Raises:
        DataError: The file cannot be read, or a line is something else.
    """
    try:
        stored = StoredLines(path, _parse_text)
        with path.open("rb") as handle:
            offset = 0
            for number, line in enumerate(handle, 1):
                if line.strip():
                    stored.note(_checked_text(line, path, number)[0], offset)
                offset += len(line)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); check the path.") from error
    return stored


def _checked_text(line: bytes, path: Path, number: int) -> tuple[str, str]:
    try:
        key, text = _parse_text(line)
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"Line {number} of {path} is not {{id, text}}; correct it.") from error
    if not isinstance(text, str):
        raise DataError(f"The text in line {number} of {path} is not a string; correct it.")
    return key, text


def _parse_text(line: bytes) -> tuple[str, str]:
    value = json.loads(line)
    return str(value["id"]), value["text"]
