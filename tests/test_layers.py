"""Imports go down the layers only, and the command line stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import vlmbench

PACKAGE = Path(vlmbench.__file__).parent

LAYERS = {
    0: ("errors", "records", "__init__"),
    1: (
        *(
            "text",
            "stats",
            "where",
            "schema",
            "template",
            "task",
            "hub",
            "rows",
            "data",
            "pdf_pages",
        ),
        *(
            "task_files",
            "filters",
            "sources",
            "prompt",
            "runs",
            "checkpoints",
            "families",
            "hf_options",
        ),
        *("model_options", "model_spec", "server_models", "baseline_models", "models", "journal"),
        "environment",
        *("encoders", "endpoints", "plugins", "cache", "spool", "stored", "judges.agreement"),
    ),
    2: ("metrics", "runners", "variants"),
    3: (
        *("aggregate", "encoder_scores", "groups", "scoring", "score_workers", "executors"),
        *("performance", "diagnostics", "score_table"),
        *("judges.bounds", "judges.requests", "judges.results", "judges.scores"),
    ),
    4: (
        *("evaluate", "derive"),
        "extra_metrics",
        "score_file",
        "check",
        *("prepare", "prepare_documents", "prepare_hub", "prepared"),
        "published",
        "gate",
        "gate_baseline",
        "report",
        "train",
        "embedded",
        "parity",
        "doctor",
        *("judges.judging", "judges.checks", "judges.pairwise", "judges.labels"),
    ),
    5: (
        *(
            "cli",
            "arguments",
            "commands",
            "__main__",
            "console",
            "console_diagnostics",
            "catalogue",
            "demo",
            "docs",
        ),
        *("docs_benchmarks", "family_docs", "model_plan"),
        *("judges.arguments", "judges.commands", "judges.calls", "judges.tables"),
    ),
}
RANK = {name: rank for rank, names in LAYERS.items() for name in names}
"""By module, or by folder; the modules of one folder may lie in several layers."""

SIDEWAYS = {("train", "embedded")}
"""The trainer reads the embedded suite's training split; nothing goes the other way."""


def rank(module: str) -> int:
    """The layer of a module: its own, else its folder's."""
    return RANK[module] if module in RANK else RANK[module.split(".")[0]]


def imports() -> Iterator[tuple[str, str]]:
    """(importing module, imported module), both relative to the package."""
    modules = {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
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


def test_every_module_has_a_layer() -> None:
    modules = {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        for path in PACKAGE.rglob("*.py")
        if path.read_bytes().count(b"\n") > 1  # not a docstring alone
    }
    unknown = {name for name in modules if name not in RANK and name.split(".")[0] not in RANK}
    assert not unknown, f"give these a layer here: {sorted(unknown)}"


def test_no_import_points_up() -> None:
    wrong = []
    for source, target in imports():
        here, there = source.split(".")[0], target.split(".")[0]
        same_folder = here == there or ("." not in source and "." not in target)
        level = rank(source) == rank(target)
        sideways = level and (same_folder or (here, there) in SIDEWAYS)
        # Folders of one layer stand beside plain modules of that layer, as text beside data.
        beside = level and ("." not in source) != ("." not in target)
        if not (rank(target) < rank(source) or sideways or beside):
            wrong.append(f"{source} imports {target}")
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


def test_the_command_line_imports_nothing_heavy() -> None:
    heavy = ("torch", "transformers", "datasets", "pandas", "pyarrow", "PIL", "fugashi")
    slow = ("numpy", "pydantic", "rich", "jinja2", "yaml")
    code = f"import sys, vlmbench.cli; print([m for m in {heavy + slow} if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def test_scoring_imports_no_torch() -> None:
    modules = "vlmbench.evaluate, vlmbench.check, vlmbench.catalogue, vlmbench.executors.local"
    code = (
        f"import sys, {modules}; print([m for m in ('torch', 'transformers') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def test_generating_imports_nothing_that_only_scoring_needs() -> None:
    modules = "vlmbench.runners.hf, vlmbench.executors.local, vlmbench.journal, vlmbench.prompt"
    code = (
        f"import sys, {modules}; print([m for m in ('fugashi', 'sacrebleu') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def best_of(repeats: int, *arguments: str) -> float:
    """Seconds of the fastest of several processes."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - started)
    return min(times)


def test_help_is_quick() -> None:
    """At most three times a bare interpreter and 0.15 s."""
    bare = best_of(5, "-c", "pass")
    assert best_of(5, "-m", "vlmbench", "--help") <= 3 * bare + 0.15
