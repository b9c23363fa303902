"""What machine and which packages a result was made with."""

from __future__ import annotations

import importlib.metadata
import platform
import sys

from vlmbench import __version__
from vlmbench.records import Scalar

PACKAGES = ("torch", "transformers", "tokenizers", "numpy", "pillow", "fugashi", "unidic-lite")
"""Packages that answers or scores depend on."""


def versions() -> dict[str, Scalar]:
    """Versions of vlmbench, Python and PACKAGES, and the platform; imports none of them."""
    found: dict[str, Scalar] = {
        "vlmbench": __version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


def peak_memory_mib() -> float:
    """The most memory that this process has held so far."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return round(peak * unit / 2**20, 1)
