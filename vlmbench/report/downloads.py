"""The results as files beside the pages."""

from __future__ import annotations

import json

from vlmbench.report.site import Site
from vlmbench.report.tables import Leaderboard
from vlmbench.scoring.frames import runs_frame


def write_downloads(site: Site, board: Leaderboard) -> dict[str, str]:
    """Every estimate of every run that is shown, and return the files by their format."""
    frame = runs_frame(run.record for entry in board.entries for run in entry.runs.values())
    rows = frame.astype(object).where(frame.notna(), None).to_dict(orient="records")
    files = {
        "CSV": ("downloads/results.csv", frame.to_csv(index=False, lineterminator="\n")),
        "JSON": (
            "downloads/results.json",
            json.dumps(rows, ensure_ascii=False, indent=1, allow_nan=False) + "\n",
        ),
    }
    for path, text in files.values():
        site.write(path, text)
    return {name: path for name, (path, _) in files.items()}
