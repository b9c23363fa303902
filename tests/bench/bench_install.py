"""Prints what each extra adds to an installation, and how long its packages take to import.

    python tests/bench/bench_install.py

Sizes are those of the files that the installed packages list, the packages that they need included;
what the core has already counts for no extra. Import times are of the processor, the best of three
processes, without the 15 ms of a bare Python. An extra that is not installed has no figures.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CORE_IMPORTS = {
    "the command line": "vlmbench.cli.main",
    "a run's pipeline": "vlmbench.cli.run",
    "torch and transformers, for a model": "torch, torchvision, transformers",
    "the report": "vlmbench.report.html",
}
IMPORTS = {
    "deepspeed": "deepspeed",
    "parts": "gguf, onnx",
    "quantization": "bitsandbytes",
    "compat": "ipadic, neologdn",
    "documents": "pypdfium2",
    "serving": "fastapi, uvicorn",
    "ray": "ray",
}
"""What of an extra is imported, where it is needed and nowhere else; the others are programs."""


@cache
def installed(name: str) -> Distribution | None:
    """The package, if it is there."""
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def needed(requirements: Iterable[str], extra: str) -> tuple[set[str], bool]:
    """All packages that an extra comes to (the empty one: the core), and whether all are there."""
    found: set[str] = set()
    complete = True
    open_ends = [(Requirement(one), extra) for one in requirements]
    while open_ends:
        requirement, of_extra = open_ends.pop()
        marker = requirement.marker
        if marker is not None and not marker.evaluate({"extra": of_extra}):
            continue
        name = canonicalize_name(requirement.name)
        package = installed(name)
        if package is None:
            complete = False
            continue
        inner = [Requirement(one) for one in package.requires or ()]
        known = name in found
        found.add(name)
        for one in ("", *requirement.extras):
            if not known or one:
                open_ends += [(need, one) for need in inner]
    return found - {"vlmbench-ja"}, complete


def mebibytes(packages: Iterable[str]) -> float:
    """What their files take."""
    total = 0
    for name in packages:
        package = installed(name)
        for file in (package.files or ()) if package else ():
            path = file.locate()
            total += path.stat().st_size if path.is_file() else 0  # type: ignore[attr-defined]
    return total / 2**20


def import_seconds(modules: str) -> float:
    """Of the processor."""

    def seconds(code: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    bare = min(seconds("") for _ in range(3))
    return max(0.0, min(seconds(f"import {modules}") for _ in range(3)) - bare)


def main() -> None:
    """Prints both tables."""
    own = installed("vlmbench-ja")
    assert own is not None, "vlmbench is not installed"
    requirements = own.requires or []
    core, _ = needed(requirements, "")
    of_torch = {one for one in core if one.startswith(("nvidia-", "cuda-", "torch", "triton"))}
    print("| extra | packages | MiB | import |")
    print("|---|---:|---:|---:|")
    print(f"| core, without torch | {len(core - of_torch)} | {mebibytes(core - of_torch):,.0f} | |")
    print(f"| torch and its libraries | {len(of_torch)} | {mebibytes(of_torch):,.0f} | |")
    extras = sorted(set(own.metadata.get_all("Provides-Extra") or ()) - {"dev"})
    for extra in extras:
        wanted, complete = needed(requirements, extra)
        more = wanted - core
        if not complete:
            print(f"| {extra} | | | not installed here |")
            continue
        took = f"{import_seconds(IMPORTS[extra]):.2f} s" if extra in IMPORTS else ""
        print(f"| {extra} | {len(more)} | {mebibytes(more):,.0f} | {took} |")
    print("\n| import | seconds |\n|---|---:|")
    for about, modules in CORE_IMPORTS.items():
        print(f"| {about} (`{modules}`) | {import_seconds(modules):.2f} |")


if __name__ == "__main__":
    main()
