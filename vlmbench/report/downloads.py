"""The results as files beside the pages: what `vlmbench export` writes of the same runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vlmbench.report.entries import Run
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

MOST_BYTES = 7_000_000
"""Of all records, whose estimates then make a JSON of half as much again: a file of less than
20 MB. Larger fields have one a task."""


def download_files(folder: str, runs: Sequence[Run]) -> dict[ExportFormat, str]:
    """The files of some runs by format: CSV and JSON, which hold all estimates, if these are few.

    Args:
        folder: Of the site, where they lie.
    """
    few = sum(one.directory.record.stat().st_size for one in runs) <= MOST_BYTES
    formats = [one for one in LABELS if few or one not in ("csv", "json")]
    return {one: f"{folder}/{FILE_NAMES[one]}" for one in formats}


def write_downloads(site: Site, files: Mapping[ExportFormat, str], runs: Sequence[Run]) -> None:
    """Write them."""
    brief = [one.record for one in runs]
    whole = [one.whole_record() for one in runs] if "csv" in files else []
    for format, path in files.items():
        # LaTeX and Markdown show no slices.
        site.write(path, export(whole if format in ("csv", "json") else brief, format))
