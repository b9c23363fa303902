"""Pictures that are programs, far too large, cut off, elsewhere, or no files."""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import PIL.Image

from attack.data_cases import ROWS, task, write
from attack.harness import Attack, Case
from attack.hostile_server import completion, serving, whole
from attack.runs import ENVIRONMENT, FINE, REFUSED, asking


def _png(width: int, height: int, data: bytes, depth: int = 8, color: int = 0) -> bytes:
    """A PNG whose head says this size, gray if not told, whatever its data."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")
        )

    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    parts = (
        chunk(b"IHDR", size + bytes([depth, color, 0, 0, 0])),
        chunk(b"IDAT", zlib.compress(data, 9)),
        chunk(b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _encoded(kind: str, size: tuple[int, int] = (64, 48)) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.effect_noise(size, 50).convert("RGB").save(buffer, kind)
    return buffer.getvalue()


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"


def _pictures(
    name: str, about: str, *files: bytes | Callable[[Path], object], quick: bool = False
) -> Case:
    """A file beside the data that a row names as its picture: a sample without an answer."""

    def setup(directory: Path, stack: ExitStack) -> Attack:
        url = stack.enter_context(serving(whole(completion())))
        rows = []
        for number, file in enumerate(files):
            path = directory / f"{number}.png"
            path.write_bytes(file) if isinstance(file, bytes) else file(path)
            rows.append({**ROWS[0], "id": f"q{number}", "image": path.name})
        fields = {**task()["fields"], "images": ["image"]}
        write(directory, task(fields=fields), rows)
        programs = directory / "programs"
        programs.mkdir()
        for program in ("gs", "gswin32c", "convert"):
            (programs / program).write_text(f"#!/bin/sh\ntouch {directory}/got-through\n")
            (programs / program).chmod(0o755)
        environment = {**ENVIRONMENT, "PATH": f"{programs}:{os.environ['PATH']}"}
        # Too large for the service, so that it has to be decoded here.
        arguments = asking(directory, url, "--model-option", "max_side=32")
        return Attack(
            arguments, REFUSED, "image in", environment, absent=[directory / "got-through"]
        )

    return Case("picture", name, about, setup, mebibytes=700, quick=quick)


def _thin() -> bytes:
    return _png(79_999_999, 1, bytes(80_000_000))


def _large(name: str, about: str, depth: int, color: int, bytes_each: int) -> Case:
    """A picture that is decoded, with a bound on what that takes."""

    def setup(directory: Path, stack: ExitStack) -> Attack:
        url = stack.enter_context(serving(whole(completion())))
        data = _png(10_000, 7_900, bytes((10_000 * bytes_each + 1) * 7_900), depth, color)
        (directory / "0.png").write_bytes(data)
        fields = {**task()["fields"], "images": ["image"]}
        write(directory, task(fields=fields), [{**ROWS[0], "image": "0.png"}])
        arguments = asking(directory, url, "--model-option", "max_side=32")
        return Attack(arguments, FINE, environment=ENVIRONMENT)

    return Case("picture", name, about, setup, seconds=90, mebibytes=1500, quick=False)


def _named(name: str, about: str, image: str, *, codes: frozenset[int], says: str) -> Case:
    """A row that names a picture so."""

    def setup(directory: Path, stack: ExitStack) -> Attack:
        url = stack.enter_context(serving(whole(completion())))
        (directory.parent / "outside.png").write_bytes(_encoded("PNG"))
        (directory / "link.png").symlink_to(directory.parent / "outside.png")
        fields = {**task()["fields"], "images": ["image"]}
        write(directory, task(fields=fields), [{**ROWS[0], "image": image}])
        return Attack(asking(directory, url), codes, says, ENVIRONMENT)

    return Case("picture", name, about, setup)


CASES = [
    _pictures("eps", "an EPS, which Pillow gives to Ghostscript", EPS, b"\r\n" + EPS, quick=True),
    _pictures(
        "drawings", "SVG and PDF", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7\n"
    ),
    _pictures(
        "pixels",
        "20 KB of PNG with 160 million pixels",
        _png(16_000, 10_000, bytes(16_001 * 1000)),
        quick=True,
    ),
    _pictures("thin", "a PNG of 80 million x 1 pixels", lambda path: path.write_bytes(_thin())),
    _large("deep", "a PNG of 79 million pixels of 16 bits", 16, 0, 2),
    _large("clear", "a PNG of 79 million pixels with transparency", 8, 6, 4),
    _pictures("half", "half a JPEG, half a PNG", *(_encoded(one)[:900] for one in ("JPEG", "PNG"))),
    _pictures(
        "noise", "bytes that are no picture", b"\x89PNG\r\n\x1a\n" + bytes(900), b"x", bytes(9)
    ),
    _pictures("pipe", "a pipe that nobody writes to", os.mkfifo),
    _named("path", "a name that leads out", "../outside.png", codes=REFUSED, says="leads out"),
    _named("link", "a link that leads out", "link.png", codes=REFUSED, says="leads out"),
    _named("absolute", "the name of a file elsewhere", "/etc/passwd", codes=REFUSED, says="leads"),
]
