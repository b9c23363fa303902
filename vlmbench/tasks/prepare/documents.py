"""Recipes of `vlmbench tasks prepare` that render pages of PDFs.

The Hub has these benchmarks with rendered pages. From the documents themselves they are rendered
here at `DPI`, into a file with the same columns, which `--data-dir` then finds before the Hub.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmbench.errors import DataError, DependencyError
from vlmbench.tasks.prepare.files import (
    Prepared,
    read_lines,
    read_source,
    refuse_missing,
    write_rows,
)
from vlmbench.tasks.spec import TaskSpec

DPI = 200
"""As the script of stockmarkteam/business-slide-questions renders (the default of pdf2image). The
dots of the Hub's copy of JDocQA are not known to us; the same are taken."""

MOST_PAGES = 4
"""The columns image_0 to image_3 of JDocQA."""

LARGEST = 50_000_000
"""Pixels of an image; a larger page (a poster at 200 dpi) is rendered at fewer dots an inch."""

_SLIDE = re.compile(r"(?P<document>[0-9A-Za-z_-]+)_page_(?P<page>\d{1,5})\.png")


@dataclass(frozen=True, slots=True)
class _Question:
    """A row without its images, and where these are."""

    columns: Mapping[str, Any]
    file: Path
    pages: tuple[int, ...]


def jdocqa_rows(task: TaskSpec, data_dir: Path) -> Prepared:
    """JDocQA's annotations, a JSON object a line, and its PDFs."""
    source, folder = data_dir / f"{task.name}.json", data_dir / f"{task.name}-pdfs"
    rows = read_lines(source, task)
    try:
        questions = [_jdocqa_question(row, number, folder) for number, row in enumerate(rows)]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{source} does not hold JDocQA's annotations (pdf_name, question_page_number, "
            "question, answer, answer_type from 1 to 4); fetch it again."
        ) from error
    shown = [one for one in questions if one.pages]
    refuse_missing("PDFs", folder, (one.file for one in shown))
    columns = [f"image_{k}" for k in range(MOST_PAGES)]
    made = ({**one.columns, **dict(zip(columns, _page_images(one), strict=False))} for one in shown)
    texts = {"question": "string", "answer": "string"}
    schema = _schema({"question_id": "int64", **texts, "answer_type": "int64"}, columns)
    left_out = len(questions) - len(shown)
    return write_rows(task, data_dir, made, left_out=left_out, schema=schema)


def business_slide_rows(task: TaskSpec, data_dir: Path) -> Prepared:
    """BusinessSlideVQA's questions, a JSON list, and the slides' PDFs."""
    source, folder = data_dir / f"{task.name}.json", data_dir / f"{task.name}-pdfs"
    rows = read_source(source, task)
    try:
        questions = [_slide_question(row, folder) for row in rows]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{source} does not hold BusinessSlideVQA's questions (question_id, question, answer, "
            "image as <document>_page_<number>.png); fetch it again."
        ) from error
    refuse_missing("PDFs", folder, (one.file for one in questions))
    made = ({**one.columns, "image": _page_images(one)[0]} for one in questions)
    texts = dict.fromkeys(("question", "answer", "image type"), "string")
    schema = _schema({"question_id": "int64", **texts}, ["image"])
    return write_rows(task, data_dir, made, schema=schema)


def page_image(file: Path, number: int, *, dpi: int) -> bytes:
    """One page as a PNG file.

    Args:
        number: Of the page, from 1.
        dpi: Dots an inch; a page of A4 at 200 is 1654 x 2339 pixels.

    Raises:
        DataError: The file is no PDF that can be opened, or has no such page.
        DependencyError: pypdfium2 is not installed.
    """
    try:
        import pypdfium2
    except ImportError:
        raise DependencyError(
            "pypdfium2, which renders pages of PDFs, is not installed; run pip install "
            "'vlmbench-ja[documents]'."
        ) from None
    try:
        with pypdfium2.PdfDocument(file) as document:
            pages = len(document)
            if not 1 <= number <= pages:
                raise DataError(
                    f"{file} has {pages} pages and not a page {number}; fetch the file again, or "
                    "correct the annotations."
                )
            page = document[number - 1]
            width, height = page.get_size()
            scale = min(dpi / 72, (LARGEST / max(1.0, width * height)) ** 0.5)
            image = page.render(scale=scale).to_pil().convert("RGB")
    except (pypdfium2.PdfiumError, OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read as a PDF ({error}); fetch it again.") from error
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def _jdocqa_question(row: Mapping[str, Any], number: int, folder: Path) -> _Question:
    kind = int(row["answer_type"]) - 1  # from 1 there, from 0 in the task's columns
    if not 0 <= kind <= 3:
        raise ValueError(kind)
    columns = {
        "question_id": number,
        "question": str(row["question"]),
        "answer": str(row["answer"]),
        "answer_type": kind,
    }
    pages = tuple(int(page) for page in re.findall(r"\d+", str(row["question_page_number"])))
    return _Question(columns, folder / Path(row["pdf_name"]).name, pages[:MOST_PAGES])


def _slide_question(row: Mapping[str, Any], folder: Path) -> _Question:
    place = _SLIDE.fullmatch(row["image"])
    if place is None:
        raise ValueError(row["image"])
    texts = {name: str(row[name]) for name in ("question", "answer", "image type") if name in row}
    columns = {"question_id": int(row["question_id"]), **texts}
    return _Question(columns, folder / f"{place['document']}.pdf", (int(place["page"]),))


def _page_images(question: _Question) -> list[dict[str, Any]]:
    file = question.file
    return [
        {"bytes": page_image(file, page, dpi=DPI), "path": f"{file.stem}_page_{page:03}.png"}
        for page in question.pages
    ]


def _schema(columns: Mapping[str, str], images: Iterable[str]) -> Any:
    """A `pyarrow.Schema` of columns, by the names of their types, and of images behind them."""
    import pyarrow

    image = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    fields = [(name, pyarrow.type_for_alias(kind)) for name, kind in columns.items()]
    return pyarrow.schema(fields + [(name, image) for name in images])
