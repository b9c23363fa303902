"""Runners of other packages, found by the entry points of their metadata.

A package adds one so, and `--model NAME:LOCATION` asks it:

    [project.entry-points."vlmbench.runners"]
    NAME = "package.module:RunnerClass"
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points

GROUP = "vlmbench.runners"


@cache
def plugin_runners() -> Mapping[str, EntryPoint]:
    """Entry points by the runner's name; imports none of them."""
    return {point.name: point for point in entry_points(group=GROUP)}


def package_of(point: EntryPoint) -> str:
    """Name and version of the package that an entry point comes from."""
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown package"
