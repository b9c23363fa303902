"""`vlmbench gate power`: how many samples it takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_runs import answered_run, make_task, question
from made_tasks import color_rows, write_task

from vlmbench.cli.main import main
from vlmbench.compare.power import power_table
from vlmbench.errors import UsageError
from vlmbench.runs.directory import RunDir
from vlmbench.tasks.registry import load_task


def test_a_table_without_runs(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["gate", "power", "--tasks", "ja-vqa,ja-caption", "--effect", "0.02"]
    assert main([*command, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["task"] for row in rows] == ["ja-vqa", "ja-vqa", "ja-caption"]
    # statsmodels 0.15.0: TTestPower().solve_power(effect_size=0.02 / (0.1 - 0.0004)**0.5,
    # alpha=0.05, power=0.8) = 1956.2 by Student's t, which wants about two more than the normal.
    assert rows[0]["samples"] == 332
    assert rows[0]["needed"] == pytest.approx(1956, rel=0.005)
    assert rows[2]["needed"] is None and "--pilot" in rows[2]["assumed"]
    assert main(command) == 0
    assert "332" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("effect", "said"),
    [
        ("2", "The effect is 2, and match.exact of ja-vqa goes from 0 to 1; give the difference"),
        ("0", "above 0"),
        ("nan", "above 0"),
        ("inf", "above 0"),
    ],
)
def test_an_effect_that_cannot_be(
    capsys: pytest.CaptureFixture[str], effect: str, said: str
) -> None:
    assert main(["gate", "power", "--tasks", "ja-caption,ja-vqa", "--effect", effect]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_two_runs_say_how_much_models_differ(tmp_path: Path) -> None:
    task = make_task(tmp_path / "task", [question(n) for n in range(100)])
    out = tmp_path / "runs"
    right = {f"q{n}": "赤" for n in range(100)}
    most = {f"q{n}": "青" if n % 10 == 0 else "赤" for n in range(100)}
    pilot = [answered_run(task, out, "right", right), answered_run(task, out, "most", most)]
    (row,) = power_table([load_task(str(task))], 0.05, pilot=pilot).to_dict("records")
    # (1.96 + 0.84)^2 * 0.1 * 0.9 / 0.05^2 = 282.6; wins and losses are skewed, so a little more.
    assert row["needed"] == pytest.approx(282.6, rel=0.15)
    assert row["assumed"] == "as scripted-most and scripted-right, n = 100"
    with pytest.raises(UsageError, match="above 0"):
        power_table([load_task(str(task))], 0)


def test_one_run_says_how_much_scores_differ(tmp_path: Path) -> None:
    task = make_task(tmp_path / "task", [question(n) for n in range(100)])
    half = {f"q{n}": "赤" if n % 2 else "青" for n in range(100)}
    pilot = [answered_run(task, tmp_path / "runs", "half", half)]
    high, low = power_table([load_task(str(task))], 0.02, pilot=pilot).to_dict("records")
    # A standard deviation of 0.5 with a correlation of 0.9: a variance of 2 * 0.25 * 0.1 = 0.05.
    assert high["needed"] == pytest.approx((1.96 + 0.8416) ** 2 * 0.05 / 0.0004, rel=0.1)
    assert low["needed"] == pytest.approx((1.96 + 0.8416) ** 2 * 0.25 / 0.0004, rel=0.05)
    assert "correlation 0.9" in high["assumed"]


def test_more_than_two_models_are_no_pilot(tmp_path: Path) -> None:
    task = make_task(tmp_path / "task", [question(n) for n in range(3)])
    out = tmp_path / "runs"
    pilot = [answered_run(task, out, name, {"q0": "赤"}) for name in ("a", "b", "c")]
    with pytest.raises(UsageError, match="of 3 models"):
        power_table([load_task(str(task))], 0.1, pilot=pilot)


def test_the_margin_is_a_share_as_the_gate_takes_it(tmp_path: Path) -> None:
    metrics = [{"use": "caption.cider_d", "headline": True}]
    rows = color_rows(60)
    task = write_task(tmp_path / "task", rows, metrics=metrics)
    answers = {row["id"]: row["references"][0] if n % 8 < 4 else "白" for n, row in enumerate(rows)}
    pilot = [answered_run(task, tmp_path / "runs", "m", answers)]
    record = RunDir(pilot[0] / "colors").read_record()
    value = next(one.value for one in record.estimates if one.headline and one.slice is None)
    row = power_table([load_task(str(task))], 0.1, pilot=pilot).to_dict("records")[0]
    # For CIDEr-D a margin is a share of the value; the effect is in the metric's own unit.
    assert row["samples"] == 60 and value
    assert row["margin"] * value == pytest.approx(row["smallest_effect"], rel=0.3)
