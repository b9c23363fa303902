"""Images of samples as files of the site."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypedDict

from vlmbench.errors import DataError
from vlmbench.records import Image


class SiteImage(TypedDict):
    """An image as a page shows it."""

    src: str | None
    """Relative to the site; None for an image that cannot be read."""
    width: int
    height: int


NO_IMAGE: SiteImage = {"src": None, "width": 0, "height": 0}


@dataclass(slots=True)
class ImageStore:
    """Writes images into a folder of a site, each once, named by their content.

    PNG, JPEG and WebP are kept as they are; anything else, which a browser might not show or
    might take for a page, becomes PNG.
    """

    folder: Path
    _known: dict[str, SiteImage] = field(default_factory=dict)

    def add(self, image: Image) -> SiteImage:
        """The written file."""
        if image.digest not in self._known:
            self._known[image.digest] = self._write(image)
        return self._known[image.digest]

    def _write(self, image: Image) -> SiteImage:
        try:
            picture = image.decode()
        except DataError:
            return NO_IMAGE
        kind = web_format(image.data)
        self.folder.mkdir(exist_ok=True)
        path = self.folder / f"{image.digest}.{kind or 'png'}"
        if kind is None:
            picture.save(path, format="PNG")
        else:
            path.write_bytes(image.data)
        src = f"{self.folder.name}/{path.name}"
        return {"src": src, "width": picture.width, "height": picture.height}


def web_format(data: bytes) -> Literal["png", "jpg", "webp"] | None:
    """What a file is by its first bytes, if every browser shows it."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpg"
    return "webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None
