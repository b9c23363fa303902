"""The results as files beside the pages: what `vlmbench export` writes of the same runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vlmbench.records import RunRecord
from vlmbench.report.site import Site
from vlmbench.scoring.export import FILE_NAMES, ExportFormat, export

LABELS: Mapping[ExportFormat, str] = {
    "csv": "CSV",
    "json": "JSON",
    "latex": "LaTeX",
    "markdown": "Markdown",
}
"""The formats that are offered, and what they are called."""


def write_downloads(site: Site, records: Sequence[RunRecord]) -> dict[str, str]:
    """The files by the names of their formats."""
    files = {}
    for format, label in LABELS.items():
        path = f"downloads/{FILE_NAMES[format]}"
        site.write(path, export(records, format))
        files[label] = path
    return files
