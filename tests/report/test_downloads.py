"""Files beside the pages hold what `vlmbench export` prints of the same runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_runs import answered_run, make_task, question

from vlmbench.cli.main import main
from vlmbench.report import downloads
from vlmbench.report.html import build_site

ROWS = [question(n, kind=("what", "colour")[n % 2]) for n in range(12)]
FILES = {"csv": "csv", "json": "json", "latex": "tex", "markdown": "md"}


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for name in ("first", "second"):
        task = make_task(tmp_path / "tasks", ROWS, name=name)
        answered_run(task, tmp_path / "runs", "a", {row["id"]: "赤" for row in ROWS})
        answered_run(task, tmp_path / "runs", "part", {row["id"]: "青" for row in ROWS[:5]})
    return tmp_path / "runs"


def test_the_files_are_those_of_the_command(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "site"
    build_site([runs], site)
    of_task = [str(path) for path in sorted(runs.glob("*/first"))]
    for format, suffix in FILES.items():
        for paths, folder in (([str(runs)], "."), (of_task, "first")):
            capsys.readouterr()
            assert main(["export", *paths, "--format", format]) in (0, 3)
            expected = capsys.readouterr().out
            found = site / "downloads" / folder / f"results.{suffix}"
            assert found.read_text(encoding="utf-8") == expected
            assert "scripted-a" in expected
    for page, folder in (("index.html", ""), ("tasks/first.html", "../downloads/first/")):
        text = (site / page).read_text(encoding="utf-8")
        for suffix in FILES.values():
            assert f"{folder or 'downloads/'}results.{suffix}" in text


def test_large_fields_have_files_by_task(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_task = sum(path.stat().st_size for path in runs.glob("*/second/run.json"))
    monkeypatch.setattr(downloads, "MOST_BYTES", of_task)
    site = tmp_path / "site"
    build_site([runs], site)
    assert sorted(path.name for path in (site / "downloads" / "first").iterdir()) == [
        f"results.{suffix}" for suffix in sorted(FILES.values())
    ]
    assert sorted(path.name for path in (site / "downloads").glob("*.*")) == [
        "results.md",
        "results.tex",
    ]
    text = (site / "index.html").read_text(encoding="utf-8")
    assert "on the page of each task" in text and "results.csv" not in text
