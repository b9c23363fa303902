"""The documentation as a site: strict links, every page in it, Japanese in its search."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from locations import ROOT


def test_the_site_is_built(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="the extra 'docs' brings mkdocs-material")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(tmp_path)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    assert done.returncode == 0, done.stderr
    pages = {page.relative_to(ROOT / "docs") for page in (ROOT / "docs").rglob("*.md")}
    built = {path.parent.relative_to(tmp_path) for path in tmp_path.rglob("index.html")}
    assert {page.with_suffix("") for page in pages if page.stem != "index"} <= built
    index = json.loads((tmp_path / "search" / "search_index.json").read_text(encoding="utf-8"))
    assert "ja" in index["config"]["lang"]
    texts = " ".join(one["text"] for one in index["docs"] if one["location"].startswith("ja/"))
    assert "回帰" in texts and "課題" in texts
    # Nothing is loaded from elsewhere.
    home = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "fonts.googleapis" not in home
