"""The photographs of the real level: captions, questions and comparisons written by hand.

`content/photos.yaml` and `content/photo_comparisons.yaml` say which pictures there are, who made
them, and what is asked; the pictures come out of pinned packages (`photo_files.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Literal

from credits import Credit
from photo_files import LONGEST_SIDE, packaged_file, shrunken
from pydantic import Field, RootModel

from vlmbench.errors import ConfigError, DataError, unknown_name
from vlmbench.records import Image
from vlmbench.schema import Strict, parse, read_yaml
from vlmbench.tasks.prompt import IMAGE_PLACEHOLDER
from vlmbench.train.synthetic.items import SuiteItem
from vlmbench.train.synthetic.resources import data_file

_KEY = Field(pattern="^[a-z0-9-]+$")
_TEXT = Field(min_length=1)
_ANSWERS = Field(min_length=1)


class Question(Strict):
    """A question on one photograph that has a short answer."""

    kind: str = _KEY
    """Slice: what, where, count, exists, color, action ..."""
    ask: str = _TEXT
    answers: tuple[str, ...] = _ANSWERS
    """Every spelling that is right, best first."""


class Photo(Strict):
    """One photograph and what is asked about it."""

    key: str = _KEY
    title: str
    """The name its maker or package gives it."""
    package: str
    file: str
    """File name in the package's picture folder."""
    member: str | None = None
    """Path inside `file`, where that is a Qt resource bundle."""
    digest: str
    """First 16 hex digits of the SHA-256 of the picture as packaged."""
    author: str
    licence: Literal["CC0-1.0", "Public domain", "CC-BY-2.0", "CC-BY-4.0"]
    captions: tuple[str, ...] = Field(min_length=5, max_length=5)
    questions: tuple[Question, ...] = Field(min_length=3, max_length=3)

    @property
    def source(self) -> str:
        """Its key in the attribution file."""
        return f"photo-{self.key}"


class PhotoBook(Strict):
    """photos.yaml."""

    packages: dict[str, str]
    """Package name to the version that the pictures were taken from."""
    photos: tuple[Photo, ...]


class Comparison(Strict):
    """A question across several photographs."""

    id: str = _KEY
    photos: tuple[str, ...] = Field(min_length=2, max_length=4)
    kind: str = _KEY
    answer: Literal["short", "open"] = "short"
    question: str = _TEXT
    answers: tuple[str, ...] = _ANSWERS


class _Comparisons(RootModel[tuple[Comparison, ...]]):
    """photo_comparisons.yaml."""


def caption_items(sources: Path) -> list[SuiteItem]:
    """One item a photograph: describe it; five people's captions are the references.

    Args:
        sources: The folder that tasks/data/fetch_sources.sh filled.

    Raises:
        ConfigError: A content file does not say what it should.
        DataError: A picture is missing or not the pinned one.
        DependencyError: A package with pictures is not installed.
    """
    return [
        SuiteItem(
            id=photo.source,
            images=(_picture(photo, sources),),
            question="",
            references=photo.captions,
            level="real",
            kind="photo",
            answer="open",
            source=photo.source,
        )
        for photo in read_photos().photos
    ]


def vqa_items(sources: Path) -> list[SuiteItem]:
    """Three short-answer questions on each photograph; arguments and errors as `caption_items`."""
    return [
        SuiteItem(
            id=f"{photo.source}-q{number}",
            images=(_picture(photo, sources),),
            question=question.ask,
            references=question.answers,
            level="real",
            kind=question.kind,
            source=photo.source,
        )
        for photo in read_photos().photos
        for number, question in enumerate(photo.questions, start=1)
    ]


def comparison_items(sources: Path) -> list[SuiteItem]:
    """Questions across two to four photographs; arguments and errors as `caption_items`.

    An item's `source` lists the photographs' attribution keys, separated by spaces.
    """
    photos = {photo.key: photo for photo in read_photos().photos}
    return [
        SuiteItem(
            id=f"photos-{comparison.id}",
            images=tuple(_picture(photos[key], sources) for key in comparison.photos),
            question=comparison.question,
            references=comparison.answers,
            level="real",
            kind=comparison.kind,
            answer=comparison.answer,
            source=" ".join(photos[key].source for key in comparison.photos),
        )
        for comparison in read_comparisons()
    ]


def credits() -> list[Credit]:
    """Whom to name for each photograph, in the order of the content file."""
    book = read_photos()
    return [
        Credit(
            key=photo.source,
            title=photo.title,
            author=photo.author,
            package=photo.package,
            version=book.packages[photo.package],
            licence=photo.licence,
            changes=f"resized to at most {LONGEST_SIDE} pixels a side, re-encoded as JPEG",
        )
        for photo in book.photos
    ]


@cache
def read_photos(path: Path | None = None) -> PhotoBook:
    """The photographs of a content file, photos.yaml unless another is given.

    Raises:
        ConfigError: The file does not follow its schema, repeats a key or names a package
            without a version.
    """
    path = path or data_file("content/photos.yaml")
    book = parse(PhotoBook, read_yaml(path), location=path.name)
    _unique((photo.key for photo in book.photos), "photo key", path)
    for photo in book.photos:
        _known(photo.package, book.packages, "package", path)
    return book


def read_comparisons(path: Path | None = None) -> tuple[Comparison, ...]:
    """The comparisons of a content file, photo_comparisons.yaml unless another is given.

    Raises:
        ConfigError: The file does not follow its schema, repeats an id, names an unknown
            photograph, or marks more or fewer places for images than it has photographs.
    """
    path = path or data_file("content/photo_comparisons.yaml")
    comparisons = parse(_Comparisons, read_yaml(path), location=path.name).root
    _unique((comparison.id for comparison in comparisons), "comparison id", path)
    keys = [photo.key for photo in read_photos().photos]
    for comparison in comparisons:
        for key in comparison.photos:
            _known(key, keys, "photo", path)
        marks = comparison.question.count(IMAGE_PLACEHOLDER)
        if marks not in (0, len(comparison.photos)):
            raise ConfigError(
                f"The comparison '{comparison.id}' in {path.name} has {marks} {IMAGE_PLACEHOLDER} "
                f"marks for {len(comparison.photos)} photographs; make them equal or "
                "leave all out."
            )
    return comparisons


def _unique(keys: Iterable[str], what: str, path: Path) -> None:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            raise ConfigError(f"The {what} '{key}' stands twice in {path.name}; rename one.")
        seen.add(key)


def _known(name: str, known: Iterable[str], kind: str, path: Path) -> None:
    names = list(known)
    if name not in names:
        raise ConfigError(unknown_name(kind, name, names, next_step=f"correct {path.name}"))


@cache
def _picture(photo: Photo, sources: Path) -> bytes:
    original = packaged_file(photo.package, photo.file, photo.member, sources)
    image = Image(original, source=f"{photo.package}: {photo.member or photo.file}")
    if image.digest != photo.digest:
        raise DataError(
            f"The photograph '{photo.key}' from {photo.package} is not the one that was described "
            "(its digest differs); install the versions that content/photos.yaml names."
        )
    return shrunken(image)
