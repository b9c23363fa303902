from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_runs import EXACT, answered_run, make_run, make_task, question

from vlmbench.compare.gate import (
    DEFAULT_MARGIN,
    GateReport,
    GateRow,
    check,
    save_baseline,
    verdict_of,
)
from vlmbench.compare.gate_baseline import read_baseline
from vlmbench.errors import ConfigError, IncompleteError, UsageError
from vlmbench.records import MetricScore
from vlmbench.runs.directory import RunDir

N = 100


def answers(right: set[int], n: int = N) -> dict[str, str]:
    return {f"q{number}": "赤" if number in right else "青" for number in range(n)}


@pytest.fixture
def task(tmp_path: Path) -> Path:
    return make_task(tmp_path / "tasks", [question(number) for number in range(N)])


def gated(tmp_path: Path, task: Path, old: set[int], new: set[int], **options: Any) -> GateReport:
    """The gate of a run that is right on `new` against a baseline that is right on `old`."""
    save_baseline([answered_run(task, tmp_path / "old", "old", answers(old))], tmp_path / "b.json")
    new_run = answered_run(task, tmp_path / "new", "new", answers(new))
    return check([new_run], tmp_path / "b.json", **options)


# The difference is a mean of 100 draws of -1 (share of losses), +1 (share of wins) and 0.
# Only losses: their number in a resample is binomial. R's qbinom(c(.025, .975), 100, .2) is 12, 28
# and qbinom(c(.025, .975), 100, .12) is 6, 19; qbinom(.975, 100, .01) is 3.
# 20 losses and 5 wins: sd = sqrt((.25 - .15 ** 2) / 100) = .0477, -.15 -+ 1.96 sd is -.24, -.06.
# 3 and 3: sd = sqrt(.06 / 100) = .0245, so -.048, .048. The first two entries of a case are counts.
@pytest.mark.parametrize(
    ("losses", "wins", "margin", "low", "high", "verdict"),
    [
        (0, 0, 0.0, 0.0, 0.0, "within margin"),
        (0, 0, 0.02, 0.0, 0.0, "within margin"),
        (20, 0, 0.02, -0.28, -0.12, "regressed"),
        (20, 0, 0.3, -0.28, -0.12, "within margin"),
        (20, 0, 0.25, -0.28, -0.12, "inconclusive"),
        (20, 5, 0.02, -0.24, -0.06, "regressed"),
        (0, 12, 0.02, 0.06, 0.19, "better"),
        (3, 3, 0.02, -0.048, 0.048, "inconclusive"),
        (3, 3, 0.1, -0.048, 0.048, "within margin"),
        (1, 0, 0.02, -0.03, 0.0, "inconclusive"),
    ],
)
def test_verdicts_of_right_and_wrong_answers(
    tmp_path: Path,
    task: Path,
    losses: int,
    wins: int,
    margin: float,
    low: float,
    high: float,
    verdict: str,
) -> None:
    old = set(range(70))
    new = set(range(losses, 70 + wins))
    (row,) = gated(tmp_path, task, old, new, margin=margin).rows
    assert row.verdict == verdict
    assert (row.baseline, row.value) == (0.7, pytest.approx(0.7 + (wins - losses) / N))
    assert row.difference == pytest.approx((wins - losses) / N)
    # One answer more or less in a quantile of 2,000 resamples.
    assert row.low == pytest.approx(low, abs=0.011 if losses or wins else 0)
    assert row.high == pytest.approx(high, abs=0.011 if losses or wins else 0)


