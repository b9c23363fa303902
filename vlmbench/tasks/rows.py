"""The raw rows of a task's data set, one after the other, within bounded memory."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

from vlmbench.errors import DataError
from vlmbench.schema import read_jsonl
from vlmbench.tasks.conditions import compile_condition
from vlmbench.tasks.filters import as_list, is_nan
from vlmbench.tasks.hub_split import open_split
from vlmbench.tasks.parquet_rows import parquet_columns, parquet_rows
from vlmbench.tasks.sources import local_files, source_name
from vlmbench.tasks.spec import TaskSpec
from vlmbench.tasks.template import missing_column

_PARQUET_ROWS = 32
"""Rows of Parquet files that are in memory together; each may hold megabytes of images."""

_Row: TypeAlias = dict[str, Any]


def read_rows(task: TaskSpec, *, skip: Collection[str] = ()) -> Iterator[_Row]:
    """The rows of a task's data; subsets take turns, a row each, until all have ended.

    Args:
        skip: Columns that need not be read.

    Raises:
        DataError: The data set cannot be found or read, or a column is missing that says which
            rows there are.
    """
    yield from _in_turns(_task_rows(task, name, rows) for name, rows in _by_subset(task, skip))


def count_rows(task: TaskSpec) -> int | None:
    """Number of rows; None where only reading them all would tell, or where there is no file."""
    files = local_files(task)
    if files is None or task.data.keep or task.data.each:
        return None
    counts = [_parquet_count(path) for paths in files.values() for path in paths]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def hub_rows(
    task: TaskSpec, config: str | None, *, skip: Collection[str] = (), local: str | None = None
) -> tuple[Any, Iterator[_Row]]:
    """A Hub data set's schema and its rows; see `HubSplit.rows`.

    Args:
        config: Name of the configuration, where the data set has several.
        local: How to go on without the Hub; by default with `--data-dir`.

    Raises:
        DataError: The data set cannot be loaded, also while its rows are read.
    """
    instead = (
        f"download it elsewhere and put it as {task.name}.parquet into a directory that "
        "'--data-dir' names"
    )
    found = open_split(
        task.data.hub or "",
        split=task.data.split or "train",
        config=config,
        revision=task.data.revision,
        local=local or instead,
    )
    return found.rows(skip=skip)


# datasets' interleave_datasets has this order from 4.2 on ("all_exhausted_without_replacement"),
# for its own data sets only.
def _in_turns(subsets: Iterable[Iterator[_Row]]) -> Iterator[_Row]:
    """A row of each subset, then another of each; a subset is opened at its first turn."""
    waiting = deque(subsets)
    while waiting:
        rows = waiting.popleft()
        for row in islice(rows, 1):
            yield row
            waiting.append(rows)


def _by_subset(
    task: TaskSpec, skip: Collection[str]
) -> Iterator[tuple[str | None, Iterator[_Row]]]:
    files = local_files(task)
    if files is not None:
        for subset, paths in files.items():
            yield subset, _files_rows(task, paths, skip, max(1, _PARQUET_ROWS // len(files)))
    elif task.data.manual is not None:
        raise DataError(
            f"The data of task '{task.name}' must be fetched by hand: {task.data.manual} Then "
            "name its directory with '--data-dir'."
        )
    else:
        for subset in task.data.subsets or (None,):
            yield subset, _opened_late(task, subset or task.data.config, skip)


def _opened_late(task: TaskSpec, config: str | None, skip: Collection[str]) -> Iterator[_Row]:
    yield from hub_rows(task, config, skip=skip)[1]


def _task_rows(task: TaskSpec, subset: str | None, rows: Iterator[_Row]) -> Iterator[_Row]:
    """The rows of a subset that belong to the task, taken apart where `data.each` says so."""
    keep = compile_condition(task.data.keep, "row") if task.data.keep else None
    column = task.data.each
    for row in map(_without_nan, rows):
        if subset is not None:
            row["subset"] = subset
        if keep is not None and not keep(row):
            continue
        if column is None:
            yield row
        elif column not in row:
            raise DataError(missing_column(column, row, source_name(task)))
        else:
            yield from ({**row, column: element} for element in _elements(task, column, row))


def _elements(task: TaskSpec, column: str, row: _Row) -> list[Any]:
    try:
        return as_list(row[column])
    except ValueError as error:
        raise DataError(
            f"The column '{column}' in {source_name(task)} is no list that can be read: {error}."
        ) from error


def _without_nan(row: _Row) -> _Row:
    """The row with null for each NaN, which is what pandas writes for a missing value."""
    return {name: None if is_nan(value) else value for name, value in row.items()}


def _files_rows(
    task: TaskSpec, paths: Iterable[Path], skip: Collection[str], batch_size: int
) -> Iterator[_Row]:
    words = _words(task)
    for path in paths:
        if not path.is_file():
            raise DataError(
                f"There is no data file {path}; check 'data.path' of task '{task.name}'."
            )
        if _file_type(path) == ".parquet":
            yield from _parquet_rows(path, skip, words, batch_size)
        else:
            for _, row in read_jsonl(path):
                yield {name: value for name, value in row.items() if name not in skip}


def _file_type(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in (".parquet", ".jsonl"):
        raise DataError(
            f"The data file {path} is neither .parquet nor .jsonl; convert it to one of them."
        )
    return suffix


def _words(task: TaskSpec) -> str | None:
    """All that a task says, in which the columns that it asks for are named; None if a template
    takes rows as a whole."""
    text = json.dumps(task.as_dict(), ensure_ascii=False)
    return None if re.search(r"\brow\b(?!\s*[.\[])(?=[^\"]*[}%])", text) else text


def _parquet_rows(
    path: Path, skip: Collection[str], words: str | None, batch_size: int
) -> Iterator[_Row]:
    import pyarrow

    try:
        columns = [
            name
            for name, is_heavy in parquet_columns(path).items()
            if name not in skip and (not is_heavy or words is None or name in words)
        ]
        yield from parquet_rows(path, columns, batch_size)
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
        # The last two of dates after the year 9999 and of texts that are not UTF-8.
        raise _unreadable(path, error) from error


def _parquet_count(path: Path) -> int | None:
    if _file_type(path) != ".parquet" or not path.is_file():
        return None
    import pyarrow
    import pyarrow.parquet

    try:
        return int(pyarrow.parquet.read_metadata(path).num_rows)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> DataError:
    reason = str(error).split("\n")[0][:160].rstrip(".")
    return DataError(f"The data file {path} cannot be read ({reason}); replace it.")
