from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made_judge import answers_run, ask, colors, judge_server, judged_task, verdict
from made_runs import EXACT, answered_run, make_run, make_task, question

from vlmbench.report.columns import slice_tables, task_columns
from vlmbench.report.found import read_runs
from vlmbench.report.html import build_report
from vlmbench.report.tables import Leaderboard, build_leaderboard

ROWS = [
    question(n, answer=("赤", "青", "白")[n % 3], level="basic" if n < 8 else "real")
    for n in range(12)
]
RIGHT = {row["id"]: row["references"][0] for row in ROWS}


def wrong(count: int) -> dict[str, str]:
    """Right answers but for the first `count`."""
    return {key: "黒" if n < count else text for n, (key, text) in enumerate(RIGHT.items())}


def board(*roots: Path) -> Leaderboard:
    return build_leaderboard(read_runs(roots).plain)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def test_models_stand_apart_from_baselines_in_order_of_rank(tmp_path: Path, out: Path) -> None:
    task = make_task(tmp_path / "tasks", ROWS)
    answered_run(task, out, "a", wrong(6))
    answered_run(task, out, "b", wrong(3))
    for kind in ("majority", "blind-majority", "oracle"):
        make_run(task, out, f"baseline:{kind}")
    found = board(out)
    assert [entry.name for entry in found.models] == ["scripted-b", "scripted-a"]
    assert found.baselines[0].name == "baseline-oracle"
    (column,) = found.columns
    # The most frequent color is that of 3 of the 8 basic samples and of 2 of the 4 real ones.
    assert column.chance is not None and column.chance.value == pytest.approx(5 / 12)
    assert column.best(found.models) == {"scripted-b"}


def test_lower_is_better_where_the_metric_says_so(tmp_path: Path, out: Path) -> None:
    metrics = [{"use": "ocr.cer", "headline": True}]
    task = make_task(tmp_path / "tasks", ROWS, metrics=metrics)
    answered_run(task, out, "a", wrong(6))
    answered_run(task, out, "b", wrong(3))
    found = board(out)
    (column,) = found.columns
    # Each answer and reference is one character, so the error rates are 3/12 and 6/12.
    assert [column.rankable(entry) for entry in found.models] == pytest.approx([0.25, 0.5])
    assert [entry.name for entry in found.models] == ["scripted-b", "scripted-a"]
    assert column.best(found.models) == {"scripted-b"}


def test_incomplete_run_is_shown_but_never_best(tmp_path: Path, out: Path) -> None:
    task = make_task(tmp_path / "tasks", ROWS)
    answered_run(task, out, "part", dict(list(RIGHT.items())[:6]))
    answered_run(task, out, "whole", wrong(3))
    found = board(out)
    (column,) = found.columns
    part = next(entry for entry in found.models if entry.name == "scripted-part")
    estimate = column.estimate(part)
    assert estimate is not None and estimate.value == 1 and estimate.bounds == (0.5, 1.0)
    assert column.best(found.models) == {"scripted-whole"}
    assert found.models[0].name == "scripted-whole"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"prompt": "色は？ {{ row.question }}"}, "prompt"),
        ({"metrics": [*EXACT, {"use": "overlap.chrf"}]}, "task"),
        ({"rows": ROWS[:11]}, "data"),
        ({"limit": 5}, "limit"),
    ],
)
def test_run_of_another_version_is_told_apart(
    tmp_path: Path, out: Path, change: dict[str, Any], field: str
) -> None:
    task = make_task(tmp_path / "tasks", ROWS)
    answered_run(task, out, "a", wrong(6))
    answered_run(task, out, "b", wrong(3))
    limit = change.pop("limit", None)
    other = make_task(tmp_path / "other", change.pop("rows", ROWS), **change)
    answered_run(other, out, "odd", RIGHT, limit=limit)
    found = board(out)
    (column,) = found.columns
    mismatches = {e.name: column.task.mismatch(e.runs["ja-small"]) for e in found.models}
    assert mismatches == {"scripted-a": None, "scripted-b": None, "scripted-odd": field}
    assert found.models[-1].name == "scripted-odd"
    page = build_report([out], tmp_path / "site").read_text(encoding="utf-8")
    badge = page.partition('class="badge incomparable">')[2].partition("</td>")[0]
    assert f'data-t="field_{field}"' in badge  # named in both languages