@pytest.mark.parametrize(
    ("low", "high", "difference", "verdict"),
    [
        (0.01, 0.05, 0.03, "better"),
        (0.0, 0.05, 0.02, "within margin"),
        (-0.1, 0.05, -0.02, "within margin"),
        (-0.11, 0.05, -0.02, "inconclusive"),
        (-0.2, 0.0, -0.15, "inconclusive"),
        (-0.2, -0.01, -0.1, "inconclusive"),  # surely a drop, but not surely more than tolerated
        (-0.2, -0.01, -0.11, "regressed"),
        (-0.3, -0.2, -0.25, "regressed"),
    ],
)
def test_verdict_at_the_edges_of_a_margin_of_a_tenth(
    low: float, high: float, difference: float, verdict: str
) -> None:
    assert verdict_of(low, high, difference, margin=0.1) == verdict


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([], 0),
        (["better", "within margin"], 0),
        (["within margin", "inconclusive"], 4),
        (["inconclusive", "incomplete"], 3),
        (["better", "incomplete"], 3),
        (["incomplete", "regressed", "better"], 1),
    ],
)
def test_exit_code(verdicts: list[Any], code: int) -> None:
    rows = tuple(GateRow("ja-small", "match.exact", verdict) for verdict in verdicts)
    report = GateReport("a", "b", 0.02, 0.95, 2000, 0, rows, ())
    assert report.exit_code == code
    assert json.loads(json.dumps(report.as_json()))["exit_code"] == code


def test_corpus_metric_is_compared_on_its_own_combination(tmp_path: Path) -> None:
    metrics = [{"use": "overlap.chrf", "headline": True}, {"use": "match.exact"}]
    rows = [question(number, answer=f"赤い花が{number}本咲いている") for number in range(20)]
    task = make_task(tmp_path / "tasks", rows, metrics=metrics)
    record = make_run(task, tmp_path / "old", "baseline:oracle")
    save_baseline([tmp_path / "old"], tmp_path / "b.json")
    worse = {row["id"]: row["references"][0][:-4] for row in rows}
    (row,) = check([answered_run(task, tmp_path / "new", "new", worse)], tmp_path / "b.json").rows
    assert row.metric == "overlap.chrf"
    assert row.baseline == record.estimates[0].value == 1.0
    assert row.verdict == "regressed"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"prompt": "色は？ {{ row.question }}"}, "'prompt'"),
        ({"metrics": [{**EXACT[0]}, {"use": "overlap.chrf"}]}, "'task'"),
        ({"rows": [question(number, text="色は？") for number in range(5)]}, "'data'"),
    ],
)
def test_runs_of_another_task_are_refused(
    tmp_path: Path, change: dict[str, Any], field: str
) -> None:
    rows = [question(number) for number in range(5)]
    make_run(make_task(tmp_path / "a", rows), tmp_path / "old", "baseline:oracle")
    save_baseline([tmp_path / "old"], tmp_path / "b.json")
    changed = make_task(tmp_path / "b", change.pop("rows", rows), **change)
    make_run(changed, tmp_path / "new", "baseline:oracle")
    with pytest.raises(ConfigError, match=f"{field}.*ja-small"):
        check([tmp_path / "new"], tmp_path / "b.json")


