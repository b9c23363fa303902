"""What the recipes of `vlmbench tasks prepare` share: reading a source, writing a Parquet file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from vlmbench.errors import DataError
from vlmbench.schema import read_jsonl
from vlmbench.tasks.spec import TaskSpec

ROWS_AT_ONCE = 16
"""Rows that are in memory together; each may hold four pages of megabytes."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was done, in a sentence for people."""

    file: Path | None
    """The file that was written; None where there was nothing to do."""
    rows: int
    message: str


def read_source(path: Path, task: TaskSpec, *, fetch: str | None = None) -> Any:
    """The content of a JSON file that somebody fetched.

    Args:
        path: The file.
        task: Its `data.manual` says what to do where there is no file.
        fetch: Says it instead.

    Raises:
        DataError: There is no such file, or it holds no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise no_source(task, path, fetch=fetch) from error
    except ValueError as error:
        raise DataError(f"{path} is not JSON ({error}); fetch it again.") from error


def read_lines(path: Path, task: TaskSpec, *, fetch: str | None = None) -> list[dict[str, Any]]:
    """The objects of a JSON Lines file; arguments and errors as `read_source`."""
    if not path.is_file():
        raise no_source(task, path, fetch=fetch)
    return [row for _, row in read_jsonl(path, advice="fetch it again")]


def no_source(task: TaskSpec, path: Path, *, fetch: str | None = None) -> DataError:
    """A file is missing that somebody should have fetched."""
    return DataError(f"There is no {path.name} in {path.parent}; {fetch or task.data.manual}")


def refuse_missing(kind: str, folder: Path, files: Iterable[Path]) -> None:
    """Say how many of the files are missing, and name the first of them.

    Args:
        kind: What they are, such as "PDFs".
        folder: Where they should be.
        files: All that are needed.

    Raises:
        DataError: One is missing.
    """
    wanted = sorted({*files})
    missing = [file.name for file in wanted if not file.is_file()]
    if missing:
        first = ", ".join(missing[:3]) + (" and so on" if len(missing) > 3 else "")
        raise DataError(
            f"{len(missing)} of {len(wanted)} {kind} are not in {folder}: {first}; add them."
        )


def image_cell(file: Path) -> dict[str, Any]:
    """An image file as a cell of an image column."""
    return {"bytes": file.read_bytes(), "path": file.name}


def write_rows(
    task: TaskSpec,
    data_dir: Path,
    rows: Iterable[dict[str, Any]],
    *,
    left_out: int = 0,
    schema: Any = None,
    file: Path | None = None,
) -> Prepared:
    """The rows as <data_dir>/<task>.parquet, which is there as a whole or not at all.

    Args:
        task: Whose rows these are.
        data_dir: Where the file goes.
        rows: Made one after the other; an error while making them leaves no file.
        left_out: How many rows have no image, for the sentence.
        schema: The file's `pyarrow.Schema`; None to take that of the first rows.
        file: Another place than <data_dir>/<task>.parquet.

    Raises:
        DataError: There are no rows, or the file cannot be written.
    """
    import pyarrow
    import pyarrow.parquet

    file = file or data_dir / f"{task.name}.parquet"
    partial = file.with_suffix(".partial")
    count, writer = 0, None
    try:
        for batch in _batches(rows):
            table = pyarrow.Table.from_pylist(batch, schema=schema)
            if writer is None:
                writer = pyarrow.parquet.ParquetWriter(partial, table.schema)
            writer.write_table(table.cast(writer.schema))
            count += len(batch)
        if writer is None:
            advice = task.data.manual or "check its data set."
            raise DataError(f"There is nothing to write for {task.name}: {advice}")
        writer.close()
        partial.replace(file)
    except OSError as error:
        raise DataError(f"{file} cannot be written ({error.strerror}); make room.") from error
    finally:
        if writer is not None:
            writer.close()
        partial.unlink(missing_ok=True)
    lost = f" {left_out} rows without an image are left out." if left_out else ""
    return Prepared(file, count, f"{file}: {count} rows.{lost}")


def _batches(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, ROWS_AT_ONCE)):
        yield batch
