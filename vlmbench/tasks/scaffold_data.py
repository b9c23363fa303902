"""Data in any of the usual forms as a file that a task can read, with a look at its columns.

A Parquet or JSON Lines file stays where it is. A folder of images with a CSV becomes a JSON Lines
file beside the CSV, a data set in a folder one Parquet file; a data set of the Hub is read there.
"""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmbench.errors import DataError, UsageError
from vlmbench.runs.directory import replace_file
from vlmbench.tasks.rows import hub_rows, read_rows
from vlmbench.tasks.spec import TaskSpec

ROWS = 1000
"""Rows that are looked at."""


@dataclass(frozen=True, slots=True)
class ScaffoldData:
    """What a task file says of its data, and the first rows."""

    source: Mapping[str, str]
    """The keys of `data:`."""
    folder: Path
    """Where the task file goes."""
    rows: tuple[Mapping[str, Any], ...]


def scaffold_data(name: str, given: str, *, split: str | None = None) -> ScaffoldData:
    """The data that a command line names.

    Args:
        name: Of the task, and of a file that is written.
        given: A .parquet, .jsonl or .csv file, a folder, or org/name of the Hub.
        split: Of a data set that has several.

    Raises:
        UsageError: There is no such file, or it is of another kind.
        DataError: It cannot be read, or holds no rows.
    """
    path = Path(given)
    if path.is_dir():
        path = _file_of_folder(name, path, split)
    if path.suffix.lower() == ".csv" and path.is_file():
        path = _csv_as_lines(name, path)
    if path.suffix.lower() in (".parquet", ".jsonl"):
        if not path.is_file():
            raise UsageError(f"There is no file {path}; check the path.")
        return _looked_at({"path": path.name}, path.parent)
    if given.count("/") == 1 and not path.exists() and not given.startswith((".", "/", "~")):
        return _looked_at({"hub": given, "split": split or "test"}, Path())
    raise UsageError(
        f"'{given}' is no .parquet, .jsonl or .csv file, no folder and no org/name of the Hub; "
        "give one of these."
    )


def _looked_at(source: Mapping[str, str], folder: Path) -> ScaffoldData:
    task = TaskSpec.model_validate_json(
        json.dumps(
            {
                "name": "new",
                "display": {"title": "new", "capability": "vqa", "licence": "none"},
                "data": dict(source),
                "fields": {"id": "{{ index }}", "references": ["x"]},
                "prompt": "x",
                "metrics": [{"use": "match.exact"}],
            }
        )
    ).located(folder, None)
    instead = "download it elsewhere and give its folder with --data"
    rows = hub_rows(task, None, local=instead)[1] if "hub" in source else read_rows(task)
    found = tuple(itertools.islice(rows, ROWS))
    if not found:
        raise DataError(f"There are no rows in {folder / source.get('path', '')}; give others.")
    return ScaffoldData(source, folder, found)


def _file_of_folder(name: str, folder: Path, split: str | None) -> Path:
    """The one file with rows of a folder, or one made of a data set in it."""
    for pattern in ("*.csv", "*.jsonl"):
        found = sorted(folder.glob(pattern))
        if len(found) == 1:
            return found[0]
        if found:
            raise UsageError(
                f"{folder} holds {len(found)} files {pattern}; give the one that is meant."
            )
    return _data_set_as_file(name, folder, split)


def _csv_as_lines(name: str, path: Path) -> Path:
    """A CSV beside images as JSON Lines: a task reads these."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            rows = list(csv.DictReader(handle))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{path} cannot be read as CSV in UTF-8 ({error}); save it as UTF-8 (in Excel: CSV "
            "UTF-8)."
        ) from error
    target = path.with_name(f"{name}.jsonl")
    _refuse_existing(target)
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    replace_file(target, (line.encode() for line in lines))
    return target


def _data_set_as_file(name: str, folder: Path, split: str | None) -> Path:
    """A data set in a folder (`save_to_disk`, or Parquet files) as one Parquet file in it."""
    import pyarrow
    import pyarrow.parquet

    found = sorted(folder.rglob("*.parquet"))
    if split is not None:
        found = [one for one in found if split in one.name]
    if len(found) == 1:
        return found[0]
    target = folder / f"{name}.parquet"
    _refuse_existing(target)
    try:
        if found:
            pyarrow.parquet.write_table(pyarrow.parquet.read_table(found), target)
        else:
            _write_saved(folder, split, target)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{folder} holds no .csv, no .jsonl and no data set that can be read ({reason}); give "
            "a file."
        ) from error
    return target


def _write_saved(folder: Path, split: str | None, target: Path) -> None:
    """What `datasets` saved to disk."""
    import datasets

    datasets.disable_progress_bars()
    saved = datasets.load_from_disk(str(folder))
    if isinstance(saved, datasets.DatasetDict):
        if split is None and len(saved) > 1:
            raise UsageError(
                f"{folder} holds the splits {', '.join(saved)}; say which one with '--split'."
            )
        saved = saved[split or next(iter(saved))]
    saved.to_parquet(str(target))


def _refuse_existing(path: Path) -> None:
    if path.exists():
        raise UsageError(f"{path} is there already; take it away, or give it as the data.")


def image_files(values: Iterable[Any]) -> Iterator[str]:
    """Texts that end as names of image files do."""
    for value in values:
        if isinstance(value, str) and value.lower().endswith(
            (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
        ):
            yield value
