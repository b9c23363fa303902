"""The bytes of a raster picture -> upright pixels of 8 bits, whatever its depth and metadata.

Files come from strangers, so only formats that hold pixels are opened: Pillow would hand an EPS
to Ghostscript, a program of its own.
"""

from __future__ import annotations

import io
import re
import struct
import warnings
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import PIL.Image

FORMATS = (
    *("PNG", "JPEG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "AVIF", "JPEG2000", "PPM"),
    *("ICO", "ICNS", "QOI", "PSD", "SGI", "DDS", "PCX", "TGA"),
)
"""Pillow's names of the formats that are decoded; each holds pixels and nothing to be run."""

MAX_PIXELS = 80_000_000
"""Of a picture; a page of A3 at 600 dots an inch has 70 million. 20 KB of PNG can hold a hundred
times as many, and what is decoded takes up to 16 bytes a pixel."""

MAX_SIDE = 65_535
"""Pixels of a side, as JPEG has it; Pillow cannot make much longer ones smaller."""

_BLOCK = 2**22
"""Pixels that are computed with at a time, each of which takes 30 bytes meanwhile."""

_ORIENTATION = 0x0112
_TURNED = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
"""EXIF's orientation -> the `PIL.Image.Transpose` that undoes it."""

_DEEP_MODES = ("I", "F")
"""What Pillow's names of modes with more than 8 bits a pixel begin with."""

_DEPTHS = (8, 12, 16, 24, 31, 32)
"""Bits that scanners, cameras and file formats use for a whole number."""

_SIGNED = (2, 3)
"""TIFF's sample formats of whole numbers with a sign and of floating point."""


def open_raster(data: bytes) -> PIL.Image.Image:
    """A picture of which only the head is read.

    Raises:
        ValueError: It has more than `MAX_PIXELS`, or a side longer than `MAX_SIDE`.
        Exception: Whatever Pillow's plugins raise on what is no raster picture.
    """
    import PIL.Image

    picture = PIL.Image.open(io.BytesIO(data), formats=_formats())
    if picture.width * picture.height > MAX_PIXELS or max(picture.size) > MAX_SIDE:
        size = f"{picture.width:,} x {picture.height:,}"
        picture.close()
        raise ValueError(
            f"it has {size} pixels, and more than {MAX_PIXELS:,}, or {MAX_SIDE:,} a side, are not "
            "decoded"
        )
    return picture


@cache
def _formats() -> list[str]:
    """Those of this Pillow; its warning about pictures that are refused here is left out."""
    import PIL.Image

    warnings.filterwarnings("ignore", category=PIL.Image.DecompressionBombWarning)
    PIL.Image.init()
    return [one for one in FORMATS if one in PIL.Image.OPEN]


def decode_raster(data: bytes) -> PIL.Image.Image:
    """The upright RGB picture; transparent parts become white, deep pixels are scaled to 8 bits.

    Metadata that cannot be read is passed over: the picture then stays as its pixels stand.

    Raises:
        Exception: Whatever Pillow's plugins raise on broken files.
    """
    try:
        picture = _loaded(data)
    except Exception:
        if (bare := without_metadata(data)) is None:
            raise
        picture = _loaded(bare)
    return _rgb(_upright(picture))


def is_deep(picture: PIL.Image.Image) -> bool:
    """Whether a pixel is one number of more than 8 bits."""
    return picture.mode.startswith(_DEEP_MODES)


def drawing_kind(data: bytes) -> str | None:
    """What a file is that holds drawing instructions or pages instead of pixels, with its article.

    None for everything else, also for what is broken.
    """
    head = data[:2048].lstrip(b"\xef\xbb\xbf \t\r\n\0")
    if head.startswith((b"%!PS", b"%!Adobe", b"\xc5\xd0\xd3\xc6")):
        return "an EPS or PostScript file"
    if head.startswith(b"%PDF-"):
        return "a PDF file"
    if head.startswith((b"\xd7\xcd\xc6\x9a", b"\1\0\x09\0\0\3", b"\2\0\x09\0\0\3")):
        return "a WMF drawing"
    if data.startswith(b"\1\0\0\0") and data[40:44] == b" EMF":
        return "an EMF drawing"
    if re.match(rb"(<\?xml|<!--|<!DOCTYPE|<(\w+:)?svg\b)", head, re.I) and b"svg" in head.lower():
        return "an SVG drawing"
    if data.startswith(b"\x1f\x8b"):
        return "a compressed file (SVGZ, say)"
    return None


def scaled_to_8_bits(values: np.ndarray) -> np.ndarray:
    """Gray values of any range as bytes; their own darkest and brightest decide where none is told.

    Whole numbers are taken for the smallest usual depth (8, 12, 16, 24, 31 or 32 bits) that holds
    them all, so that 65535 is white in a picture of 16 bits and 255 in one of 8 bits. Floating
    point within 0 to 1 or -1 to 1 is taken for a part of that range, and within 0 to 255 for
    bytes. Others are stretched from their lowest to their highest value. NaN is black.
    """
    import numpy as np

    scaled = np.zeros(values.shape, np.uint8)
    step = max(1, _BLOCK // max(1, values[:1].size))
    blocks = [slice(at, at + step) for at in range(0, len(values), step)]
    ends = [
        (float(finite.min()), float(finite.max()))
        for block in blocks
        if (finite := values[block][np.isfinite(values[block])]).size
    ]
    if not ends:
        return scaled
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    start, end = _value_range(low, high, whole=values.dtype.kind in "iu")
    for block in blocks:
        with np.errstate(invalid="ignore"):
            share = np.clip((values[block].astype(np.float64) - start) / (end - start), 0.0, 1.0)
        scaled[block] = np.rint(np.nan_to_num(share) * 255)
    return scaled


def without_metadata(data: bytes) -> bytes | None:
    """A PNG, JPEG or WebP file with nothing but what its pixels need; None for other files."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return data[:8] + b"".join(_png_chunks(data))
        if data.startswith(b"\xff\xd8\xff"):
            return data[:2] + b"".join(_jpeg_segments(data))
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            body = b"".join(_webp_chunks(data))
            return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body
    except (struct.error, IndexError):
        return None
    return None


def _loaded(data: bytes) -> PIL.Image.Image:
    # Pillow closes the buffer itself once all is read; of several frames it keeps it open.
    picture = open_raster(data)
    picture.load()
    return picture


def _upright(picture: PIL.Image.Image) -> PIL.Image.Image:
    import PIL.Image

    try:
        orientation = picture.getexif().get(_ORIENTATION)
    except Exception:  # Pillow raises nearly anything on garbage
        return picture
    turned = _TURNED.get(orientation) if isinstance(orientation, int) else None
    return picture if turned is None else picture.transpose(PIL.Image.Transpose(turned))


def _rgb(picture: PIL.Image.Image) -> PIL.Image.Image:
    if is_deep(picture):
        return _eight_bits(picture).convert("RGB")
    if picture.mode == "La":
        picture = picture.convert("LA")
    if picture.mode in ("RGBA", "LA", "PA", "RGBa") or "transparency" in picture.info:
        return _on_white(picture)
    # Only what is not RGB yet: each copy costs as much as loading.
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _on_white(picture: PIL.Image.Image) -> PIL.Image.Image:
    """A picture with transparency, by strips: four copies of a large one are too many."""
    import PIL.Image

    width, height = picture.size
    whole = PIL.Image.new("RGB", picture.size)
    step = max(1, _BLOCK // width)
    for top in range(0, height, step):
        strip = picture.crop((0, top, width, min(top + step, height))).convert("RGBA")
        white = PIL.Image.new("RGBA", strip.size, "white")
        whole.paste(PIL.Image.alpha_composite(white, strip).convert("RGB"), (0, top))
    return whole


def _eight_bits(picture: PIL.Image.Image) -> PIL.Image.Image:
    import numpy as np
    import PIL.Image

    values = np.asarray(picture)
    tags = getattr(picture, "tag_v2", {})
    if values.dtype == np.int32 and tags.get(258) == (32,) and tags.get(339, (1,))[0] == 1:
        values = values.view(np.uint32)  # Pillow has no mode for whole numbers without a sign
    gray = scaled_to_8_bits(values)
    clear = picture.info.get("transparency")
    if isinstance(clear, int):
        gray[values == clear] = 255
    return PIL.Image.fromarray(gray)


def _value_range(low: float, high: float, *, whole: bool) -> tuple[float, float]:
    """The values that are black and white."""
    if not whole and low >= -1.0 and high <= 1.0:
        return (0.0 if low >= 0.0 else -1.0), 1.0
    if low >= 0.0:
        top = next((2.0**bits - 1 for bits in _DEPTHS if high <= 2.0**bits - 1), None)
        if top is not None:
            return 0.0, top
    return low, max(high, low + 1.0)


_PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")


def _png_chunks(data: bytes) -> Iterator[bytes]:
    """The chunks that say what a pixel is, with their checksums as they are."""
    at = 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        if data[at + 4 : at + 8] in _PIXEL_CHUNKS:
            yield data[at : at + 12 + length]
        at += 12 + length


def _jpeg_segments(data: bytes) -> Iterator[bytes]:
    """All but comments and the segments of applications, of which Adobe's tells of the colors."""
    at = 2
    while data[at] == 0xFF and data[at + 1] != 0xDA:
        marker = data[at + 1]
        (length,) = struct.unpack_from(">H", data, at + 2)
        if marker == 0xEE or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            yield data[at : at + 2 + length]
        at += 2 + length
    yield data[at:]


def _webp_chunks(data: bytes) -> Iterator[bytes]:
    at = 12
    while at + 8 <= len(data):
        (length,) = struct.unpack_from("<I", data, at + 4)
        size = 8 + length + length % 2
        if data[at : at + 4] not in (b"EXIF", b"XMP ", b"ICCP"):
            yield data[at : at + size]
        at += size
