"""Images that a run keeps, each once, named by their content: `<out>/images/<digest>`.

A run needs them for nothing but to be looked at (and for a judge that sees images), so they are
kept only where somebody asks for it; otherwise they are read from the data set.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vlmbench.records import Image
from vlmbench.runs.directory import replace_file

FOLDER = "images"


@dataclass(frozen=True, slots=True)
class ImageFolder:
    """The folder of one output directory."""

    path: Path

    @classmethod
    def below(cls, out: Path) -> ImageFolder:
        """The folder of the output directory `out`."""
        return cls(out / FOLDER)

    def add(self, images: Iterable[Image]) -> None:
        """Store those that are not there.

        Raises:
            JournalError: The folder cannot be written.
        """
        for image in images:
            file = self.path / image.digest
            if image.data and not file.exists():
                replace_file(file, [image.data])

    def find(self, digest: str) -> Image | None:
        """The image with this digest; None if it is not there or is no longer the same."""
        if not re.fullmatch("[0-9a-f]{16}", digest):  # it comes out of a file, and is no path
            return None
        try:
            image = Image((self.path / digest).read_bytes(), source=f"the kept image {digest}")
        except OSError:
            return None
        return image if image.digest == digest else None
