"""The wheel has all that the commands need: templates, catalogs, the embedded suite, tiny-ja."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest
from locations import ROOT

NEEDED = (
    "_tasks/ja-vqa.yaml",
    "_tasks/groups.yaml",
    "_tasks/data/ja-vqa.parquet",
    "_tasks/data/ATTRIBUTION.md",
    "compare/published.json",
    "locale/ja/LC_MESSAGES/vlmbench.mo",
    "models/models.yaml",
    "models/tiny-ja/model.safetensors",
    "report/strings.json",
    "report/static/site.js",
    "report/templates/index.html.j2",
    "train/recipes/tiny-ja-tune.yaml",
)
"""One of each kind that a command reads."""


def tracked(*folders: str) -> set[str]:
    """The files of folders that git knows, or will know."""
    command = ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "--", *folders]
    return {*subprocess.check_output(command, text=True).splitlines()}


def test_nothing_that_is_needed_is_ignored() -> None:
    """The builder of the wheel leaves out what git ignores."""
    files = tracked("vlmbench", "tasks")
    for name in NEEDED:
        path = f"vlmbench/{name}".replace("vlmbench/_tasks/", "tasks/")
        assert path in files, path
    ignored = ["git", "-C", str(ROOT), "ls-files", "-ci", "--exclude-standard"]
    assert subprocess.check_output(ignored, text=True) == ""


def test_the_wheel_is_whole(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="the extra 'dev' brings hatchling")
    from hatchling.builders.wheel import WheelBuilder

    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        metadata = next(name for name in archive.namelist() if name.endswith("entry_points.txt"))
        assert "vlmbench = vlmbench.cli.main:main" in archive.read(metadata).decode()
    assert {f"vlmbench/{name}" for name in NEEDED} <= names
    there = {
        f"vlmbench/_{name}" if name.startswith("tasks/") else name
        for name in tracked("vlmbench", "tasks")
    }
    assert names == there
