"""Folders import one way only, and modules in no circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import vlmbench

PACKAGE = Path(vlmbench.__file__).parent
GROUND = (
    "errors",
    "plain_yaml",
    "budget",
    "raster",
    "records",
    "hub",
    "schema",
    "environment",
    "stats",
)
FOLDERS = (
    "runs",
    "text",
    "models",
    "tasks",
    "metrics",
    "runners",
    "executors",
    "scoring",
    "judges",
)
PIPELINE = ("derive", "evaluate", "check", "compare", "train", "report")
ORDER = (*GROUND, *FOLDERS, *PIPELINE, "cli", "__main__")
"""The floors of the house, lowest first; CONTRIBUTING.md says what is on each."""
API = "__init__"
"""The Python API imports anything, inside its functions."""


def imports() -> Iterator[tuple[str, str]]:
    """(importing module, imported module), both relative to the package."""
    modules = {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
        for path in PACKAGE.rglob("*.py")
    }
    for name, path in modules.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            targets: list[str] = []
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{name} imports relatively"
                full = [f"{node.module}.{alias.name}" for alias in node.names]
                targets = [
                    one if one.removeprefix("vlmbench.") in modules else str(node.module)
                    for one in full
                ]
            for target in targets:
                if target.startswith("vlmbench."):
                    yield name, target.removeprefix("vlmbench.")


def floor(module: str) -> int:
    return ORDER.index(module.split(".")[0])


def test_folders_import_one_way() -> None:
    wrong = [
        f"{source} imports {target}"
        for source, target in imports()
        if source != API and floor(source) < floor(target)
    ]
    assert not wrong


def test_no_import_cycle() -> None:
    graph: dict[str, set[str]] = {}
    for source, target in imports():
        graph.setdefault(source.removesuffix(".__init__"), set()).add(target)
    finished: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, f"a cycle: {' -> '.join((*path, module))}"
        if module not in finished:
            for target in sorted(graph.get(module, ())):
                visit(target, (*path, module))
            finished.add(module)

    for module in sorted(graph):
        visit(module, ())
