"""Files of rows, read one after the other or by number, and never held in memory as a whole.

Parquet is read a row group at a time and only in the columns that are needed; JSON and JSON Lines
are indexed once by the place of each row, then read where the row stands.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, Protocol, TypeAlias, cast

from vlmbench.errors import DataError
from vlmbench.schema import json_kind

if TYPE_CHECKING:
    import pyarrow
    import pyarrow.parquet

Row: TypeAlias = dict[str, Any]

SUFFIXES = (".parquet", ".jsonl", ".json")
"""Kinds of files; of a folder that holds several kinds, the first of these is read."""
_UNREADABLE = (OSError, ValueError, OverflowError)
"""What pyarrow raises beside its own errors: on dates after the year 9999, on texts that are not
UTF-8."""
BATCH_ROWS = 8
"""Rows of Parquet that are decoded together when a file is read from start to end."""


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of a file that are read together."""

    rows: int
    bytes: int
    """What it takes in memory; 0 where each row is read alone."""


class Rows(Protocol):
    """Rows of one block by number, from 0."""

    def __getitem__(self, number: int) -> Row: ...


class RowFile(Protocol):
    """A file of rows, one after the other or by block and number."""

    name: str
    """For messages."""
    folder: Path | None
    """Where image files lie that rows name; None where there are none."""
    columns: tuple[str, ...]
    blocks: list[Block]

    def read(self, columns: Collection[str]) -> Iterator[Row]:
        """All rows in order, with no more than these columns."""
        ...

    def block(self, number: int, columns: Collection[str]) -> Rows:
        """The rows of a block."""
        ...


