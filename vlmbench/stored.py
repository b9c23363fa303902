"""Lines of a file found again by the id that they are about, without holding them in memory."""

from __future__ import annotations

import json
import os
import tempfile
import weakref
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from vlmbench.errors import DataError

Value = TypeVar("Value")

_FIRST_SLOTS = 1 << 10
_AT_ONCE = 1 << 10
"""Bytes that are read of a line at first; most are shorter."""


class HashIndex:
    """A number for each text, in 24 to 48 bytes: the text's hash stands for the text.

    Whoever asks must tell from a number whether it is the text's, as hashes may be equal. One
    thread may ask while another one puts.
    """

    def __init__(self) -> None:
        self._length = 0
        self._slots = _slots(_FIRST_SLOTS)

    def __len__(self) -> int:
        return self._length

    def numbers(self) -> array[int]:
        """All numbers, in no order."""
        hashes, numbers = self._slots
        return array("q", (number for hash_, number in zip(hashes, numbers, strict=True) if hash_))

    def find(self, text: str, is_its: Callable[[int], bool]) -> int | None:
        """The number of a text; None if it has none."""
        hashes, numbers = self._slots
        at = _place(hashes, numbers, _hash(text), is_its)
        return numbers[at] if hashes[at] else None

    def put(self, text: str, number: int, is_its: Callable[[int], bool]) -> bool:
        """Give a text a number, in place of the one that it may have; whether it had none."""
        hashes, numbers = self._slots
        hash_ = _hash(text)
        at = _place(hashes, numbers, hash_, is_its)
        numbers[at] = number
        if hashes[at]:
            return False
        hashes[at] = hash_  # only now: another thread may be looking
        self._length += 1
        if 3 * self._length > 2 * len(hashes):
            self._grow()
        return True

    def _grow(self) -> None:
        hashes, numbers = grown = _slots(2 * len(self._slots[0]))
        for hash_, number in zip(*self._slots, strict=True):
            if hash_:
                at = _place(hashes, numbers, hash_, _nobodys)
                hashes[at], numbers[at] = hash_, number
        self._slots = grown


def _slots(count: int) -> tuple[array[int], array[int]]:
    """Hashes, 0 where a slot is free, and numbers; a power of two of them."""
    return array("q", bytes(8 * count)), array("q", bytes(8 * count))


def _hash(text: str) -> int:
    return hash(text) or 1


def _place(
    hashes: array[int], numbers: array[int], hash_: int, is_its: Callable[[int], bool]
) -> int:
    """The slot of a text, or the free one where it would be."""
    mask = len(hashes) - 1
    at = hash_ & mask
    while found := hashes[at]:
        if found == hash_ and is_its(numbers[at]):
            break
        at = (at + 1) & mask
    return at


def _nobodys(number: int) -> bool:
    return False


class IdSet:
    """Ids that were met before, each as two hashes of 64 bits."""

    def __init__(self) -> None:
        self._index = HashIndex()

    def __len__(self) -> int:
        return len(self._index)

    def add(self, text: str) -> bool:
        """Take an id in; whether it is new."""
        second = hash(text + "\0")
        return self._index.put(text, second, lambda number: number == second)


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
        self._index = HashIndex()

    def note(self, key: str, offset: int) -> None:
        """A line about `key` begins at this byte; it counts instead of an earlier one."""
        self._index.put(key, offset, lambda other: self._at(other)[0] == key)

    def __getitem__(self, key: str) -> Value:
        found: list[Value] = []

        def is_its(offset: int) -> bool:
            owner, value = self._at(offset)
            found[:] = [value]
            return owner == key

        if self._index.find(key, is_its) is None:
            raise KeyError(key)
        return found[0]

    def __iter__(self) -> Iterator[str]:
        return (self._at(offset)[0] for offset in sorted(self._index.numbers()))

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
    with tempfile.NamedTemporaryFile(prefix="vlmbench-", suffix=".jsonl") as handle:
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
