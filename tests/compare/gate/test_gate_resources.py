"""Speed, latency and memory against the baseline's, with the noise of repeated runs."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from made_gate import color_answers, color_task, rules, save
from made_runs import answered_run

from vlmbench.cli.main import main
from vlmbench.compare.gate.baseline import make_baseline
from vlmbench.compare.gate.check import check
from vlmbench.compare.gate.report import GateReport, GateRow
from vlmbench.errors import UsageError

SPEEDS = (20.0, 21.0, 19.5, 20.5)


def measured(folder: Path, name: str, speed: float, *, memory: float = 1000.0) -> Path:
    """A run whose record says that it was so fast."""
    task = color_task(folder / "tasks", 20)
    run = answered_run(task, folder / name, "m", color_answers(20))
    file = run / "ja-small" / "run.json"
    record = json.loads(file.read_text())
    record["performance"] |= {
        "samples_per_second": speed,
        "latency_p50": 10 / speed,
        "peak_memory_mib": memory,
    }
    file.write_text(json.dumps(record))
    return run


@pytest.fixture
def baseline(tmp_path: Path) -> Path:
    """A baseline of four runs."""
    first, *others = (measured(tmp_path, f"r{n}", one) for n, one in enumerate(SPEEDS))
    return save([first], tmp_path / "b.json", repeats=others)


def of(report: GateReport, metric: str) -> GateRow:
    """The row of a measure."""
    (row,) = (one for one in report.rows if one.kind == "resource" and one.metric == metric)
    return row


# Logarithms of SPEEDS: 2.99573, 3.04452, 2.97041, 3.02042; mean 3.00777 (a speed of 20.242), sd
# 0.03189. Student's 97.5 % quantile at 3 degrees of freedom is 3.1824 in any table, so one more run
# lies within 3.1824 * 0.03189 * sqrt(1.25) = 0.1135 of the mean: 18.07 to 22.68.
@pytest.mark.parametrize(
    ("speed", "margin", "verdict"),
    [
        (23.0, 0.1, "better"),
        (20.2, 0.15, "no worse"),
        (20.2, 0.1, "undecided"),
        (18.5, 0.1, "undecided"),
        (12.0, 0.1, "regressed"),
    ],
)
def test_speed_and_latency(
    tmp_path: Path, baseline: Path, speed: float, margin: float, verdict: str
) -> None:
    run = measured(tmp_path, "new", speed)
    report = check([run], baseline, rules=rules(resources={"speed": margin}))
    row = of(report, "samples_per_second")
    assert row.verdict == verdict
    assert row.baseline == pytest.approx(20.242, abs=0.001)
    assert row.low is not None and row.high is not None
    half = (math.log1p(row.high) - math.log1p(row.low)) / 2
    assert half == pytest.approx(0.1135, abs=2e-4)
    assert report.exit_code == {"regressed": 1, "undecided": 4}.get(verdict, 0)
    if verdict == "undecided":
        again = {"resources": {"speed": float(row.decides.rpartition(" ")[2])}}
        assert check([run], baseline, rules=rules(**again)).exit_code == 0
    turned = of(check([run], baseline, rules=rules(resources={"latency": margin})), "latency_p50")
    assert (turned.verdict == "better") == (verdict == "better")
    assert (turned.verdict == "regressed") == (verdict == "regressed")


def test_what_is_not_asked_for_is_reported_only(tmp_path: Path, baseline: Path) -> None:
    report = check([measured(tmp_path, "new", 1.0)], baseline)
    row = of(report, "samples_per_second")
    assert (row.gated, row.verdict, report.exit_code) == (False, "regressed", 0)


def test_memory_that_never_differed_may_still_differ(tmp_path: Path, baseline: Path) -> None:
    """Four equal runs don't show that a percent more is a regression; half more is."""
    asked = rules(resources={"memory": 0.02})
    for memory, verdict in ((1000.0, "undecided"), (1030.0, "undecided"), (1500.0, "regressed")):
        run = measured(tmp_path, f"m{memory}", 20, memory=memory)
        assert of(check([run], baseline, rules=asked), "peak_memory_mib").verdict == verdict


def test_one_run_is_no_noise_model(tmp_path: Path) -> None:
    file = save([measured(tmp_path, "r", 20.0)], tmp_path / "b.json")
    report = check([measured(tmp_path, "n", 20.0)], file, rules=rules(resources={"speed": 0.5}))
    row = of(report, "samples_per_second")
    assert row.verdict == "undecided" and row.text.endswith("2 more with 'gate save --repeats'")
    assert report.exit_code == 4


def test_other_machines_do_not_compare(tmp_path: Path, baseline: Path) -> None:
    run = measured(tmp_path, "new", 1.0)
    file = run / "ja-small" / "run.json"
    record: dict[str, Any] = json.loads(file.read_text())
    record["environment"]["device"] = "cuda"
    file.write_text(json.dumps(record))
    report = check([run], baseline, rules=rules(resources={"speed": 0.1}))
    row = of(report, "samples_per_second")
    assert row.verdict == "undecided" and "another machine" in row.text


def test_repeats_are_of_the_same_model(tmp_path: Path) -> None:
    run = measured(tmp_path, "r", 20.0)
    task = color_task(tmp_path / "tasks", 20)
    other = answered_run(task, tmp_path / "other", "m2", color_answers(19, 1))
    with pytest.raises(UsageError, match=r"no repeat of .*another model"):
        make_baseline([run], repeats=[other])


def test_a_run_is_no_repeat_of_itself(tmp_path: Path) -> None:
    first, second = (measured(tmp_path, name, 20.0) for name in ("r1", "r2"))
    for repeats in ([first, second], [second, second / "ja-small"]):
        with pytest.raises(UsageError, match=r"r\d/scripted-m/ja-small is given twice.*--repeats"):
            make_baseline([first], repeats=repeats)


def test_no_margin_is_named_that_the_rules_would_refuse(tmp_path: Path) -> None:
    """Speeds that double from run to run: a latency three times the usual would be no surprise."""
    first, *others = (measured(tmp_path, f"r{n}", one) for n, one in enumerate((5.0, 10.0, 20.0)))
    file = save([first], tmp_path / "b.json", repeats=others)
    report = check([measured(tmp_path, "n", 9)], file, rules=rules(resources={"latency": 0.1}))
    assert of(report, "latency_p50").text == "undecided: more repeats"


def test_the_command_takes_repeats(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [str(measured(tmp_path, f"r{n}", one)) for n, one in enumerate(SPEEDS)]
    file = tmp_path / "b.json"
    assert main(["gate", "save", runs[0], "-o", str(file), "--repeats", *runs[1:]]) == 0
    (tmp_path / "gate.yaml").write_text("resources: {speed: 0.2}\n")
    command = ["gate", "check", runs[1], "--baseline", str(file)]
    assert main([*command, "--rules", str(tmp_path / "gate.yaml")]) == 0
    assert "samples_per_second" in capsys.readouterr().out
