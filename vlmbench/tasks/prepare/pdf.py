"""Pages of PDF files as pictures."""

from __future__ import annotations

import io
from pathlib import Path

from vlmbench.errors import DataError, DependencyError

LARGEST = 50_000_000
"""Pixels of a picture; what is larger (a poster at 200 dpi) is drawn at fewer dots an inch."""


def page_picture(file: Path, number: int, *, dpi: int) -> bytes:
    """One page as a PNG file.

    Args:
        file: The PDF.
        number: Of the page, from 1.
        dpi: Dots an inch; a page of A4 at 200 is 1654 x 2339 pixels.

    Raises:
        DataError: The file is no PDF that can be opened, or has no such page.
        DependencyError: pypdfium2 is not installed.
    """
    try:
        import pypdfium2
    except ImportError:
        raise DependencyError(
            "pypdfium2, which renders pages of PDFs, is not installed; run pip install "
            "'vlmbench-ja[documents]'."
        ) from None
    try:
        with pypdfium2.PdfDocument(file) as document:
            pages = len(document)
            if not 1 <= number <= pages:
                raise DataError(
                    f"{file} has {pages} pages and not a page {number}; fetch the file again, or "
                    "correct the annotations."
                )
            page = document[number - 1]
            width, height = page.get_size()
            scale = min(dpi / 72, (LARGEST / max(1.0, width * height)) ** 0.5)
            picture = page.render(scale=scale).to_pil().convert("RGB")
    except (pypdfium2.PdfiumError, OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read as a PDF ({error}); fetch it again.") from error
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()
