"""A sample and a task's template -> a Request with images standing between the text.

While a template renders, each image place is a marker with a random nonce, so that no text out
of a data set can forge one. Afterwards the text is cut at the markers.
"""

from __future__ import annotations

import re
import secrets

from vlmbench.errors import DataError
from vlmbench.records import Generation, ImagePart, Part, Request, Sample, TextPart
from vlmbench.tasks.spec import TaskSpec
from vlmbench.tasks.template import render

IMAGE_PLACEHOLDER = "<image>"
"""How data sets mark an image inside a text."""

_MARK = re.compile(r"<image(?: (\d{1,3}))?>")
"""`<image>` is the next image, `<image 2>` the second one."""


class MisplacedImage(DataError):
    """The prompt shows an image that the sample does not have, or leaves one out."""


def build_request(task: TaskSpec, sample: Sample, *, generation: Generation) -> Request:
    """The request for a sample: its rendered prompt.

    Raises:
        MisplacedImage: The images are not each placed exactly once.
        DataError: A column is missing.
        ConfigError: The template cannot be rendered.
    """
    return Request(
        sample_id=sample.id,
        parts=build_parts(task, sample),
        generation=generation,
        system=task.system,
    )


def build_parts(task: TaskSpec, sample: Sample) -> tuple[Part, ...]:
    """The prompt: text and images in the order in which the model sees them.

    Images come first unless the template places them. Where a text refers to images by number
    (`<image 2>`), those not referred to are left out and those referred to twice come twice; with
    `image_order: reference` once and in order.
    """
    location = f"sample '{sample.id}' of task '{task.name}'"
    places = _Places(len(sample.images), location)
    text = render(
        task.prompt,
        sample.row,
        location=location,
        choices=sample.choices,
        image=places.image,
        place_marks=places.place_marks,
    )
    order, pieces = _cut(text, places, location)
    if task.image_order == "reference":
        order, pieces = sorted(set(order)), [""] * len(set(order)) + ["".join(pieces)]
    parts: list[Part] = []
    for position, piece in enumerate(pieces):
        if piece:
            parts.append(TextPart(piece))
        if position < len(order):
            parts.append(ImagePart(sample.images[order[position]]))
    return tuple(parts)


def without_marks(text: str) -> str:
    """A text of a data set without the places of images and the white space around it."""
    return _MARK.sub("", text).strip()


class _Places:
    """Hands out the markers of one rendering."""

    def __init__(self, count: int, location: str) -> None:
        self.count = count
        self.nonce = secrets.token_hex(16)
        self._location = location
        self._next = 0

    def image(self, number: int) -> str:
        """The marker of image `number`, counted from 0."""
        return self._marker(number, f"places image({number}), counted from 0,")

    def place_marks(self, text: str) -> str:
        """`text` with an image's marker for each `<image>` or `<image 2>`."""
        return _MARK.sub(self._placed, text)

    def _placed(self, mark: re.Match[str]) -> str:
        if mark[1] is not None:
            return self._marker(int(mark[1]) - 1, f"marks {mark[0]}", numbered=True)
        self._next += 1
        return self._marker(self._next - 1, f"marks {mark[0]} {self._next} times")

    def _marker(self, number: int, what: str, *, numbered: bool = False) -> str:
        """The marker of an image from 0.

        Args:
            what: What the prompt does, in the data's words.
            numbered: Whether a text refers to the image by its number. That stands in the marker,
                as a template may be rendered in another process.
        """
        if not 0 <= number < self.count:
            images = {0: "no image", 1: "1 image"}.get(self.count, f"{self.count} images")
            raise MisplacedImage(
                f"The prompt of {self._location} {what} where the sample has {images}; correct the "
                "template or the data."
            )
        return f"\x02{self.nonce}:{number}{'#' if numbered else ''}\x03"


def _cut(text: str, places: _Places, location: str) -> tuple[list[int], list[str]]:
    """The numbers of the images in the text, and the text before, between and behind them."""
    first, *rest = text.split(f"\x02{places.nonce}:")
    order, pieces, numbered = [], [first], False
    for piece in rest:
        number, _, after = piece.partition("\x03")
        numbered = numbered or number.endswith("#")
        order.append(int(number.rstrip("#")))
        pieces.append(after)
    everything = list(range(places.count))
    if not order:
        return everything, [""] * places.count + [text]
    if sorted(order) != everything and not numbered:
        shown = ", ".join(str(number + 1) for number in order)
        raise MisplacedImage(
            f"The prompt of {location} places image {shown} where the sample has {places.count}; "
            "mark each image exactly once, or none to put them all before the text."
        )
    return order, pieces
