"""Images of samples as files of the site: each once, by its content, with a smaller one to show."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Literal, TypedDict

from vlmbench.errors import DataError
from vlmbench.records import Image
from vlmbench.report.site import Site

FOLDER = "images"

LARGEST_SHOWN = 720
"""Pixels of the longer side up to which an image is shown itself, not a smaller one."""

_QUALITY = 80


class SiteImage(TypedDict):
    """An image as a page shows it."""

    src: str | None
    """Relative to the site; None for an image that cannot be read."""
    thumb: str | None
    """A smaller one; None where the image itself is small."""
    width: int
    height: int


NO_IMAGE: SiteImage = {"src": None, "thumb": None, "width": 0, "height": 0}


@dataclass(slots=True)
class ImageStore:
    """Writes images into a site, each once, named by their content.

    PNG, JPEG and WebP are kept as they are; anything else, which a browser might not show or
    might take for a page, becomes PNG. What the former site has is taken from there.
    """

    site: Site
    former: dict[str, SiteImage] = field(default_factory=dict)
    """By digest, the images of the former site."""
    known: dict[str, SiteImage] = field(default_factory=dict)

    def find(self, digest: str) -> SiteImage | None:
        """An image that this site or the former one has."""
        there = None if digest in self.known else self.former.get(digest)
        if there and self.site.keep(name for name in (there["src"], there["thumb"]) if name):
            self.known[digest] = there
        return self.known.get(digest)

    def add(self, image: Image) -> SiteImage:
        """The written file."""
        found = self.find(image.digest)
        if found is None:
            found = self.known[image.digest] = self._write(image)
        return found

    def _write(self, image: Image) -> SiteImage:
        try:
            picture = image.decode()
        except DataError:
            return NO_IMAGE
        kind = web_format(image.data)
        src = f"{FOLDER}/{image.digest}.{kind or 'png'}"
        thumb = None
        if kind is None:
            buffer = io.BytesIO()
            picture.save(buffer, format="PNG")
            self.site.write_bytes(src, buffer.getvalue())
        else:
            self.site.write_bytes(src, image.data)
        size = picture.size
        if max(size) > LARGEST_SHOWN:
            thumb = f"{FOLDER}/{image.digest}.small.webp"
            buffer = io.BytesIO()
            picture.thumbnail((LARGEST_SHOWN, LARGEST_SHOWN))
            picture.save(buffer, format="WEBP", quality=_QUALITY)
            self.site.write_bytes(thumb, buffer.getvalue())
        return {"src": src, "thumb": thumb, "width": size[0], "height": size[1]}


def web_format(data: bytes) -> Literal["png", "jpg", "webp"] | None:
    """What a file is by its first bytes, if every browser shows it."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpg"
    return "webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None
