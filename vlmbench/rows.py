"""The raw rows of a task's data set, one after the other, within bounded memory."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from vlmbench.errors import DataError
from vlmbench.hub import use_cache_when_unreachable, why_not_loaded
from vlmbench.task import TaskSpec

ROWS_AT_ONCE = 32
"""Rows of a Parquet file that are in memory together; each may hold megabytes of images."""

Row = dict[str, Any]


def read_rows(task: TaskSpec, *, skip: Collection[str] = ()) -> Iterator[Row]:
    """The rows of a task's data.

    Args:
        task: The task.
        skip: Columns that need not be read.

    Raises:
        DataError: The data set cannot be found or read.
    """
    if task.data_path is None:
        return _hub_rows(task, skip)
    if not task.data_path.is_file():
        raise DataError(
            f"There is no data file {task.data_path}; check 'data.path' of task '{task.name}'."
        )
    return _READERS[_kind(task.data_path)](task.data_path, skip)


def count_rows(task: TaskSpec) -> int | None:
    """Number of rows; None where only reading them all would tell, or where there is no file."""
    path = task.data_path
    if path is None or _kind(path) != ".parquet" or not path.is_file():
        return None
    import pyarrow
    import pyarrow.parquet

    try:
        return int(pyarrow.parquet.read_metadata(path).num_rows)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise _unreadable(path, error) from error


def _kind(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in _READERS:
        raise DataError(
            f"The data file {path} is neither .parquet nor .jsonl; convert it to one of them."
        )
    return suffix


def _parquet_rows(path: Path, skip: Collection[str]) -> Iterator[Row]:
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            columns = [name for name in file.schema_arrow.names if name not in skip]
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=columns):
                yield from batch.to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def _jsonl_rows(path: Path, skip: Collection[str]) -> Iterator[Row]:
    try:
        with path.open("rb") as handle:
            for number, line in enumerate(handle, 1):
                if line.strip():
                    row = _json_row(line, path, number)
                    yield {name: value for name, value in row.items() if name not in skip}
    except OSError as error:
        raise _unreadable(path, error) from error


def _json_row(line: bytes, path: Path, number: int) -> Row:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise DataError(f"Line {number} of {path} is not JSON ({error}); correct it.") from error
    if not isinstance(row, dict):
        raise DataError(f"Line {number} of {path} is not a JSON object; write one a line.")
    return row


def _unreadable(path: Path, error: Exception) -> DataError:
    reason = str(error).split("\n")[0][:160].rstrip(".")
    return DataError(f"The data file {path} cannot be read ({reason}); replace it.")


def _hub_rows(task: TaskSpec, skip: Collection[str]) -> Iterator[Row]:
    use_cache_when_unreachable()
    import datasets

    source = task.data
    try:
        rows = datasets.load_dataset(
            source.hub,
            source.config,
            split=source.split,
            revision=source.revision,
            streaming=True,
        )
        for name in task.fields.images:
            if name in skip:
                rows = rows.remove_columns([name])
            elif isinstance((rows.features or {}).get(name), datasets.Image):
                rows = rows.cast_column(name, datasets.Image(decode=False))
        yield from rows
    except Exception as error:  # the client raises its own errors, httpx's and plain OSErrors
        raise DataError(
            why_not_loaded(
                error,
                f"data set '{source.hub}'",
                local="download it elsewhere and name the file in 'data: {path: file.parquet}' of "
                "a copy of the task's YAML",
            )
        ) from error


_READERS = {".parquet": _parquet_rows, ".jsonl": _jsonl_rows}
