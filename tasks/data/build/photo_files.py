"""Finds the packaged file of a photograph and makes the suite's picture of it."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path, PurePosixPath

from qt_resources import read_resource

from vlmbench.errors import DataError, DependencyError, unknown_name
from vlmbench.records import Image

LONGEST_SIDE = 768
"""Pixels; smaller photographs stay as they are."""

_QUALITY = 88
_INSTALLED = {"scikit-image": ("skimage", "data"), "scikit-learn": ("sklearn", "datasets/images")}
"""Module and folder below it of the Python packages with pictures."""
_FETCHED = {
    "lomiri-wallpapers-16.04": "usr/share/backgrounds",
    "gcompris-qt-data": "usr/share/gcompris-qt/rcc",
}
"""Folder of the Debian packages with pictures, below the root they are unpacked to."""


def packaged_file(package: str, file: str, member: str | None, sources: Path) -> bytes:
    """The bytes of a picture as its package ships it.

    Args:
        package: One of the packages that pictures come from.
        file: A file name in that package's picture folder.
        member: A path inside `file`, where that is a Qt resource bundle.
        sources: The folder that tasks/data/fetch_sources.sh filled.

    Raises:
        DataError: The package is unknown, or the file is not there.
        DependencyError: The package is a Python package and not installed.
    """
    path = _folder(package, sources) / PurePosixPath(file).name
    if not path.is_file():
        raise DataError(
            f"{path.name} of the package {package} is missing from {path.parent}; "
            f"run 'tasks/data/fetch_sources.sh {sources}' first."
        )
    return path.read_bytes() if member is None else read_resource(path, member)


def shrunken(image: Image) -> bytes:
    """The upright picture as a JPEG of at most `LONGEST_SIDE` pixels a side, without metadata."""
    import PIL.Image

    picture = image.decode()
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), PIL.Image.Resampling.LANCZOS, reducing_gap=None)
    picture.info.clear()
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return buffer.getvalue()


def _folder(package: str, sources: Path) -> Path:
    if package in _FETCHED:
        return sources / "debian" / _FETCHED[package]
    if package not in _INSTALLED:
        known = [*_INSTALLED, *_FETCHED]
        raise DataError(unknown_name("package", package, known, next_step="correct photos.yaml"))
    module, below = _INSTALLED[package]
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise DependencyError(
            f"The package {package} is not installed; run \"pip install 'vlmbench-ja[build]'\"."
        )
    return Path(spec.origin).parent / below
