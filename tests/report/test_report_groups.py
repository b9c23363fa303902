"""Groups on the leaderboard: parts, the score of who ran all of them, and who is never ranked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from made_runs import answered_run, make_run, make_task, question

from vlmbench.report.found import read_runs
from vlmbench.report.groups import GroupTable, group_tables
from vlmbench.report.html import build_report
from vlmbench.report.tables import build_leaderboard
from vlmbench.tasks.groups import load_groups

ROWS = [question(n) for n in range(4)]
GROUP = "ja-chart-all"
TASKS = load_groups()[GROUP].tasks


def right(count: int) -> dict[str, str]:
    """An answer to each question, so many of them right."""
    return {row["id"]: "赤" if n < count else "青" for n, row in enumerate(ROWS)}


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """`whole` and `better` ran the group, the others a part of it in one way or another."""
    out = tmp_path / "runs"
    for number, name in enumerate(TASKS):
        task = make_task(tmp_path / "tasks", ROWS, name=name)
        answered_run(task, out, "whole", right(number))
        answered_run(task, out, "better", right(3))
        if number:
            answered_run(task, out, "part", right(4))
        answered_run(task, out, "failed", right(4) if number else {"q0": "赤"})
        other = make_task(tmp_path / "other", ROWS, name=name, prompt="別: {{ row.question }}")
        answered_run(task if number else other, out, "differs", right(4))
        make_run(task, out, "baseline:oracle")
    return out


def table(runs: Path) -> GroupTable:
    found = {one.name: one for one in group_tables(build_leaderboard(read_runs([runs]).plain))}
    assert set(found) == {GROUP, "ja-all", "ja-core"}  # jgraphqa is in all three
    return found[GROUP]


def test_who_ran_the_whole_group_is_ranked(runs: Path) -> None:
    """By hand: 0, 1 and 2 of 4 right are (0 + 1/4 + 1/2) / 3 = 1/4, three times 3 of 4 are 3/4."""
    group = table(runs)
    assert (len(TASKS), len(group.tasks), group.missing) == (3, 3, ())
    scores = {row.entry.name: row.score.value for row in group.models}
    assert scores.pop("scripted-better") == pytest.approx(0.75)
    assert scores.pop("scripted-whole") == pytest.approx(0.25)
    assert set(scores.values()) == {None}
    assert [row.entry.name for row in group.models[:2]] == ["scripted-better", "scripted-whole"]
    assert [row.entry.name for row in group.models if group.is_best(row)] == ["scripted-better"]
    (oracle,) = group.baselines
    assert oracle.score.value == 1.0 and not group.is_best(oracle)
    best = group.models[0].score
    assert best.low is not None and best.high is not None and best.low < 0.75 < best.high
    assert set(best.parts.values()) == {0.75}


def test_what_keeps_the_others_from_a_rank_is_named(runs: Path) -> None:
    rows = {row.entry.name: row for row in table(runs).models}
    part, failed, differing = (rows[f"scripted-{name}"] for name in ("part", "failed", "differs"))
    assert (len(part.entry.runs), len(part.score.parts)) == (2, 2)
    assert (len(failed.entry.runs), failed.incomplete) == (3, (TASKS[0],))
    assert (len(differing.entry.runs), differing.excluded) == (3, {TASKS[0]: "prompt"})
    assert len(differing.score.parts) == 2


def test_the_page(runs: Path, tmp_path: Path) -> None:
    page = build_report([runs], tmp_path / "site").read_text(encoding="utf-8")
    panel = page[page.index('data-panel="groups"') : page.index("<footer")]
    panel = re.sub(r"(<[^>]+>|\s)+", " ", panel)
    assert "2 / 3 tasks run" in panel and "0.750" in panel
    assert "3 / 37 tasks run" in panel and "1 / 11 tasks run" in panel  # folded: nobody has a score
    # Three of the group's rows, and all six in ja-all and in ja-core.
    assert panel.count("no group score") == 3 + 6 + 6
