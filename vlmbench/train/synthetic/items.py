"""One item of the embedded suite, as every builder returns it and as Parquet stores it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class SuiteItem:
    """A question about one or more images.

    A Parquet file of the suite has these fields as columns, with `images` as a list of
    {bytes, path} structs, the layout that `datasets.Image` reads.
    """

    id: str
    """Unique within its task, in ASCII, such as "photo-kyoto-q2"."""
    images: tuple[bytes, ...]
    """Encoded image files, in the order in which the question shows them."""
    question: str
    """What is asked, possibly with `<image>` marks; without any, images come before the text. Empty
    for captions, whose task asks."""
    references: tuple[str, ...]
    """Accepted answers, best first."""
    level: Literal["basic", "real"]
    kind: str
    """Kind of question, a slice: what, where, count, exists, color, value, maximum ..."""
    style: Literal["seen", "unseen"] | None = None
    """Basic scenes: whether the art style is one that the embedded model was trained on."""
    answer: Literal["short", "open"] = "short"
    """`short` is scored by matching, `open` by overlap with the references."""
    source: str = ""
    """Key of the image's entry in the attribution file."""
