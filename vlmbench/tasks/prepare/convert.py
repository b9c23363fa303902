"""`vlmbench tasks prepare`: files fetched by hand, or the Hub's rows -> a task's Parquet file.

For benchmarks that no data set of the Hub holds as a task needs them, and for document sets whose
pages can be rendered anew. What to fetch stands in the task's `data.manual` or in `FETCH`; only
`download` loads anything.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vlmbench.errors import DataError, UsageError
from vlmbench.tasks.prepare.documents import business_slide_rows, jdocqa_rows
from vlmbench.tasks.prepare.files import (
    FETCH,
    Prepared,
    image_cell,
    no_source,
    read_lines,
    read_source,
    refuse_missing,
    write_rows,
)
from vlmbench.tasks.rows import hub_rows
from vlmbench.tasks.sources import data_state
from vlmbench.tasks.spec import TaskSpec

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


def prepare(task: TaskSpec, data_dir: Path) -> Prepared:
    """Make the task's data out of what lies in `data_dir`, where that is possible.

    Args:
        task: Loaded with `data_dir`.

    Raises:
        DataError: Something is missing or cannot be read.
        DependencyError: A package is missing that renders pages.
    """
    state, recipe = data_state(task), _RECIPES.get(task.name)
    if state == "embedded":
        return Prepared(None, 0, f"{task.name} ships with vlmbench; nothing is to be prepared.")
    if state == "local":
        return Prepared(None, 0, f"The rows of {task.name} are in {data_dir} already.")
    if state == "manual" and recipe is None:
        raise DataError(f"{task.name} cannot be prepared without you: {task.data.manual}")
    if recipe is not None and (state == "manual" or (data_dir / f"{task.name}.json").is_file()):
        return recipe(task, data_dir)
    other = f" To render it from the PDFs instead, {FETCH[task.name]}" if task.name in FETCH else ""
    message = (
        f"{task.name} is read from the Hub ({task.data.hub}); nothing is to be prepared, and "
        f"'--download' keeps its rows.{other}"
    )
    return Prepared(None, 0, message)


def download(task: TaskSpec, data_dir: Path) -> Prepared:
    """Write the rows to <data_dir>/<task>.parquet, or <task>/<subset>.parquet for subsets.

    A run streams rows from the Hub, each time anew; with these files it needs no network. Files
    that are there stay, so that a download that was broken off goes on.

    Raises:
        UsageError: The Hub does not hold this task's rows.
        DataError: They cannot be loaded, or a file cannot be written.
    """
    if task.data.hub is None or task.data.manual is not None:
        raise UsageError(
            f"The Hub does not hold the rows of {task.name}; leave '--download' out to see what "
            "to do."
        )
    subsets: tuple[str | None, ...] = task.data.subsets or (None,)
    rows = 0
    for subset in subsets:
        name = task.name if subset is None else f"{task.name}/{subset}"
        file = data_dir / f"{name}.parquet"
        if not file.is_file():
            schema, table = hub_rows(task, subset or task.data.config)
            file.parent.mkdir(parents=True, exist_ok=True)
            rows += write_rows(task, data_dir, table, schema=schema, file=file).rows
    where = data_dir / (f"{task.name}.parquet" if subsets == (None,) else task.name)
    state = f"{rows} rows" if rows else "all rows were there already"
    message = f"{where}: {state}; '--data-dir {data_dir}' reads them."
    return Prepared(where, rows, message)


def _captions(task: TaskSpec, data_dir: Path) -> Prepared:
    """Annotations in COCO's form and COCO's images."""
    source = data_dir / f"{task.name}.json"
    content = read_source(source, task)
    captions: dict[int, list[str]] = {}
    try:
        for row in content["annotations"]:
            captions.setdefault(int(row["image_id"]), []).append(str(row["caption"]))
        images = content.get("images", ())
        names = {image["id"]: image["file_name"] for image in images if "file_name" in image}
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{source} is not in COCO's form (annotations with image_id and caption); fetch it "
            "again."
        ) from error
    folder = data_dir / "coco"
    files = {key: _coco_image(folder, key, names.get(key)) for key in captions}
    missing = [key for key, file in files.items() if file is None]
    if missing:
        raise DataError(
            f"{len(missing)} of {len(files)} images are not in {folder}, that of image_id "
            f"{missing[0]} for one; add COCO's 2014 images."
        )
    rows = (
        {"image_id": key, "image": image_cell(file), "captions": captions[key]}
        for key, file in files.items()
        if file is not None
    )
    return write_rows(task, data_dir, rows)


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
        raise no_source(task, source) from error
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise DataError(
            f"{source} is not a CSV file with a column 'id' of numbers; fetch it again."
        ) from error
    found = [(row, file) for row in rows if (file := _image_of(folder, row["id"])) is not None]
    made = ({**row, "image": image_cell(file)} for row, file in found)
    return write_rows(task, data_dir, made, left_out=len(rows) - len(found))


def _image_of(folder: Path, number: int) -> Path | None:
    files = (folder / f"{number}{suffix}" for suffix in IMAGE_SUFFIXES)
    return next((file for file in files if file.is_file()), None)


def _questions_and_answers(task: TaskSpec, data_dir: Path) -> Prepared:
    """Questions and a model's answers to them, which turingmotors/heron keeps in two files."""
    column = "text_JA" if task.name == "llava-bench-coco-ja" else "jp"
    folder = data_dir / f"{task.name}-images"
    questions = read_lines(data_dir / f"{task.name}-questions.jsonl", task)
    answers = read_lines(data_dir / f"{task.name}-answers.jsonl", task)
    try:
        answer_of = {int(one["question_id"]): str(one[column]) for one in answers}
        rows: list[dict[str, Any]] = [
            {
                "question_id": int(one["question_id"]),
                "image": _named_image(folder, str(one["image"])),
                column: str(one[column]),
                "category": str(one["category"]),
                "answer": answer_of[int(one["question_id"])],
            }
            for one in questions
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"The questions and answers of {task.name} in {data_dir} do not belong together, or "
            f"lack question_id, image, category or {column}; fetch both again."
        ) from error
    refuse_missing("images", folder, (row["image"] for row in rows))
    made = ({**row, "image": image_cell(row["image"])} for row in rows)
    return write_rows(task, data_dir, made)


def _named_image(folder: Path, name: str) -> Path:
    """The image of that name, or the one that COCO calls so with its prefix."""
    plain = Path(name).name  # a name out of data is never a path
    coco = folder / f"COCO_val2014_{plain}"
    return coco if coco.is_file() else folder / plain


_RECIPES: dict[str, Callable[[TaskSpec, Path], Prepared]] = {
    "stair-captions": _captions,
    "yj-captions": _captions,
    "jic-vqa": _table_with_images,
    "llava-bench-coco-ja": _questions_and_answers,
    "llava-bench-in-the-wild-ja": _questions_and_answers,
    "jdocqa": jdocqa_rows,
    "business-slide-vqa": business_slide_rows,
}
"""What can be made out of local files, by task."""
