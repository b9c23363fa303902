"""What files of the site are called, which samples are shown, and when a run has changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vlmbench.records import stable_hash
from vlmbench.report.entries import Run


def model_slug(name: str) -> str:
    """A file name for a model: never a path, another one for each name."""
    plain = "".join(
        one if one.isascii() and (one.isalnum() or one in "._-") else "-" for one in name
    )
    plain = plain.strip("-.")[:60]
    return plain if plain == name else f"{plain or 'model'}-{stable_hash(name)[:8]}"


def run_state(run: Run, variants: Mapping[str, Run]) -> list[Any]:
    """Changes whenever a file of a run, of its judges or of its variants does."""
    folders = [run.directory.path, *(one.directory.path for one in variants.values())]
    return [
        [folder.name, sorted([one.name, *_stamp(one)] for one in folder.iterdir() if one.is_file())]
        for folder in folders
    ]


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def spread(names: Sequence[str], at_most: int | None) -> Sequence[str]:
    """At most so many of the names, spread evenly over them."""
    if at_most is None or len(names) <= at_most:
        return names
    share = at_most / len(names)
    return [name for n, name in enumerate(names) if int((n + 1) * share) > int(n * share)]
