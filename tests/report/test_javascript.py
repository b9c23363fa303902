"""The pages' scripts: typed by JSDoc, small, and without ways to run text as code."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import vlmbench.report

STATIC = Path(vlmbench.report.__file__).parent / "static"
SCRIPTS = sorted(STATIC.glob("*.js"))
TSC = shutil.which("tsc") or shutil.which("tsc", path=str(Path("node_modules/.bin").resolve()))


@pytest.mark.skipif(TSC is None, reason="there is no tsc; npm install --no-save typescript")
def test_types() -> None:
    project = Path(__file__).with_name("tsconfig.json")
    found = subprocess.run([str(TSC), "-p", project], capture_output=True, text=True, check=False)
    assert found.stdout + found.stderr == ""


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda one: one.name)
def test_no_text_becomes_code_or_markup(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    forbidden = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|fetch\("
    )
    assert re.findall(forbidden, text) == []


def test_they_stay_small() -> None:
    """Less than the stylesheets and scripts of one ordinary page; Plotly is loaded apart."""
    assert sum(path.stat().st_size for path in SCRIPTS) < 95_000
