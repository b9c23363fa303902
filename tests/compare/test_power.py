"""`vlmbench gate power`: how many samples it takes."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from made_runs import answered_run, make_task, question

from vlmbench.cli.main import main
from vlmbench.compare.power import needed_samples, power_table
from vlmbench.errors import UsageError
from vlmbench.tasks.registry import load_task


def test_the_formula() -> None:
    # statsmodels 0.15.0: TTestPower().solve_power(effect_size=0.02 / 0.1**0.5, alpha=0.05,
    # power=0.8) = 1964.1 by Student's t, which wants about two more than the normal quantiles.
    assert needed_samples(0.1, 0.02) == pytest.approx(1964, abs=3)


def test_the_power_is_as_promised() -> None:
    """Of 4,000 experiments with the needed number of samples four fifths see the difference."""
    effect, share = 0.1, 0.3
    n = needed_samples(share - effect**2, effect)
    draw = np.random.default_rng(0)
    better, worse = (share + effect) / 2, (share - effect) / 2
    differences = draw.choice([1, -1, 0], p=[better, worse, 1 - share], size=(4000, n))
    half = 1.96 * differences.std(axis=1, ddof=1) / math.sqrt(n)
    assert np.mean(differences.mean(axis=1) - half > 0) == pytest.approx(0.8, abs=0.03)


def test_a_table_without_runs(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["gate", "power", "--tasks", "ja-vqa,ja-caption", "--effect", "0.02"]
    assert main([*command, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["task"] for row in rows] == ["ja-vqa", "ja-vqa", "ja-caption"]
    assert rows[0]["samples"] == 332 and rows[0]["needed"] > 332
    assert rows[2]["needed"] is None and "--pilot" in rows[2]["assumed"]
    assert main(command) == 0
    assert "332" in capsys.readouterr().out


def test_two_runs_say_how_much_models_differ(tmp_path: Path) -> None:
    task = make_task(tmp_path / "task", [question(n) for n in range(20)])
    out = tmp_path / "runs"
    right = {f"q{n}": "赤" for n in range(20)}
    half = {f"q{n}": "赤" if n % 2 else "青" for n in range(20)}
    pilot = [answered_run(task, out, "right", right), answered_run(task, out, "half", half)]
    (row,) = power_table([load_task(str(task))], 0.1, pilot=pilot).to_dict("records")
    assert row["needed"] == needed_samples(np.var([0, 1] * 10, ddof=1), 0.1)
    with pytest.raises(UsageError, match="of 1 models"):
        power_table([load_task(str(task))], 0.1, pilot=pilot[:1])
    with pytest.raises(UsageError, match="above 0"):
        power_table([load_task(str(task))], 0)
