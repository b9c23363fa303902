"""Who made what the embedded suite is built from, as the attribution file lists it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Credit:
    """One source of pictures, names or figures."""

    key: str
    """What `SuiteItem.source` refers to."""
    title: str
    author: str
    """Who is to be named, as the package names them."""
    package: str
    """The package that the source was taken from, and that states its licence."""
    version: str
    licence: str
    """An SPDX identifier, or "Public domain"."""
    changes: str
    """What was done to the source, as CC-BY asks to be told."""