def edit(file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    data = json.loads(file.read_text())
    change(data)
    file.write_text(json.dumps(data))


def other_signature(data: dict[str, Any]) -> None:
    data["tasks"]["ja-small"]["metrics"][0]["signature"] = "match.exact|v:0"


def other_prompt(data: dict[str, Any]) -> None:
    data["tasks"]["ja-small"]["samples"][3][1] = "0" * 16


def other_version(data: dict[str, Any]) -> None:
    data["schema_version"] = 99


def no_samples(data: dict[str, Any]) -> None:
    del data["tasks"]["ja-small"]["samples"]


def longer_vector(data: dict[str, Any]) -> None:
    data["tasks"]["ja-small"]["samples"][0][2] = [[1, 2]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (other_signature, "'metric signature of match.exact'"),
        (other_prompt, "'prompt'.*sample 'q11'"),
        (other_version, "schema version 99"),
        (no_samples, "'tasks.ja-small.samples'"),
        (longer_vector, "match.exact"),
    ],
)
def test_baseline_that_does_not_fit_is_refused(
    tmp_path: Path, task: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    gated(tmp_path, task, set(), set())
    edit(tmp_path / "b.json", change)
    with pytest.raises(ConfigError, match=message):
        check([tmp_path / "new"], tmp_path / "b.json")


@pytest.mark.parametrize("content", ["", "[]", "{", '{"schema_version": 1}', "\xff"])
def test_file_that_is_no_baseline_is_refused(tmp_path: Path, task: Path, content: str) -> None:
    make_run(task, tmp_path / "new", "baseline:oracle", limit=2)
    (tmp_path / "b.json").write_text(content, encoding="latin-1")
    with pytest.raises(ConfigError, match=r"b\.json"):
        check([tmp_path / "new"], tmp_path / "b.json")


def test_missing_samples_errors_and_tasks_are_incomplete(tmp_path: Path, task: Path) -> None:
    other = make_task(tmp_path / "tasks", [question(1)], name="ja-other")
    out = tmp_path / "old"
    make_run(task, out, "baseline:oracle")
    make_run(other, out, "baseline:oracle")
    save_baseline([out], tmp_path / "b.json")

    limited = answered_run(task, tmp_path / "1", "new", answers(set()), limit=60)
    broken = answered_run(task, tmp_path / "2", "new", answers(set(), n=98))
    for run, reason in ((limited, "40 samples.*--limit 60"), (broken, "2 of 100 samples")):
        report = check([run], tmp_path / "b.json")
        rows = {row.task: row for row in report.rows}
        assert {row.verdict for row in report.rows} == {"incomplete"}
        assert rows["ja-other"].reason == "the task was not run"
        assert re.search(reason, rows["ja-small"].reason or "")
        assert report.exit_code == 3
    with pytest.raises(IncompleteError, match="98 of 100"):
        save_baseline([broken], tmp_path / "c.json")


def test_lost_scores_decide_whether_a_verdict_stands(tmp_path: Path, task: Path) -> None:
    everything = set(range(N))
    gated(tmp_path, task, everything, everything)
    run = RunDir(next((tmp_path / "new").glob("*/ja-small")))

    def verdict(lost: int, margin: float) -> str:
        rows = [
            dataclasses.replace(row, scores={"match.exact": MetricScore(unscored="unreadable")})
            if number < lost
            else row
            for number, row in enumerate(run.read_scores())
        ]
        run.write_scores(rows)
        (row,) = check([run.path], tmp_path / "b.json", margin=margin).rows
        assert (row.n, row.lost) == (N - lost, lost)
        assert (row.difference, row.low, row.high) == (0, 0, 0)
        return row.verdict

    # Two lost of a hundred are a drop of 0.02 at worst.
    assert verdict(2, 0.02) == "within margin"
    assert verdict(3, 0.02) == "inconclusive"
    assert verdict(N - 1, 1.0) == "within margin"


def test_baseline_file_is_exact_and_reproducible(tmp_path: Path) -> None:
    metrics = [{"use": "overlap.rouge_l", "headline": True}]
    rows = [question(number, answer="赤い花が咲いている。") for number in range(3)]
    task = make_task(tmp_path / "tasks", rows, metrics=metrics)
    texts = {"q0": "赤い花", "q1": "白い鳥が空を飛んでいる。", "q2": "赤い花が咲いている。"}
    model = answered_run(task, tmp_path / "runs", "m", texts)
    save_baseline([model], tmp_path / "a.json")
    save_baseline([model / "ja-small"], tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()

    saved = read_baseline(tmp_path / "a.json").tasks["ja-small"]
    scores = {row.id: row for row in RunDir(model / "ja-small").read_scores()}
    assert {s[0]: s[2][0] for s in saved.samples} == {
        name: row.scores["overlap.rouge_l"].vector for name, row in scores.items()
    }
    assert len((tmp_path / "a.json").read_text().splitlines()) == 2 + len(rows)


def test_one_model_at_a_time(tmp_path: Path, task: Path) -> None:
    for model in ("baseline:oracle", "baseline:random"):
        make_run(task, tmp_path / "runs", model, limit=2)
    with pytest.raises(UsageError, match="baseline-oracle, baseline-random"):
        save_baseline([tmp_path / "runs"], tmp_path / "b.json")
    with pytest.raises(UsageError, match="margin"):
        check([tmp_path / "runs"], tmp_path / "b.json", margin=-0.1)
    assert 0 < DEFAULT_MARGIN < 0.1
