"""Decoded pictures, kept for a while: several questions often ask about one picture."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from vlmbench.records import Image

if TYPE_CHECKING:
    import PIL.Image

KEPT_PIXELS = 16 * 2**20
"""Most pixels that are kept, of three bytes each."""


class DecodedImageCache:
    """The pictures that were decoded last; for several threads.

    Args:
        pixels: How many of their pixels are kept.
    """

    def __init__(self, pixels: int = KEPT_PIXELS) -> None:
        self._most = pixels
        self._pixels = 0
        self._kept: OrderedDict[str, PIL.Image.Image] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, image: Image) -> PIL.Image.Image:
        """See `Image.decode`; the picture is shared, so nobody may draw on it."""
        with self._lock:
            if (picture := self._kept.get(image.digest)) is not None:
                self._kept.move_to_end(image.digest)
                return picture
        picture = image.decode()
        with self._lock:
            if image.digest not in self._kept:
                self._kept[image.digest] = picture
                self._pixels += picture.width * picture.height
            while self._pixels > self._most:
                _, oldest = self._kept.popitem(last=False)
                self._pixels -= oldest.width * oldest.height
        return picture
