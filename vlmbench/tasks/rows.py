"""The raw rows of a task's data set, one after the other, within bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from vlmbench.errors import DataError
from vlmbench.hub import go_offline_if_unreachable, why_not_loaded
from vlmbench.schema import read_jsonl
from vlmbench.tasks.conditions import compile_condition
from vlmbench.tasks.filters import as_list
from vlmbench.tasks.sources import local_files, source_name
from vlmbench.tasks.spec import TaskSpec
from vlmbench.tasks.template import missing_column

ROWS_AT_ONCE = 32
"""Rows of Parquet files that are in memory together; each may hold megabytes of images."""

Row = dict[str, Any]


def read_rows(task: TaskSpec, *, skip: Collection[str] = ()) -> Iterator[Row]:
    """The rows of a task's data; subsets take turns, a row each, until all have ended.

    So the first rows, which a run with a limit asks about, are spread evenly over the subsets, and
    the order is the same with any limit and without one.

    Args:
        task: The task.
        skip: Columns that need not be read.

    Raises:
        DataError: The data set cannot be found or read, or a column is missing that says which
            rows there are.
    """
    yield from _in_turns(_rows_of(task, subset, rows) for subset, rows in _by_subset(task, skip))


def count_rows(task: TaskSpec) -> int | None:
    """Number of rows; None where only reading them all would tell, or where there is no file."""
    files = local_files(task)
    if files is None or task.data.keep or task.data.each:
        return None
    counts = [_parquet_count(path) for paths in files.values() for path in paths]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _in_turns(subsets: Iterable[Iterator[Row]]) -> Iterator[Row]:
    """A row of each subset, then another of each; a subset is opened at its first turn."""
    waiting: deque[Iterator[Row]] = deque()
    for rows in subsets:
        for row in islice(rows, 1):
            yield row
            waiting.append(rows)
    while waiting:
        rows = waiting.popleft()
        for row in islice(rows, 1):
            yield row
            waiting.append(rows)


def _rows_of(task: TaskSpec, subset: str | None, rows: Iterator[Row]) -> Iterator[Row]:
    """The rows of a subset that belong to the task."""
    keep = compile_condition(task.data.keep, "row") if task.data.keep else None
    for row in rows:
        if subset is not None:
            row["subset"] = subset
        if keep is None or keep(row):
            yield from _elements(task, row)


def _by_subset(task: TaskSpec, skip: Collection[str]) -> Iterator[tuple[str | None, Iterator[Row]]]:
    files = local_files(task)
    if files is not None:
        for subset, paths in files.items():
            yield subset, _files_rows(task, paths, skip, at_once=max(1, ROWS_AT_ONCE // len(files)))
    elif task.data.manual is not None:
        raise DataError(
            f"The data of task '{task.name}' must be fetched by hand: {task.data.manual} Then "
            "name its directory with '--data-dir'."
        )
    elif task.data.subsets:
        for subset in task.data.subsets:
            yield subset, _hub_rows(task, subset, skip)
    else:
        yield None, _hub_rows(task, task.data.config, skip)


def _files_rows(
    task: TaskSpec, paths: Iterable[Path], skip: Collection[str], *, at_once: int
) -> Iterator[Row]:
    for path in paths:
        if not path.is_file():
            raise DataError(
                f"There is no data file {path}; check 'data.path' of task '{task.name}'."
            )
        if _kind(path) == ".parquet":
            yield from _parquet_rows(path, skip, at_once)
        else:
            yield from _jsonl_rows(path, skip)


def _elements(task: TaskSpec, row: Row) -> Iterator[Row]:
    """A row for each element of the column that `data.each` names; else the row itself."""
    column = task.data.each
    if column is None:
        yield row
    elif column not in row:
        raise DataError(missing_column(column, row, source_name(task)))
    else:
        for element in as_list(row[column]):
            yield {**row, column: element}


def _parquet_count(path: Path) -> int | None:
    if _kind(path) != ".parquet" or not path.is_file():
        return None
    import pyarrow
    import pyarrow.parquet

    try:
        return int(pyarrow.parquet.read_metadata(path).num_rows)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise _unreadable(path, error) from error


def _kind(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in (".parquet", ".jsonl"):
        raise DataError(
            f"The data file {path} is neither .parquet nor .jsonl; convert it to one of them."
        )
    return suffix


def _parquet_rows(path: Path, skip: Collection[str], at_once: int) -> Iterator[Row]:
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            columns = [name for name in file.schema_arrow.names if name not in skip]
            for batch in file.iter_batches(at_once, columns=columns):
                yield from batch.to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def _jsonl_rows(path: Path, skip: Collection[str]) -> Iterator[Row]:
    for _, row in read_jsonl(path):
        yield {name: value for name, value in row.items() if name not in skip}


def _unreadable(path: Path, error: Exception) -> DataError:
    reason = str(error).split("\n")[0][:160].rstrip(".")
    return DataError(f"The data file {path} cannot be read ({reason}); replace it.")


def hub_tables(task: TaskSpec, config: str | None) -> tuple[Any, Iterator[Row]]:
    """A Hub data set as it is, images encoded: its `pyarrow.Schema` and its rows.

    Args:
        task: Whose data set it is.
        config: Its configuration, where it has several.

    Returns:
        The schema, None where only the rows tell it, and the rows one after the other.

    Raises:
        DataError: It cannot be loaded.
    """
    try:
        rows = _hub_data(task, config)
        rows = _with_images_encoded(rows, rows.features or {})
    except Exception as error:  # the client raises its own errors, httpx's and plain OSErrors
        raise _not_loaded(task, error) from error
    schema = rows.features.arrow_schema if rows.features else None
    return schema, _with_dataset_name(task, rows)


def _hub_rows(task: TaskSpec, config: str | None, skip: Collection[str]) -> Iterator[Row]:
    try:
        rows = _hub_data(task, config)
        features = rows.features or {}
        unread = [name for name in task.fields.images if name in skip and name in features]
        rows = rows.remove_columns(unread) if unread else rows
        shown = [name for name in task.fields.images if name not in unread]
        rows = _with_images_encoded(rows, {name: features.get(name) for name in shown})
    except Exception as error:
        raise _not_loaded(task, error) from error
    yield from _with_dataset_name(task, rows)


def _hub_data(task: TaskSpec, config: str | None) -> Any:
    go_offline_if_unreachable()
    import datasets

    source = task.data
    return datasets.load_dataset(
        source.hub, config, split=source.split, revision=source.revision, streaming=True
    )


def _with_images_encoded(rows: Any, features: Mapping[str, Any]) -> Any:
    for name, feature in features.items():
        if (encoded := _encoded(feature)) is not None:
            rows = rows.cast_column(name, encoded)
    return rows


def _with_dataset_name(task: TaskSpec, rows: Iterable[Row]) -> Iterator[Row]:
    """The rows; an error of the client while they are streamed names the data set."""
    try:
        yield from rows
    except Exception as error:
        raise _not_loaded(task, error) from error


def _not_loaded(task: TaskSpec, error: Exception) -> DataError:
    return DataError(
        why_not_loaded(
            error,
            f"data set '{task.data.hub}'",
            local=f"download it elsewhere and put it as {task.name}.parquet into a directory "
            "that '--data-dir' names",
        )
    )


def _encoded(feature: Any) -> Any:
    """The feature that leaves images encoded; None for one that holds no images."""
    import datasets

    if isinstance(feature, datasets.Image):
        return datasets.Image(decode=False)
    if isinstance(getattr(feature, "feature", None), datasets.Image):
        return type(feature)(datasets.Image(decode=False))
    return None
