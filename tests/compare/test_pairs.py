"""`vlmbench compare`: models side by side on the same samples."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_runs import answered_run, make_task, question

import vlmbench
from vlmbench.cli.main import main
from vlmbench.errors import UsageError


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    """Two models: the first is right on 2 of 4, the second on 3; one sample only the first has."""
    task = make_task(tmp_path / "task", [question(n) for n in range(5)])
    first = {"q0": "赤", "q1": "赤", "q2": "青", "q3": "青", "q4": "赤"}
    second = {"q0": "赤", "q1": "赤", "q2": "赤", "q3": "青"}
    out = tmp_path / "runs"
    return answered_run(task, out, "first", first), answered_run(task, out, "second", second)


def test_the_difference_is_that_of_the_common_samples(runs: tuple[Path, Path]) -> None:
    (row,) = vlmbench.compare(*runs).to_dict("records")
    assert (row["model_a"], row["model_b"]) == ("scripted-first", "scripted-second")
    assert (row["value_a"], row["value_b"], row["difference"]) == (0.5, 0.75, 0.25)
    assert (row["n"], row["left_out"]) == (4, 1)
    assert row["low"] <= 0.25 <= row["high"]
    (turned,) = vlmbench.compare(*reversed(runs)).to_dict("records")
    assert turned["difference"] == -0.25


def test_the_command_says_the_same(
    runs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", "--json", *map(str, runs)]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["difference"], row["n"]) == (0.25, 4)
    assert main(["compare", *map(str, runs)]) == 0
    assert "+0.250" in capsys.readouterr().out


def test_other_prompts_do_not_compare(tmp_path: Path) -> None:
    out = tmp_path / "runs"
    for name, prompt in (("a", "{{ row.question }}"), ("b", "{{ row.question }}短く。")):
        task = make_task(tmp_path / name, [question(0)], prompt=prompt)
        (out / name).mkdir(parents=True)
        answered_run(task, out / name / "runs", name, {"q0": "赤"})
    (row,) = vlmbench.compare(out / "a" / "runs", out / "b" / "runs").to_dict("records")
    assert row["problem"] == "another prompt"


def test_one_model_is_not_enough(runs: tuple[Path, Path]) -> None:
    with pytest.raises(UsageError, match="one model only"):
        vlmbench.compare(runs[0])
