"""Published scores on a task's page: told apart from ours, with their source."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from made_public import write_public

from vlmbench.cli.main import main
from vlmbench.compare.published import published
from vlmbench.report.found import read_runs
from vlmbench.report.html import build_report
from vlmbench.report.published import published_scores
from vlmbench.report.tables import build_leaderboard
from vlmbench.tasks.registry import load_task


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for name in ("cvqa-ja", "jmmmu"):
        write_public(load_task(name), tmp_path / "data")
    command = ["run", "--model", "baseline:oracle", "--limit", "2", "--quiet"]
    command += ["--tasks", "cvqa-ja,jmmmu,ja-chart", "--out", str(tmp_path / "out")]
    assert main([*command, "--data-dir", str(tmp_path / "data")]) == 0
    return tmp_path / "out"


def test_rows_and_what_does_not_compare(runs: Path) -> None:
    board = build_leaderboard(read_runs([runs]).plain)
    found = {task.name: published_scores(task, board.of_task(task.name)) for task in board.tasks}
    comparisons, mismatches = found["ja-chart"]
    assert comparisons == [] and mismatches.empty
    ((cvqa,), _) = found["cvqa-ja"]
    ours = [row for row in cvqa.rows if row.ours]
    assert [(row.model, row.value) for row in ours] == [("baseline-oracle", 1.0)]
    assert ours[0].low is not None
    cited = {(row.model, row.link): row.value for row in cvqa.rows if not row.ours}
    table = next(
        one
        for one in published().tables
        if (one.benchmark, one.metric, one.source_id) == ("cvqa-ja", "substring_match", "evalmm-md")
    )
    # leaderboard.md of llm-jp-eval-mm at 9f450a5 is where they were read.
    commit = published().sources["evalmm-md"].commit
    link = f"https://github.com/llm-jp/llm-jp-eval-mm/blob/{commit}/leaderboard.md"
    for model, score in table.scores.items():
        assert cited[model, link] == pytest.approx(score / 100)
    # The 12 subsets that the authors' site lists are one row.
    _, mismatches = found["jmmmu"]
    subsets = mismatches[mismatches.kind == "subset"].detail
    assert any("japaneseArt" in detail and "overall" in detail for detail in subsets)


def test_the_page(runs: Path, tmp_path: Path) -> None:
    site = build_report([runs], tmp_path / "site").parent
    page = (site / "tasks" / "cvqa-ja.html").read_text(encoding="utf-8")
    section = page[page.index('h2 id="published"') : page.index('h2 id="details"')]
    rows = re.findall(r"<tr( class=\"ours[^>]*)?>(.*?)</tr>", section, re.DOTALL)
    measured = [text for mark, text in rows if mark]
    cited = [text for mark, text in rows if not mark and 'data-t="cited"' in text]
    assert 'class="ours baseline"' in section
    assert len(measured) == 1 and "measured here" in measured[0] and "<a " not in measured[0]
    assert len(cited) > 20
    assert all('<a href="https://github.com/llm-jp/llm-jp-eval-mm/' in text for text in cited)
    assert "baseline-<wbr>oracle:<wbr> 2" in section
    assert 'h2 id="published"' not in (site / "tasks" / "ja-chart.html").read_text(encoding="utf-8")
