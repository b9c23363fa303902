"""The command line starts quickly: heavy packages are imported where they are needed."""

from __future__ import annotations

import resource
import subprocess
import sys


def test_the_command_line_imports_nothing_heavy() -> None:
    heavy = ("torch", "transformers", "datasets", "pandas", "pyarrow", "PIL", "fugashi")
    slow = ("numpy", "pydantic", "rich", "jinja2", "yaml")
    code = f"import sys, vlmbench.cli.main; print([m for m in {heavy + slow} if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def test_scoring_imports_no_torch() -> None:
    modules = "vlmbench.evaluate, vlmbench.check, vlmbench.cli.catalog, vlmbench.executors.local"
    code = (
        f"import sys, {modules}; print([m for m in ('torch', 'transformers') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def test_generating_imports_nothing_that_only_scoring_needs() -> None:
    names = ("runners.hf.runner", "executors.local", "runs.journal", "tasks.prompt")
    modules = ", ".join(f"vlmbench.{name}" for name in names)
    scoring = ("fugashi", "sacrebleu")
    code = f"import sys, {modules}; print([m for m in {scoring} if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def best_of(repeats: int, *arguments: str) -> float:
    """Seconds of the processor, of the cheapest of several processes."""
    spent = []
    for _ in range(repeats):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return min(spent)


def test_help_is_quick() -> None:
    """At most three times a bare interpreter and 0.15 s."""
    bare = best_of(5, "-c", "pass")
    assert best_of(5, "-m", "vlmbench", "--help") <= 3 * bare + 0.15
