"""The results as files beside the pages: what `vlmbench export` writes."""

from __future__ import annotations

from vlmbench.report.site import Site
from vlmbench.report.tables import Leaderboard

FORMATS = {"CSV": "csv", "JSON": "json", "LaTeX": "latex", "Markdown": "markdown"}


def write_downloads(site: Site, board: Leaderboard) -> dict[str, str]:
    """The files by the name of their format, as links of the leaderboard."""
    return {}
