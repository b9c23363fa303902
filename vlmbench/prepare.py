"""`vlmbench tasks prepare`: files that somebody downloaded -> the Parquet file that a task reads.

For benchmarks that no data set of the Hub holds as a task needs them. Nothing is downloaded here:
what to fetch stands in the task's `data.manual`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from vlmbench.errors import DataError
from vlmbench.sources import data_state
from vlmbench.task import TaskSpec

ROWS_AT_ONCE = 64
"""Rows that are in memory together."""

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was done, in a sentence for people."""

    file: Path | None
    """The file that was written; None where there was nothing to do."""
    rows: int
    message: str


def prepare(task: TaskSpec, data_dir: Path) -> Prepared:
    """Make the task's data out of what lies in `data_dir`, where that is possible.

    Args:
        task: Loaded with `data_dir`.
        data_dir: With what the task's `data.manual` says.

    Raises:
        DataError: Something is missing or cannot be read.
    """
    state = data_state(task)
    if state == "embedded":
        return Prepared(None, 0, f"{task.name} ships with vlmbench; nothing is to be prepared.")
    if state == "local":
        return Prepared(None, 0, f"The rows of {task.name} are in {data_dir} already.")
    if state == "Hub":
        where = f"the Hub ({task.data.hub})"
        return Prepared(None, 0, f"{task.name} is read from {where}; nothing is to be prepared.")
    recipe = _RECIPES.get(task.name)
    if recipe is None:
        raise DataError(f"{task.name} cannot be prepared without you: {task.data.manual}")
    return recipe(task, data_dir)


def _captions(task: TaskSpec, data_dir: Path) -> Prepared:
    """Annotations in COCO's form and COCO's images."""
    source = data_dir / f"{task.name}.json"
    content = _read_json(source, task)
    by_image: dict[int, list[str]] = {}
    names = {one["id"]: one["file_name"] for one in content.get("images", ()) if "file_name" in one}
    try:
        for one in content["annotations"]:
            by_image.setdefault(int(one["image_id"]), []).append(str(one["caption"]))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{source} is not in COCO's form (annotations with image_id and caption); fetch it "
            "again."
        ) from error
    folder = data_dir / "coco"
    files = {key: _coco_image(folder, key, names.get(key)) for key in by_image}
    missing = [key for key, file in files.items() if file is None]
    if missing:
        raise DataError(
            f"{len(missing)} of {len(files)} images are not in {folder}, that of image_id "
            f"{missing[0]} for one; add COCO's 2014 images."
        )
    rows = (
        {"image_id": key, "image": _struct(files[key]), "captions": captions}
        for key, captions in by_image.items()
    )
    return _written(task, data_dir, rows, left_out=0)


def _coco_image(folder: Path, number: int, name: str | None) -> Path | None:
    names = [f"COCO_{split}2014_{number:012}.jpg" for split in ("val", "train")]
    if name is not None:
        names.insert(0, Path(name).name)  # a name out of data is never a path
    return next((folder / one for one in names if (folder / one).is_file()), None)


def _table_with_images(task: TaskSpec, data_dir: Path) -> Prepared:
    """A CSV file with an id, and an image named by it; rows whose image is gone are left out."""
    source = data_dir / f"{task.name}.csv"
    folder = data_dir / f"{task.name}-images"
    try:
        with source.open(encoding="utf-8-sig", newline="") as handle:
            table = list(csv.DictReader(handle))
        rows: list[dict[str, Any]] = [{**row, "id": int(row["id"])} for row in table]
    except OSError as error:
        raise _not_there(task, source) from error
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise DataError(
            f"{source} is not a CSV file with a column 'id' of numbers; fetch it again."
        ) from error
    found = [(row, file) for row in rows if (file := _image_of(folder, row["id"])) is not None]
    made = ({**row, "image": _struct(file)} for row, file in found)
    return _written(task, data_dir, made, left_out=len(rows) - len(found))


def _image_of(folder: Path, number: int) -> Path | None:
    files = (folder / f"{number}{suffix}" for suffix in IMAGE_SUFFIXES)
    return next((file for file in files if file.is_file()), None)


_RECIPES: dict[str, Callable[[TaskSpec, Path], Prepared]] = {
    "stair-captions": _captions,
    "yj-captions": _captions,
    "jic-vqa": _table_with_images,
}
"""What can be made out of local files, by task."""


def _read_json(path: Path, task: TaskSpec) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _not_there(task, path) from error
    except ValueError as error:
        raise DataError(f"{path} is not JSON ({error}); fetch it again.") from error
    return content if isinstance(content, dict) else {}


def _not_there(task: TaskSpec, path: Path) -> DataError:
    return DataError(f"There is no {path.name} in {path.parent}; {task.data.manual}")


def _struct(file: Path | None) -> dict[str, Any]:
    assert file is not None
    return {"bytes": file.read_bytes(), "path": file.name}


def _written(
    task: TaskSpec, data_dir: Path, rows: Iterable[dict[str, Any]], *, left_out: int
) -> Prepared:
    """The rows as <data_dir>/<task>.parquet, which is there as a whole or not at all."""
    import pyarrow
    import pyarrow.parquet

    file = data_dir / f"{task.name}.parquet"
    partial = file.with_suffix(".partial")
    count, writer = 0, None
    try:
        for batch in _batches(rows):
            table = pyarrow.Table.from_pylist(batch)
            if writer is None:
                writer = pyarrow.parquet.ParquetWriter(partial, table.schema)
            writer.write_table(table.cast(writer.schema))
            count += len(batch)
    except OSError as error:
        raise DataError(f"{file} cannot be written ({error.strerror}); make room.") from error
    finally:
        if writer is not None:
            writer.close()
    if writer is None:
        raise DataError(f"There is nothing to write for {task.name}: {task.data.manual}")
    partial.replace(file)
    lost = f" {left_out} rows without an image are left out." if left_out else ""
    return Prepared(file, count, f"{file}: {count} rows.{lost}")


def _batches(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, ROWS_AT_ONCE)):
        yield batch
