from __future__ import annotations

import io

import PIL.Image
import pytest

from vlmbench.tasks.variants.noise import noise_png


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (7, 5), (640, 480)])
def test_pillow_reads_the_whole_file(size: tuple[int, int]) -> None:
    with PIL.Image.open(io.BytesIO(noise_png(*size, key="k"))) as picture:
        picture.load()
        assert (picture.format, picture.size) == ("PNG", size)


def test_pixels_are_independent_colors() -> None:
    picture = PIL.Image.open(io.BytesIO(noise_png(400, 300, key="k"))).convert("RGB")
    counts = sorted(count for count, _ in picture.getcolors() or [])
    # 120,000 draws of 16: 7,500 each, with a standard deviation of 84.
    assert len(counts) == 16
    assert 7000 < counts[0] <= counts[-1] < 8000


def test_the_key_decides() -> None:
    assert noise_png(9, 9, key="a") == noise_png(9, 9, key="a") != noise_png(9, 9, key="b")
