"""The results as files beside the pages: what `vlmbench export` writes of the same runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vlmbench.records import RunRecord
from vlmbench.report.site import Site
from vlmbench.scoring.export import FILE_NAMES, ExportFormat, export

FOLDER = "downloads"

LABELS: Mapping[ExportFormat, str] = {
    "csv": "CSV",
    "json": "JSON",
    "latex": "LaTeX",
    "markdown": "Markdown",
}
"""The formats that are offered, and what they are called."""

MOST_ESTIMATES = 25_000
"""In a file with a row an estimate, which then stays below 20 MB; larger fields have one a task."""


def download_files(folder: str, records: Sequence[RunRecord]) -> dict[ExportFormat, str]:
    """The files of some runs by format: CSV and JSON, which hold all estimates, if these are few.

    Args:
        folder: Of the site, where they lie.
    """
    few = sum(len(one.estimates) for one in records) <= MOST_ESTIMATES
    formats = [one for one in LABELS if few or one not in ("csv", "json")]
    return {one: f"{folder}/{FILE_NAMES[one]}" for one in formats}


def write_downloads(
    site: Site, files: Mapping[ExportFormat, str], records: Sequence[RunRecord]
) -> None:
    """Write them."""
    for format, path in files.items():
        site.write(path, export(records, format))
