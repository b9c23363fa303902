"""VLMEvalKit: <run>/<model>_<dataset>.xlsx (or .tsv, .json), with ..._acc.csv and status.json.

Read in its code at e8e78f0 (vlmeval/smp/file.py, inference.py, dataset/image_mcq.py).
"""

from __future__ import annotations

import csv
import json
import re
import string
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vlmbench.errors import DataError
from vlmbench.imports.predictions import (
    Figure,
    HarnessFiles,
    Prediction,
    as_number,
    as_text,
    files_of,
    object_of,
)

NAME = "VLMEvalKit"

FAILED = "Failed to obtain answer"
"""What stands in the place of an answer that it did not get."""

_COMMIT = re.compile(r"T\d{8}_G([0-9a-f]{7,})")
"""Folder names of its runs once held the commit."""

METRICS = {
    "chartqapro": "compat_vlmevalkit.chartqapro_relaxed",
    "chartqa": "compat_vlmevalkit.chartqa_relaxed",
    "docvqa": "compat_vlmevalkit.anls",
    "infovqa": "compat_vlmevalkit.anls",
    "ocrvqa": "compat_vlmevalkit.exact_match",
    "textvqa": "compat_vlmevalkit.vqa_score",
}
"""What the overall figure is on data sets whose name begins so; on others a share of choices."""

_CHOICE = "compat_vlmevalkit.choice"

_SUFFIXES = (".xlsx", ".tsv", ".json")

MAX_MEBIBYTES = 512
"""Of a workbook's parts, unpacked; 100,000 rows of a benchmark take a tenth of that."""

MAX_CELLS = 10_000_000
"""Of a workbook's table, the empty ones between others counted."""


def read(paths: Sequence[Path]) -> HarnessFiles:
    """Its predictions.

    Args:
        paths: Files of predictions, named by model and data set.

    Raises:
        UsageError, DataError: A file is not there, or not of this harness.
    """
    files = files_of(paths, "*.xlsx")
    predictions = [one for path in files for one in _predictions(path)]
    figures = _figures(files[0]) if len(files) == 1 else ()
    return HarnessFiles(
        NAME, tuple(predictions), version=_version(files[0]), figures=tuple(figures)
    )


def _predictions(path: Path) -> Iterator[Prediction]:
    for number, row in enumerate(_rows(path), 2):  # the first line names the columns
        missing = [key for key in ("index", "prediction") if key not in row]
        if missing:
            raise DataError(
                f"{path} has no column '{missing[0]}' but {', '.join(list(row)[:8])}; give the "
                "file of predictions, named <model>_<dataset>."
            )
        text = row["prediction"]
        failed = FAILED in text
        yield Prediction(
            f"row {number} of {path.name}",
            None if failed else text,
            error=text if failed else "",
            id=row["index"],
            question=row.get("question") or None,
            choices=_choices(row),
            references=(row["answer"],) if row.get("answer") else (),
            images=tuple(filter(None, (row.get("image_path"),))),
        )


def _choices(row: Mapping[str, str]) -> tuple[str, ...]:
    """The options of a multiple-choice question: columns A, B, C ..., in their order."""
    return tuple(row[letter] for letter in string.ascii_uppercase if row.get(letter))


def _rows(path: Path) -> Iterable[dict[str, str]]:
    """The rows of a table, all values as texts, what is missing as ""."""
    import pandas as pd

    if path.suffix not in _SUFFIXES:
        raise DataError(
            f"{path} is none of {', '.join(_SUFFIXES)}, which the harness writes predictions as; "
            "give that file."
        )
    try:
        if path.suffix == ".json":
            found = json.loads(path.read_text(encoding="utf-8"))
            rows = found if isinstance(found, list) else []
        elif path.suffix == ".tsv":
            frame = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
            rows = frame.to_dict("records")
        else:
            _check_size(path)
            _check_cells(path)
            rows = pd.read_excel(path, dtype=str, keep_default_na=False).to_dict("records")
    except DataError:
        raise
    except Exception as error:  # pandas, zipfile and the XML parser raise nearly anything
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path} cannot be read ({reason}); give a file of predictions.") from error
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise DataError(f"There are no rows in {path}; give the file of predictions.")
    return [{str(key): _cell(value) for key, value in row.items()} for row in rows]


def _check_size(path: Path) -> None:
    """See that a workbook, which is a zip file, is none that fills the memory."""
    with zipfile.ZipFile(path) as archive:
        size = sum(one.file_size for one in archive.infolist())
    if size > MAX_MEBIBYTES * 2**20:
        raise DataError(
            f"{path} unpacks to more than {MAX_MEBIBYTES} MiB; give the predictions as .tsv."
        )


def _check_cells(path: Path) -> None:
    """See that its table has not far more cells than texts: one that stands far from the others
    makes it as large as all between them."""
    import openpyxl  # type: ignore[import-untyped]

    book = openpyxl.load_workbook(path, read_only=True)
    rows = width = 0
    for row in book.worksheets[0].iter_rows(values_only=True):
        rows, width = rows + 1, max(width, len(row))
        if rows * width > MAX_CELLS:
            raise DataError(
                f"The table in {path} has more than {MAX_CELLS:,} cells; give the predictions as "
                ".tsv."
            )


def _cell(value: Any) -> str:
    text = as_text(value)
    return "" if text is None or text == "nan" else text


def _version(path: Path) -> str | None:
    recorded = as_text(object_of(path.with_name("status.json")).get("commit"))
    named = _COMMIT.fullmatch(path.parent.name)
    return recorded or (named[1] if named else None)


def _figures(path: Path) -> Iterator[Figure]:
    """The overall figure, where it is of one split."""
    try:
        with path.with_name(f"{path.stem}_acc.csv").open(encoding="utf-8", newline="") as handle:
            rows = list(csv.DictReader(handle))
    except (OSError, UnicodeDecodeError, csv.Error):
        return
    value = _number(rows[0].get("Overall")) if len(rows) == 1 else None
    if value is None:
        return
    name = path.stem.lower()
    special = [metric for start, metric in METRICS.items() if f"_{start}" in name]
    # Shares of choices are from 0 to 1 there, everything else in percent.
    yield Figure("Overall", value / 100 if special else value, (special or [_CHOICE])[0])


def _number(text: str | None) -> float | None:
    try:
        return as_number(float(text)) if text else None
    except ValueError:
        return None
