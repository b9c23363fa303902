"""JSON Lines of any program: {prediction, id?, question?, image?, references?, choices?}."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from vlmbench.errors import DataError
from vlmbench.imports.predictions import (
    HarnessFiles,
    Prediction,
    as_text,
    as_texts,
    files_of,
    read_lines,
)
from vlmbench.tasks.samples import image_file

NAME = "jsonl"


def read(paths: Sequence[Path]) -> HarnessFiles:
    """The predictions of the files.

    Args:
        paths: Files, or folders of *.jsonl. `image` is the name of a file, from the folder of the
            predictions, or the digest that journals call it by; several in a list.

    Raises:
        UsageError, DataError: A file is not there, or a line has no `prediction`.
    """
    files = files_of(paths, "*.jsonl")
    predictions = tuple(one for path in files for one in _predictions(path))
    return HarnessFiles(NAME, predictions)


def _predictions(path: Path) -> Iterator[Prediction]:
    for place, line in read_lines(path, ("prediction",)):
        text = line["prediction"]
        names = as_texts(line.get("images", line.get("image")))
        yield Prediction(
            place,
            None if text is None else str(text),
            error="the prediction is null" if text is None else "",
            id=as_text(line.get("id")),
            question=as_text(line.get("question")),
            choices=as_texts(line.get("choices")),
            references=as_texts(line.get("references", line.get("reference"))),
            images=(*names, *_digests(path.parent, names)),
        )


def _digests(folder: Path, names: Sequence[str]) -> Iterator[str]:
    """Digests of the images that are in the folder, or below it."""
    for name in names:
        with suppress(DataError):  # a digest, or a name of somewhere else
            image = image_file(name, "a prediction", folder)
            if image.data:
                yield image.digest
