"""The rows of a task -> Samples, streamed, with images still encoded.

Three sources: a Parquet file, a JSON Lines file beside its images, a data set of the Hugging
Face Hub. An image column holds encoded bytes, a struct {bytes, path} as `datasets.Image` stores
it, a file name relative to the data file (never outside its folder), or a list of these.
"""

from __future__ import annotations

import base64
import binascii
import errno
import itertools
import math
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from vlmbench.errors import DataError
from vlmbench.records import Image, Sample, Scalar, stable_hash
from vlmbench.tasks.filters import as_list, is_nan
from vlmbench.tasks.literals import literal_problem
from vlmbench.tasks.rows import count_rows, read_rows
from vlmbench.tasks.sources import local_files, source_name
from vlmbench.tasks.spec import Fields, TaskSpec, TextColumn
from vlmbench.tasks.template import missing_column, render
from vlmbench.text.option_lists import unlabeled
from vlmbench.text.visible import visible_line


def read_samples(
    task: TaskSpec, *, only: Collection[int] | None = None, images: bool = True
) -> Iterator[Sample]:
    """The task's samples in the order of the data; subsets take turns.

    Args:
        only: The positions of those that are wanted, from 0; all if None.
        images: Without them only the texts are read, which is much faster.

    Raises:
        DataError: The data set cannot be read or is empty, a column is missing, an id stands
            there twice, or a row cannot become a sample.
    """
    for _, sample in numbered_samples(task, only=only, images=images):
        yield sample


def numbered_samples(
    task: TaskSpec, *, only: Collection[int] | None = None, images: bool = True
) -> Iterator[tuple[int, Sample]]:
    """The same as `read_samples`, each with its position in the data from 0."""
    where = source_name(task)
    folder = _folder(task)
    seen: set[str] = set()
    skip: Collection[str] = () if images else task.fields.images
    end = None if only is None else max(only, default=-1) + 1
    index = -1
    optional: dict[str, None] = {}
    for index, row in enumerate(itertools.islice(read_rows(task, skip=skip), end)):
        # A line of JSON may lack the column, which is a row without its picture.
        optional.update((name, None) for name in task.fields.images if name in row)
        row = {**optional, **row} if images else row
        if only is not None and index not in only:
            continue
        sample = build_sample(task, row, index=index, images=images, folder=folder, source=where)
        if sample.id in seen:
            raise DataError(_id_twice(task, sample, where, index))
        seen.add(sample.id)
        yield index, sample
    if index < 0 and end != 0:
        raise DataError(f"There are no rows in {where}; check the data of task '{task.name}'.")


def _id_twice(task: TaskSpec, sample: Sample, where: str, index: int) -> str:
    if literal_problem(task.fields.id, "id", sample.row) is not None:
        return f"{literal_problem(task.fields.id, 'id', sample.row)} (in row {index} of {where})."
    if "{" not in task.fields.id:
        return (
            f"'fields.id' of the task is '{sample.id}' in every row of {where}; write "
            "{{ row.NAME }} with the name of a column, or {{ index }}."
        )
    return (
        f"The id '{sample.id}' stands twice in {where}, the second time in row {index}; make ids "
        "unique."
    )


def sample_count(task: TaskSpec) -> int | None:
    """Number of samples, where that can be known without reading them all."""
    return count_rows(task)


def build_sample(
    task: TaskSpec,
    row: Mapping[str, Any],
    *,
    index: int,
    images: bool = True,
    folder: Path | None = None,
    source: str = "",
) -> Sample:
    """One row as a sample.

    Args:
        task: Its `fields` say what is what.
        row: The columns; images may be absent when `images` is false.
        index: Position of the row, from 0.
        images: Whether to read the image columns.
        folder: Where image files lie that a column names.
        source: The data set as error messages call it; the task's own if empty.

    Raises:
        DataError: A column is missing or holds something of another kind.
    """
    where = f"row {index} of {source or source_name(task)}"
    fields = task.fields
    columns = {name: value for name, value in row.items() if name not in fields.images}
    sample_id = render(fields.id, columns, location=where, index=index)
    if not sample_id.strip():
        raise DataError(f"The id of {where} is empty; every sample needs one.")
    references = tuple(filter(None, _texts(fields.references, columns, where, index)))
    if not references:
        raise DataError(f"There is no reference answer in {where}; add one or leave the row out.")
    derived = {
        name: render(template, columns, location=where, index=index) or None
        for name, template in fields.derived.items()
    }
    meta = {**{name: _scalar(name, columns, where) for name in fields.meta}, **derived}
    read = _images(fields, row, where, folder) if images else ()
    unread = task.cluster is None and bool(fields.images) and not images
    return Sample(
        id=sample_id,
        images=read,
        references=references,
        row=columns,
        choices=_without_end(_texts(fields.choices, columns, where, index)),
        meta=meta,
        cluster=("" if unread else _cluster(task, sample_id, read, {**columns, **meta}, where)),
    )


