"""What guessing scores, by hand: shapes are square twice and round once, colors all differ."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_runs import make_task, question

from vlmbench.cli.main import main

ROWS = [
    question(0, "何色？", "赤", level="色"),
    question(1, "何色？ ", "青", level="色"),
    question(2, "形は？", "四角", level="形"),
    question(3, "形は？ ", "四角", level="形"),
    question(4, "形は？  ", "丸", level="形"),
]


def test_check_says_what_guessing_scores(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = make_task(tmp_path, ROWS)
    assert main(["tasks", "check", str(task), "--json"]) == 0
    guesses = json.loads(capsys.readouterr().out)["guesses"]
    values = {one["baseline"]: one["value"] for one in guesses}
    # Always 四角: 2 of 5. By level: 赤 for the colors (the first of equals) and 四角: 3 of 5.
    assert values["baseline:majority"] == pytest.approx(2 / 5)
    assert values["baseline:blind-majority"] == pytest.approx(3 / 5)  # level, kind and answer
    # All are of one kind, which gives the answers of majority again.
    assert "baseline:blind-majority:kind" not in values
    assert [one["value"] for one in guesses] == sorted(
        (one["value"] for one in guesses), reverse=True
    )
    assert all(one["n"] == 5 for one in guesses)


def test_blind_majority_by_any_field(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{**row, "category": row["level"]} for row in ROWS]
    task = make_task(tmp_path, rows)
    text = task.read_text(encoding="utf-8")
    task.write_text(text.replace("- level\n", "- category\n"), encoding="utf-8")
    command = ["run", "--quiet", "--json", "--tasks", str(task), "--out", str(tmp_path / "runs")]
    assert main([*command, "--model", "baseline:blind-majority:category"]) == 0
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    overall = [one for one in run["estimates"] if one["slice"] is None and one["headline"]]
    assert run["model"] == "baseline-blind-majority-category"
    assert [one["value"] for one in overall] == [pytest.approx(3 / 5)]
    assert main([*command, "--model", "baseline:blind-majority:categry"]) == 2
    assert "Did you mean 'category'" in capsys.readouterr().err
