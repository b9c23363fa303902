"""What the recipes of `vlmbench tasks prepare` share: reading a source, writing a Parquet file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from vlmbench.errors import DataError
from vlmbench.schema import read_jsonl
from vlmbench.tasks.prepare.parquet_file import ParquetFile
from vlmbench.tasks.spec import TaskSpec

FETCH = {
    "jdocqa": (
        "put dataset/annotation_files/jdocqa_test_all.json of mizuumi/JDocQA into "
        "<data-dir>/jdocqa.json and the PDFs of its pdf_files.zip into <data-dir>/jdocqa-pdfs/."
    ),
    "business-slide-vqa": (
        "put vqa.json of stockmarkteam/business-slide-questions into "
        "<data-dir>/business-slide-vqa.json and the PDFs that its script downloads (named by the "
        "SHA-256 of their address) into <data-dir>/business-slide-vqa-pdfs/."
    ),
}
"""What to fetch for tasks whose rows the Hub has too; of others `data.manual` says it."""

_BATCH_SIZE = 16
"""Rows that are in memory together; each may hold four pages of megabytes."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was done, in a sentence for people."""

    file: Path | None
    """The file that was written; None where there was nothing to do."""
    rows: int
    message: str


def read_source(path: Path, task: TaskSpec) -> Any:
    """The content of a JSON file that was fetched by hand.

    Raises:
        DataError: There is no such file (the message tells what to fetch), or it is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise no_source(task, path) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON ({error}); fetch it again.") from error


def read_lines(path: Path, task: TaskSpec) -> list[dict[str, Any]]:
    """The objects of a JSON Lines file that was fetched by hand; errors as `read_source`."""
    if not path.is_file():
        raise no_source(task, path)
    return [row for _, row in read_jsonl(path, advice="fetch it again")]


def no_source(task: TaskSpec, path: Path) -> DataError:
    """The error for a missing file, with what to fetch."""
    advice = FETCH.get(task.name) or task.data.manual
    return DataError(f"There is no {path.name} in {path.parent}; {advice}")


def refuse_missing(kind: str, folder: Path, files: Iterable[Path]) -> None:
    """Say how many files of a kind, such as "PDFs", are not in the folder, and name the first.

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
    """The rows as <data_dir>/<task>.parquet, or `file`, which is there as a whole or not at all.

    Args:
        rows: Made one after the other; an error while making them leaves no file.
        left_out: How many rows have no image, for the sentence.
        schema: The file's `pyarrow.Schema`; None to take that of the first rows.

    Raises:
        DataError: There are no rows, or the file cannot be written.
    """
    file = file or data_dir / f"{task.name}.parquet"
    written, count, rows = ParquetFile(file, schema), 0, iter(rows)
    try:
        while batch := list(islice(rows, _BATCH_SIZE)):
            written.add(batch)
            count += len(batch)
        if not written.begun:
            advice = task.data.manual or "check its data set."
            raise DataError(f"There is nothing to write for {task.name}: {advice}")
        written.finish()
    except OSError as error:
        raise DataError(f"{file} cannot be written ({error.strerror}); make room.") from error
    finally:
        written.abandon()
    lost = f" {left_out} rows without an image are left out." if left_out else ""
    return Prepared(file, count, f"{file}: {count} rows.{lost}")
