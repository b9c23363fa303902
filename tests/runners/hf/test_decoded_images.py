"""Pictures that are decoded once for several questions."""

from __future__ import annotations

import pytest
from made_tasks import COLORS, picture

from vlmbench.errors import DataError
from vlmbench.records import Image
from vlmbench.runners.hf.decoded_images import DecodedImageCache

FIRST, SECOND, THIRD = (Image(picture(name)) for name in list(COLORS)[:3])
PIXELS = FIRST.decode().width * FIRST.decode().height
WITH_FILE = PIXELS + max(len(one.data) for one in (FIRST, SECOND, THIRD)) // 3
"""What one of them counts: Pillow holds on to its file."""


def test_a_picture_is_decoded_once() -> None:
    pictures = DecodedImageCache()
    assert pictures.of(FIRST) is pictures.of(Image(FIRST.data, source="elsewhere"))
    assert pictures.of(FIRST).tobytes() == FIRST.decode().tobytes()


def test_the_one_that_was_wanted_longest_ago_goes_first() -> None:
    pictures = DecodedImageCache(2 * WITH_FILE)
    first, second = pictures.of(FIRST), pictures.of(SECOND)
    assert pictures.of(FIRST) is first
    pictures.of(THIRD)
    assert pictures.of(FIRST) is first
    assert pictures.of(SECOND) is not second


def test_one_that_is_too_large_is_not_kept() -> None:
    pictures = DecodedImageCache(PIXELS - 1)
    assert pictures.of(FIRST) is not pictures.of(FIRST)


def test_a_broken_image_is_an_error_each_time() -> None:
    pictures = DecodedImageCache()
    for _ in range(2):
        with pytest.raises(DataError, match="cannot be read"):
            pictures.of(Image(b"no image"))
