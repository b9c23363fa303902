"""Requests without their images, with another sample's, or with destroyed ones."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterator

from vlmbench.errors import DataError
from vlmbench.records import Image, ImagePart, Part, Request, TextPart
from vlmbench.tasks.samples import read_samples
from vlmbench.tasks.spec import TaskSpec
from vlmbench.tasks.variants.noise import noise_png

LOOKAHEAD = 16
"""Donors that are held at a time, for questions that share an image with the next ones."""


def blind(request: Request) -> Request:
    """The same question without its images; the texts around them become one."""
    texts = [part.text for part in request.parts if isinstance(part, TextPart)]
    return dataclasses.replace(request, parts=(TextPart("".join(texts)),))


def noisy(request: Request, *, seed: int) -> Request:
    """The same question with noise of the same size in place of each image.

    An image that cannot be read stays, so that the runner's error says so.
    """
    return dataclasses.replace(
        request,
        parts=tuple(
            ImagePart(_destroyed(part.image, seed)) if isinstance(part, ImagePart) else part
            for part in request.parts
        ),
    )


def with_images(request: Request, images: tuple[Image, ...]) -> Request:
    """The same question with other images in the places of its own; too few come again."""
    parts: list[Part] = []
    number = 0
    for part in request.parts:
        if isinstance(part, ImagePart):
            parts.append(ImagePart(images[number % len(images)]))
            number += 1
        else:
            parts.append(part)
    return dataclasses.replace(request, parts=tuple(parts))


class Donors:
    """Another sample's images for each sample, in the order of the data.

    Sample i gets those of sample i + k, counted round, with one k from 1 to n - 1 drawn by the
    seed: nobody gets their own. Where the two are the same picture (several questions on one
    image), the nearest of the next samples with another one takes its place; a sample for which
    none of these has one keeps its own, and the diagnostics leave it out.

    The data is read a second time beside the first; of that, `LOOKAHEAD` samples are held.

    Args:
        seed: Draws k.

    Raises:
        DataError: There is no second sample.
    """

    def __init__(self, task: TaskSpec, count: int, seed: int) -> None:
        if count < 2:
            raise DataError(
                f"Task '{task.name}' has one sample only, so there is no other one's image to "
                "show; leave 'shuffled' out of '--image-mode'."
            )
        self._images = _from(task, shift(count, seed))
        self._next: deque[tuple[Image, ...]] = deque()
        self._at = 0

    def images_for(self, index: int, request: Request) -> tuple[Image, ...]:
        """The images to show in place of the request's, of the sample at this position.

        Called for ascending positions.
        """
        for _ in range(index - self._at):
            if self._next:
                self._next.popleft()
            else:
                next(self._images, None)
        self._at = index
        while len(self._next) < LOOKAHEAD and (images := next(self._images, None)) is not None:
            self._next.append(images)
        own = {image.digest for image in request.images}
        others = (images for images in self._next if images and _differ(images, own))
        return next(others, request.images)


def shift(count: int, seed: int) -> int:
    """How far the shuffled images are shifted, from 1 to count - 1; at least 2 samples."""
    import hashlib

    digest = hashlib.sha256(f"shuffled:{seed}".encode()).digest()
    return 1 + int.from_bytes(digest[:8]) % (count - 1)


def _from(task: TaskSpec, start: int) -> Iterator[tuple[Image, ...]]:
    """The samples' images from `start` round to `start` and a little further."""
    while True:
        for index, sample in enumerate(read_samples(task)):
            if index >= start:
                yield sample.images
        start = 0


def _differ(images: tuple[Image, ...], own: set[str]) -> bool:
    return not any(image.digest in own for image in images)


def _destroyed(image: Image, seed: int) -> Image:
    try:
        width, height = image.decode().size
    except DataError:
        return image
    noise = noise_png(width, height, key=f"{seed}:{image.digest}")
    return Image(noise, source=f"noise in place of {image.source}")
