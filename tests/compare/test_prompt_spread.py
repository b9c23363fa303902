from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from made_runs import answered_run, make_task, question

from vlmbench.compare.paired_runs import Scored, read_scored
from vlmbench.compare.prompt_spread import PromptSpread, prompt_spreads
from vlmbench.runs.directory import RunDir

N = 100


def spread(tmp_path: Path, *right: int, use: str = "match.exact") -> PromptSpread:
    """Of prompts under which the first so many answers are right; the first is the task's own."""
    metrics = [{"use": use, "headline": True}]
    task = make_task(tmp_path / "t", [question(n) for n in range(N)], metrics=metrics)
    runs: list[Scored] = []
    for number, count in enumerate(right):
        answers = {f"q{n}": "赤" if n < count else "青" for n in range(N)}
        model = answered_run(task, tmp_path / f"out{number}", f"m{number}", answers)
        runs.append(read_scored(RunDir(model / "ja-small")))
    names = ("polite", "plain", "terse")
    (found,) = prompt_spreads(runs[0], dict(zip(names, runs[1:], strict=False)))
    return found


def test_mean_spread_and_worst(tmp_path: Path) -> None:
    found = spread(tmp_path, 60, 70, 40, 50)
    assert {name: one.value for name, one in found.values.items()} == {
        "own": 0.6,
        "polite": 0.7,
        "plain": 0.4,
        "terse": 0.5,
    }
    assert found.mean and found.spread and found.deviation and found.worst_value
    # Python's statistics.mean and statistics.stdev of the four.
    assert found.mean.value == pytest.approx(0.55)
    assert found.deviation.value == pytest.approx(0.12909944487358055)
    assert found.spread.value == pytest.approx(0.3)
    assert (found.worst, found.worst_value.value) == ("plain", 0.4)
    # 30 samples are right under "polite" only: qbinom(c(.025, .975), 100, .3) is 21, 39 in R.
    assert (found.spread.low, found.spread.high) == pytest.approx((0.21, 0.39), abs=0.011)
    assert found.n == N


def test_prompts_that_change_nothing(tmp_path: Path) -> None:
    found = spread(tmp_path, 60, 60)
    assert found.spread and found.deviation
    # None of 100 differs: Wilson's upper end is z^2 / (n + z^2) = 3.8415 / 103.8415 = 0.03699; two
    # values that far apart deviate by 1 / sqrt(2) of it.
    for one, high in ((found.spread, 0.03699), (found.deviation, 0.03699 / 2**0.5)):
        assert (one.value, one.low) == (0.0, 0.0)
        assert one.high == pytest.approx(high, abs=1e-5)


def test_the_worst_value_of_errors_is_the_highest(tmp_path: Path) -> None:
    found = spread(tmp_path, 60, 70, 40, use="ocr.cer")
    assert found.worst == "plain"
    assert found.worst_value and found.worst_value.value == max(
        one.value for one in found.values.values()
    )


def test_values_are_plain_numbers(tmp_path: Path) -> None:
    values = dataclasses.asdict(spread(tmp_path, 60, 50))
    assert not any(isinstance(one, np.generic) for one in values["mean"].values())