def open_rows(file: Path | str, name: str, folder: Path | None) -> RowFile:
    """The rows of a file.

    Args:
        file: On this machine, or the address of a Parquet file that fsspec opens.
        name: For messages; its ending says what kind of file it is.
        folder: Where image files lie that rows name.

    Raises:
        DataError: It is of no known kind, or cannot be read.
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix == ".parquet":
        return ParquetRows(file, name, folder)
    if suffix in SUFFIXES:
        return TextRows(Path(file), name, folder)
    raise DataError(
        f"The data file {name} is none of {', '.join(SUFFIXES)}; convert it to one of them."
    )


class ParquetRows:
    """A Parquet file, local or at an address that fsspec opens."""

    def __init__(self, file: Path | str, name: str, folder: Path | None) -> None:
        self.name, self.folder, self._file = name, folder, file
        self._metadata: Any = None
        self._state: _State | None = None
        with self._opened() as parquet:
            if isinstance(file, Path):
                self._state = _state(file)
            self._metadata = parquet.metadata
            self.schema = parquet.schema_arrow
        self.columns = tuple(self.schema.names)
        groups = map(self._metadata.row_group, range(self._metadata.num_row_groups))
        self.blocks = [Block(group.num_rows, group.total_byte_size) for group in groups]

    def read(self, columns: Collection[str]) -> Iterator[Row]:
        """All rows in order, with no more than these columns."""
        wanted = [name for name in self.columns if name in columns]
        # By default pyarrow keeps what it has read until the end: here 355 MiB of a file of 434 MB.
        with self._opened(pre_buffer=False, buffer_size=1 << 20) as parquet:
            for batch in parquet.iter_batches(BATCH_ROWS, columns=wanted, use_threads=False):
                yield from batch.to_pylist()

    def block(self, number: int, columns: Collection[str]) -> Rows:
        """The rows of a row group."""
        wanted = [name for name in self.columns if name in columns]
        with self._opened() as parquet:
            return _TableRows(parquet.read_row_group(number, columns=wanted), self.name)

    @contextmanager
    def _opened(self, **options: Any) -> Iterator[pyarrow.parquet.ParquetFile]:
        import fsspec  # type: ignore[import-untyped]
        import pyarrow
        import pyarrow.parquet

        is_here = isinstance(self._file, Path)
        try:
            if self._state is not None and _state(Path(self._file)) != self._state:
                raise _changed(self.name)
            with fsspec.open(str(self._file), "rb") as file:
                yield pyarrow.parquet.ParquetFile(file, metadata=self._metadata, **options)
        except DataError:
            raise
        except Exception as error:  # the Hub's client raises its own errors and httpx's
            if is_here and not isinstance(error, (pyarrow.ArrowException, *_UNREADABLE)):
                raise
            reason = str(error).split("\n")[0][:160].rstrip(".")
            advice = "replace it" if is_here else "check the connection and try again"
            raise DataError(
                f"The data file {self.name} cannot be read ({reason}); {advice}."
            ) from error


_State: TypeAlias = tuple[int, int]
"""Size and time of the last change, by which a file is known to be the one that was indexed."""


def _state(path: Path) -> _State:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _changed(name: str) -> DataError:
    return DataError(
        f"The data file {name} was changed since its rows were found; put the earlier one back, or "
        "start anew."
    )


@dataclass(frozen=True, slots=True)
class _TableRows:
    """Rows of an Arrow table, made into Python values one at a time."""

    table: pyarrow.Table
    name: str

    def __getitem__(self, number: int) -> Row:
        try:
            return cast(Row, self.table.slice(number, 1).to_pylist()[0])
        except _UNREADABLE as error:
            reason = str(error).split("\n")[0][:160].rstrip(".")
            raise DataError(
                f"A row of {self.name} cannot be read ({reason}); correct or leave it out."
            ) from error


class TextRows:
    """A file of JSON Lines, or one JSON list of objects."""

    def __init__(self, path: Path, name: str, folder: Path | None) -> None:
        self.name, self.folder, self._path = name, folder, path
        try:
            with path.open("rb") as handle:
                self._state = _state(path)
                self._starts, self._ends = _index(handle, name)
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error.strerror}); check the path.") from error
        self.blocks = [Block(len(self._starts), 0)]
        self.columns = tuple(self[0]) if self._starts else ()

    def read(self, columns: Collection[str]) -> Iterator[Row]:
        """All rows in order."""
        return map(self.__getitem__, range(len(self._starts)))

    def block(self, number: int, columns: Collection[str]) -> Rows:
        """All rows: they are read one by one."""
        return self

    def __getitem__(self, number: int) -> Row:
        try:
            if _state(self._path) != self._state:
                raise _changed(self.name)
            with self._path.open("rb") as handle:
                handle.seek(self._starts[number])
                value = json.loads(handle.read(self._ends[number] - self._starts[number]))
        except OSError as error:
            raise DataError(
                f"The data file {self.name} cannot be read ({error.strerror}); put it back."
            ) from error
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"Row {number} of {self.name} is not JSON ({error}); correct it."
            ) from error
        if not isinstance(value, dict):
            raise DataError(
                f"Row {number} of {self.name} is {json_kind(value)} and no JSON object; correct it."
            )
        return value


_Places: TypeAlias = "tuple[array[int], array[int]]"
"""First byte of each row, and the byte after its last."""


def _index(handle: IO[bytes], name: str) -> _Places:
    """Where rows are; whether it is a list or lines is seen from the first character."""
    if handle.read(3) != b"\xef\xbb\xbf":  # which some editors put at the start of a file
        handle.seek(0)
    start = handle.tell()
    first = next((byte for byte in iter(lambda: handle.read(1), b"") if byte.strip()), b"")
    handle.seek(start)
    return _list_places(handle, name) if first == b"[" else _line_places(handle)


def _line_places(handle: IO[bytes]) -> _Places:
    starts, ends = array("q"), array("q")
    position = handle.tell()
    for line in handle:
        if line.strip():
            starts.append(position)
            ends.append(position + len(line))
        position += len(line)
    return starts, ends


def _list_places(handle: IO[bytes], name: str) -> _Places:
    starts, ends = array("q"), array("q")
    position = handle.tell()  # in bytes
    try:
        text = handle.read().decode()
        decode, between = json.JSONDecoder().raw_decode, re.compile(r"\s*[\[,]?\s*")
        done = 0  # in characters
        while True:
            gap = between.match(text, done)
            begin = gap.end() if gap else done
            position += len(text[done:begin].encode())
            if text[begin : begin + 1] == "]":
                return starts, ends
            _, done = decode(text, begin)
            starts.append(position)
            position += len(text[begin:done].encode())
            ends.append(position)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{name} is not valid JSON, behind its row {len(starts) - 1} "
            f"({str(error) or type(error).__name__}); correct it."
        ) from error