def test_two_runs_of_one_model_are_two_rows(tmp_path: Path, out: Path) -> None:
    task = make_task(tmp_path / "tasks", ROWS)
    make_run(task, out, "baseline:oracle")
    make_run(task, tmp_path / "again", "baseline:oracle")
    names = [entry.name for entry in board(out, tmp_path / "again").baselines]
    assert names == ["baseline-oracle", "baseline-oracle (2)"]


def test_every_headline_metric_is_a_column(tmp_path: Path, out: Path) -> None:
    metrics = [{"use": "overlap.chrf"}, *EXACT, {"use": "overlap.rouge_l", "headline": True}]
    make_run(make_task(tmp_path / "tasks", ROWS, metrics=metrics), out, "baseline:oracle")
    found = board(out)
    assert [column.metric for column in found.columns] == ["match.exact", "overlap.rouge_l"]
    (task,) = found.tasks
    # Diagnostics that nobody asked for stand in a table of their own.
    assert task.metrics == ("match.exact", "overlap.rouge_l", "overlap.chrf")


def test_slices_with_more_than_one_value_become_tables(tmp_path: Path, out: Path) -> None:
    task = make_task(tmp_path / "tasks", ROWS)
    answered_run(task, out, "a", wrong(6))
    make_run(task, out, "baseline:blind-majority")
    found = board(out)
    (table,) = slice_tables(found.tasks[0], found.entries)
    assert table.field == "level"  # there is one kind only
    estimates = {value: cells["scripted-a"] for value, cells in table.estimates.items()}
    # The six wrong answers are among the first eight samples, which are the basic ones.
    values = {value: (e.value, e.n) for value, e in estimates.items()}
    assert list(values.items()) == [("basic", (0.25, 8)), ("real", (1.0, 4))]
    assert table.blind == "baseline-blind-majority"
    assert all(table.blind in cells for cells in table.estimates.values())


def test_columns_of_judges_are_kept_apart(tmp_path: Path) -> None:
    """Another judge is another column; one of the same name but other settings is not ranked."""
    task = judged_task(tmp_path / "task", ["judge.rubric"], colors())
    runs = [
        answers_run(task, tmp_path / "out", name, {f"q{n}": f"{name}{n}" for n in range(4)})
        for name in ("a", "b", "c", "d")
    ]

    def reply(prompt: str, earlier: int) -> str:
        return "？" if "a3" in prompt else verdict(reason="", score=3)

    with judge_server(reply) as server:
        for run in runs[:2]:
            ask(server, run)
        ask(server, runs[2], extra={"reasoning_effort": "low"})
        ask(server, runs[3], name="other")
    board = build_leaderboard(read_runs([tmp_path / "out"]).plain)
    columns = {one.metric: one for one in task_columns(board.tasks[0])}
    assert list(columns) == ["match.exact", "judge.rubric@made-judge", "judge.rubric@other"]
    made = columns["judge.rubric@made-judge"]
    ranked = {entry.name: made.rankable(entry) for entry in board.models}
    assert ranked == {"scripted-a": 3, "scripted-b": 3, "scripted-c": None, "scripted-d": None}
    page = build_report([tmp_path / "out"], tmp_path / "site").parent
    text = (page / "tasks" / "ja-small.html").read_text(encoding="utf-8")
    # 3 grades of 3 and one missing: from (9 + 1) / 4 to (9 + 5) / 4.
    assert "2.500–3.500" in text and 'data-t="not_comparable"' in text
