"""Decoded images, kept for a while: several questions often ask about one image."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from vlmbench.records import Image

if TYPE_CHECKING:
    import PIL.Image

KEPT_PIXELS = 16 * 2**20
"""Most pixels that are kept, of three bytes each; three bytes of a file count as one, since Pillow
holds on to the file of a PNG."""


class DecodedImageCache:
    """The images that were decoded last, up to so many pixels in all; for several threads."""

    def __init__(self, pixels: int = KEPT_PIXELS) -> None:
        self._most = pixels
        self._pixels = 0
        self._kept: OrderedDict[str, tuple[PIL.Image.Image, int]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, image: Image) -> PIL.Image.Image:
        """See `Image.decode`; the result is shared, so nobody may draw on it."""
        with self._lock:
            if (kept := self._kept.get(image.digest)) is not None:
                self._kept.move_to_end(image.digest)
                return kept[0]
        decoded = image.decode()
        with self._lock:
            if image.digest not in self._kept:
                pixels = decoded.width * decoded.height + len(image.data) // 3
                self._kept[image.digest] = (decoded, pixels)
                self._pixels += pixels
            while self._pixels > self._most:
                _, (_, pixels) = self._kept.popitem(last=False)
                self._pixels -= pixels
        return decoded
