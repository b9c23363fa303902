"""docs/python.md: its blocks run in order, as a script and from standard input."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from locations import ROOT

import vlmbench

PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
BLOCKS = [
    block
    for block in re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    if not block.startswith("# not run")
]


def run_python(
    arguments: list[str], folder: Path, text: str = ""
) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        input=text,
        text=True,
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": paths},
    )


@pytest.mark.parametrize("way", ["script", "standard input"])
def test_the_blocks_run(tmp_path: Path, way: str) -> None:
    assert len(BLOCKS) >= 8
    program = "\n".join(BLOCKS)
    if way == "script":
        (tmp_path / "page.py").write_text(program, encoding="utf-8")
        done = run_python(["page.py"], tmp_path)
    else:
        done = run_python(["-"], tmp_path, program)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "Did you mean 'tiny-ja'" in done.stdout
    assert "p_value" in done.stdout and "answer" in done.stdout


def test_the_page_names_every_function_and_column() -> None:
    from vlmbench.scoring.frames import RUN_COLUMNS, SAMPLE_COLUMNS

    for name in vlmbench.__all__:
        assert f"vlmbench.{name}(" in PAGE
    for column in (*RUN_COLUMNS, *SAMPLE_COLUMNS):
        assert f"`{column}`" in PAGE


def test_functions_and_modules_of_one_name(tmp_path: Path) -> None:
    """`vlmbench.evaluate` is called as a function, before and after the module is imported."""
    program = """
import inspect, vlmbench
before = inspect.signature(vlmbench.evaluate)
import vlmbench.evaluate, vlmbench.compare.gate, vlmbench.train.run
from vlmbench.evaluate import run
assert inspect.signature(vlmbench.evaluate) == before
assert callable(vlmbench.compare) and callable(vlmbench.train)
assert vlmbench.evaluate.run is run
"""
    done = run_python(["-c", program], tmp_path)
    assert done.returncode == 0, done.stderr