def _cluster(
    task: TaskSpec,
    sample_id: str,
    images: tuple[Image, ...],
    values: Mapping[str, Any],
    where: str,
) -> str:
    """What the sample shares with others that are not independent of it."""
    if task.cluster is not None:
        value = _column(task.cluster, values, where)
        return sample_id if value is None else str(value)
    if not images:
        return sample_id
    digests = [image.digest for image in images]
    return digests[0] if len(digests) == 1 else stable_hash(digests)


def _texts(
    source: TextColumn | tuple[str, ...], row: Mapping[str, Any], where: str, index: int
) -> list[str]:
    if isinstance(source, TextColumn):
        value = _column(source.column, row, where)
        listed = source.parse == "list" or isinstance(value, list | tuple)
        try:
            values = as_list(value) if listed else [value]
        except ValueError as error:
            raise DataError(
                f"The column '{source.column}' in {where} is no list that can be read: {error}."
            ) from error
        for one in values:
            if isinstance(one, list | tuple | dict | bytes):
                raise DataError(
                    f"The column '{source.column}' in {where} holds a {type(one).__name__} where "
                    "a text or number is wanted; correct the data, or write templates instead."
                )
        texts = ["" if value is None or is_nan(value) else str(value) for value in values]
        return unlabeled(texts) if source.parse == "unlabeled" else texts
    return [render(template, row, location=where, index=index) for template in source]


def _without_end(options: list[str]) -> tuple[str, ...]:
    """Options without the empty ones at the end; others stay, so that letters keep their place."""
    while options and not options[-1]:
        options = options[:-1]
    return tuple(options)


def _scalar(name: str, row: Mapping[str, Any], where: str) -> Scalar:
    value = _column(name, row, where)
    if isinstance(value, float) and not math.isfinite(value):
        return None  # JSON cannot hold it
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise DataError(
        f"The column '{name}' in {where} holds a {type(value).__name__} where 'fields.meta' "
        "takes a text, number or truth value; leave it out of 'meta'."
    )


def _column(name: str, row: Mapping[str, Any], where: str) -> Any:
    if name not in row:
        raise DataError(missing_column(name, row, where))
    return row[name]


def _folder(task: TaskSpec) -> Path | None:
    """Where image files lie that a column names: beside the data."""
    files = local_files(task)
    return next(iter(files.values()))[0].parent if files else None


def _images(
    fields: Fields, row: Mapping[str, Any], where: str, folder: Path | None
) -> tuple[Image, ...]:
    found: list[Image] = []
    for name in fields.images:
        value = _column(name, row, where)
        values = value if isinstance(value, list | tuple) else [value]
        place = f"column '{name}' of {where}"
        for one in values:
            if isinstance(one, str) and fields.base64:
                found.append(_from_base64(one, place))
            elif not is_missing(one):
                found.append(_image(one, place, folder))
    return tuple(found)


def is_missing(value: Any) -> bool:
    """Whether a column of images holds none: null, NaN, or a struct as pandas writes a null."""
    if isinstance(value, Mapping):
        return not value.get("bytes") and not value.get("path") and {*value} <= {"bytes", "path"}
    return value is None or is_nan(value) or value == ""


def _from_base64(text: str, where: str) -> Image:
    try:
        return Image(base64.b64decode(text, validate=True), source=where)
    except binascii.Error as error:
        # As with a lost file, one sample's trouble.
        return Image(b"", source=f"{where}, which is not base64 ({error})")


def _image(value: Any, where: str, folder: Path | None) -> Image:
    name = ""
    if isinstance(value, Mapping):
        path = value.get("path")
        name = path if isinstance(path, str) else ""
        value = value.get("bytes") or path
    if isinstance(value, bytes):
        return Image(value, source=where, name=name)
    if isinstance(value, str) and folder is not None:
        return image_file(value, where, folder)
    raise DataError(
        f"There is no image in {where}, but a {type(value).__name__}; it should hold bytes, a "
        "struct {bytes, path} or a file name."
    )


def image_file(name: str, where: str, folder: Path) -> Image:
    """An image file by a name that comes from data.

    Args:
        name: Relative to the folder.
        where: What names it, for messages.
        folder: It may not lie outside of this.

    Raises:
        DataError: The name leads out of the folder, or is none.
    """
    try:
        path = (folder / name).resolve()
        inside = path.is_relative_to(folder.resolve())
    except (OSError, ValueError) as error:
        raise DataError(f"The image name in {where} is not a file name; correct it.") from error
    if not inside:
        raise DataError(
            f"The image name '{visible_line(name)}' in {where} leads out of the folder {folder}; "
            "keep images beside the data file."
        )
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise OSError(errno.EINVAL, "it is no file")
        return Image(path.read_bytes(), source=f"{where}, file {visible_line(name)}", name=name)
    except OSError as error:
        # Not raised: one lost file is one sample without an answer, found when it is decoded.
        return Image(b"", source=f"{where}, file {visible_line(name)} ({error.strerror})")
