"""Rows of a Parquet file, one at a time, within a bound on bytes and not only on their number.

A file of a few kilobytes may hold gigabytes: a dictionary writes one long value for many rows, and
compression turns zeros into nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from vlmbench.errors import DataError

MAX_VALUE_MIB = 64
"""Of one text, encoded image or list."""
_HEAVY_BYTES = 16 * 2**10
"""Bytes a value on average; such a column is read only where it is asked for."""
_BATCH_BYTES = 32 * 2**20
"""About so much is decoded together, and at least one row."""


def parquet_columns(path: Path) -> dict[str, bool]:
    """The columns of a file, in order, and whether each holds images or other long values.

    Raises:
        pyarrow.ArrowException: The file cannot be read.
    """
    import pyarrow.parquet

    metadata = pyarrow.parquet.read_metadata(path)
    heavy = dict.fromkeys(metadata.schema.to_arrow_schema().names, False)
    for name, size in _averages(metadata):
        heavy[name] = heavy.get(name, False) or size > _HEAVY_BYTES
    return heavy


def parquet_rows(
    path: Path, columns: Sequence[str] | None, batch_size: int
) -> Iterator[dict[str, Any]]:
    """The rows of a file.

    Args:
        columns: Only these; None for all.
        batch_size: At most so many rows are in memory together.

    Raises:
        DataError: A value is larger than `MAX_VALUE_MIB`.
        pyarrow.ArrowException: The file cannot be read.
    """
    import pyarrow
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        names = _flat_texts(file.schema_arrow, columns)
    with pyarrow.parquet.ParquetFile(path, read_dictionary=names) as file:
        _check_averages(path, file.metadata, columns)
        size = min(batch_size, _rows_within(file, columns))
        for batch in file.iter_batches(size, columns=None if columns is None else [*columns]):
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                _check_values(path, name, column)
            if any(pyarrow.types.is_dictionary(one.type) for one in batch.columns):
                for index in range(batch.num_rows):  # a value that rows share is copied for each
                    yield from batch.slice(index, 1).to_pylist()
            else:
                yield from batch.to_pylist()


def _flat_texts(schema: Any, columns: Sequence[str] | None) -> list[str]:
    """Columns of texts or bytes, whose repeated values Parquet may hold only once."""
    import pyarrow

    return [
        one.name
        for one in schema
        if (columns is None or one.name in columns)
        and (pyarrow.types.is_string(one.type) or pyarrow.types.is_binary(one.type))
    ]


def _rows_within(file: Any, columns: Sequence[str] | None) -> int:
    """How many rows together hold about `_BATCH_BYTES`, by what the file says of itself."""
    groups = [file.metadata.row_group(index) for index in range(file.metadata.num_row_groups)]
    heaviest = max(map(partial(_row_bytes, columns=columns), groups), default=1.0)
    return max(1, int(_BATCH_BYTES / max(1.0, heaviest)))


def _row_bytes(group: Any, columns: Sequence[str] | None) -> float:
    """What a row of a part of the file takes; each text of a list may be its column's longest."""
    rows = max(1, group.num_rows)
    chunks = [group.column(index) for index in range(group.num_columns)]
    lists = [
        one.num_values * one.total_uncompressed_size
        for one in chunks
        if one.physical_type == "BYTE_ARRAY" and one.num_values > rows
        if columns is None or one.path_in_schema.partition(".")[0] in columns
    ]
    return float(max(group.total_byte_size, *lists, 0) / rows)


def _check_averages(path: Path, metadata: Any, columns: Sequence[str] | None) -> None:
    """Refuse by what the file says of itself, before anything is decoded."""
    for name, size in _averages(metadata):
        if columns is None or name in columns:
            _check_size(path, name, size)


def _averages(metadata: Any) -> Iterator[tuple[str, float]]:
    """Each column's bytes a value, in each part of the file."""
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        for index in range(group.num_columns):
            chunk = group.column(index)
            name = chunk.path_in_schema.partition(".")[0]
            yield name, chunk.total_uncompressed_size / max(1, chunk.num_values)


def _check_values(path: Path, name: str, column: Any) -> None:
    import pyarrow
    import pyarrow.compute

    kind = column.type
    if pyarrow.types.is_dictionary(kind):
        column = column.dictionary
    elif pyarrow.types.is_struct(kind):
        for index in range(kind.num_fields):
            _check_values(path, f"{name}.{kind.field(index).name}", column.field(index))
        return
    elif pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind):
        values = column.flatten()
        _check_values(path, name, values)
        longest = pyarrow.compute.max(pyarrow.compute.list_value_length(column)).as_py() or 0
        # Each of its values becomes an object of Python's.
        _check_size(path, name, longest * (8 + values.nbytes / max(1, len(values))))
        return
    if not (pyarrow.types.is_string(column.type) or pyarrow.types.is_binary(column.type)):
        return
    longest = pyarrow.compute.max(pyarrow.compute.binary_length(column)).as_py() or 0
    _check_size(path, name, longest)


def _check_size(path: Path, name: str, size: float) -> None:
    if size > MAX_VALUE_MIB * 2**20:
        raise DataError(
            f"The column '{name}' of {path} holds a value of {size / 2**20:,.0f} MiB, more than "
            f"{MAX_VALUE_MIB}; leave it out or make it smaller."
        )
