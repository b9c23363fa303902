"""Deep pixels, broken metadata and drawings: what a file of a stranger becomes."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest

from vlmbench.errors import DataError
from vlmbench.models.endpoints import CallOptions
from vlmbench.raster import FORMATS, MAX_PIXELS, scaled_to_8_bits, without_metadata
from vlmbench.records import Image
from vlmbench.runners.api.chat import data_url

GRAY = np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8)
GRAY[0, :2] = 0, 255
OPTIONS = CallOptions.model_validate({})


def encoded(picture: PIL.Image.Image, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def gray(values: np.ndarray, form: str = "TIFF") -> bytes:
    return encoded(PIL.Image.fromarray(values), form)


def unsigned_tiff() -> bytes:
    """32 bits without a sign: 255 times 0x01010101 is white. Pillow writes the tag for a sign."""
    signed = gray((GRAY.astype(np.uint32) * 0x01010101).view(np.int32))
    tag = struct.pack("<HHIH", 339, 3, 1, 2)
    assert tag in signed
    return signed.replace(tag, struct.pack("<HHIH", 339, 3, 1, 1))


DEEP = {
    "16 bits": gray(GRAY.astype(np.uint16) * 257, "PNG"),
    "16 bits, TIFF": gray(GRAY.astype(np.uint16) * 257),
    "16 bits, PGM": b"P5\n30 20\n65535\n" + (GRAY.astype(">u2") * 257).tobytes(),
    "12 bits in 16": gray(np.rint(GRAY / 255 * 4095).astype(np.uint16), "PNG"),
    "8 bits in 16": gray(GRAY.astype(np.uint16), "PNG"),
    "16 bits in 32": gray(GRAY.astype(np.int32) * 257),
    "31 bits": gray(np.rint(GRAY / 255 * (2**31 - 1)).astype(np.int32)),
    "32 bits": unsigned_tiff(),
    "float, 0 to 1": gray((GRAY / 255).astype(np.float32)),
    "float, 0 to 255": gray(GRAY.astype(np.float32)),
    "float, -1 to 1": gray((GRAY / 127.5 - 1).astype(np.float32)),
    "float, any": gray((GRAY * 3.0 - 500).astype(np.float32)),
}
"""Each of them is the picture GRAY, by what its numbers mean in the format or by their range."""


@pytest.mark.parametrize("kind", DEEP)
def test_deep_pixels_are_scaled(kind: str) -> None:
    shown = np.asarray(Image(DEEP[kind]).decode())
    assert shown.shape == (20, 30, 3)
    assert abs(shown.astype(int) - GRAY[..., None]).max() <= 1


def test_a_server_gets_deep_pixels_scaled() -> None:
    url = data_url(Image(DEEP["16 bits"]), OPTIONS)
    sent = PIL.Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    assert sent.mode == "RGB" and np.array_equal(np.asarray(sent)[..., 0], GRAY)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 1, 255], [0, 1, 255]),
        ([0, 4095], [0, 255]),
        ([0, 65535], [0, 255]),
        ([-100, 0, 100], [0, 128, 255]),
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([-1.0, 0.0, 1.0], [0, 128, 255]),
        ([float("nan"), 0.0, 1.0], [0, 0, 255]),
        ([float("inf"), 0.0, 1.0], [255, 0, 255]),
        ([float("nan")], [0]),
        ([7, 7], [7, 7]),
        ([-7, -7], [0, 0]),
    ],
)
def test_scales(values: list[float], expected: list[int]) -> None:
    assert scaled_to_8_bits(np.array(values)).tolist() == expected


def chunk(kind: bytes, data: bytes, *, crc: int | None = None) -> bytes:
    check = zlib.crc32(kind + data) if crc is None else crc
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)


def with_chunk(kind: bytes, data: bytes, **options: Any) -> bytes:
    png = encoded(PIL.Image.fromarray(GRAY), "PNG")
    return png[:33] + chunk(kind, data, **options) + png[33:]


def with_segment(marker: int, data: bytes) -> bytes:
    jpeg = encoded(PIL.Image.fromarray(GRAY), "JPEG")
    return jpeg[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data + jpeg[2:]


def webp(exif: bytes) -> bytes:
    return encoded(PIL.Image.fromarray(GRAY).convert("RGB"), "WEBP", lossless=True, exif=exif)


BROKEN: dict[str, Callable[[], bytes]] = {
    "eXIf": lambda: with_chunk(b"eXIf", b"garbage"),
    "eXIf of the right start": lambda: with_chunk(b"eXIf", b"MM\0*\0\0\0\x08\xff\xff garbage"),
    "checksum of a text": lambda: with_chunk(b"tEXt", b"Comment\0x", crc=1),
    "compressed text": lambda: with_chunk(b"zTXt", b"Comment\0\0no zlib stream"),
    "bomb of a text": lambda: with_chunk(b"zTXt", b"a\0\0" + zlib.compress(b"x" * 2**21)),
    "color profile": lambda: with_chunk(b"iCCP", b"name\0\0no zlib stream"),
    "raw profile": lambda: with_chunk(b"tEXt", b"Raw profile type exif\0\nexif\n 9\nzz"),
    "JPEG, EXIF": lambda: with_segment(0xE1, b"Exif\0\0MM\0*\xff\xff\xff\xff"),
    "JPEG, frames": lambda: with_segment(0xE2, b"MPF\0garbage"),
    "JPEG, Photoshop": lambda: with_segment(0xED, b"Photoshop 3.0\x008BIM\xff"),
    "WebP, EXIF": lambda: webp(b"Exif\0\0garbage"),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", BROKEN)
def test_broken_metadata_costs_no_picture(kind: str) -> None:
    data = BROKEN[kind]()
    shown = np.asarray(Image(data).decode())
    assert abs(shown.astype(int)[..., 0] - GRAY).max() <= (100 if "JPEG" in kind else 0)
    assert data_url(Image(data), OPTIONS).startswith("data:image/")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_pixels_without_metadata_are_the_same(form: str) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    data = encoded(PIL.Image.fromarray(GRAY).convert("RGB"), form, exif=exif)
    bare = without_metadata(data)
    assert bare is not None and len(bare) < len(data)
    before, after = (PIL.Image.open(io.BytesIO(one)) for one in (data, bare))
    assert before.tobytes() == after.tobytes() and not after.getexif()


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP", b"x"])
def test_what_is_cut_off_stays_unreadable(data: bytes) -> None:
    without_metadata(data)
    with pytest.raises(DataError, match="cannot be read"):
        Image(data).decode()


def test_pixels_that_are_broken_are_no_picture() -> None:
    png = encoded(PIL.Image.fromarray(GRAY), "PNG")
    with pytest.raises(DataError, match="cannot be read"):
        Image(png[: len(png) // 2]).decode()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_is_upright(form: str, orientation: int) -> None:
    """As Pillow's `exif_transpose` turns it."""
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    data = encoded(PIL.Image.fromarray(GRAY).convert("RGB"), form, exif=exif)
    upright = PIL.ImageOps.exif_transpose(PIL.Image.open(io.BytesIO(data))).convert("RGB")
    assert Image(data).decode().tobytes() == upright.tobytes()


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (EPS, "an EPS or PostScript file"),
        (b"\r\n" + EPS, "an EPS or PostScript file"),
        (
            b"\xc5\xd0\xd3\xc6" + struct.pack("<6I", 30, len(EPS), 0, 0, 0, 0) + b"  " + EPS,
            "an EPS",
        ),
        (b"%PDF-1.7\n", "a PDF file"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
        ("\ufeff<?xml version='1.0'?>\n<!-- x --><svg/>".encode(), "an SVG drawing"),
        (b"<!DOCTYPE svg PUBLIC 'x'><svg/>", "an SVG drawing"),
        (b"\xd7\xcd\xc6\x9a" + bytes(40), "a WMF drawing"),
        (b"\1\0\0\0" + bytes(36) + b" EMF" + bytes(40), "an EMF drawing"),
    ],
)
def test_drawings_are_refused_and_no_program_is_started(
    data: bytes, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import subprocess

    def started(*arguments: Any, **options: Any) -> None:
        pytest.fail("a program was started")

    for name in ("Popen", "run", "check_call", "call"):
        monkeypatch.setattr(subprocess, name, started)
    for look in (Image(data, "p").decode, lambda: data_url(Image(data, "p"), OPTIONS)):
        with pytest.raises(DataError, match=rf"image in p is {kind}.*save it as PNG"):
            look()


def test_no_format_is_opened_that_needs_a_program() -> None:
    assert not {"EPS", "WMF", "EMF", "PDF", "MPEG", "GRIB", "HDF5", "BUFR"} & {*FORMATS}


def png_head(width: int, height: int) -> bytes:
    """A PNG that says this size and has few pixels; by the PNG specification, sections 5 and 11."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(99)))
    return b"\x89PNG\r\n\x1a\n" + head + pixels + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(8_945, 8_945), (16_000, 10_000), (2**31 - 1, 1)])
def test_far_too_many_pixels_are_not_decoded(size: tuple[int, int]) -> None:
    data = png_head(*size)
    assert size[0] * size[1] > MAX_PIXELS
    for look in (Image(data, "p").decode, lambda: data_url(Image(data, "p"), OPTIONS)):
        with pytest.raises(DataError, match=r"image in p cannot be read \(.*pixels"):
            look()
