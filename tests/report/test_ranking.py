"""Who stands where: ranks with ties, the overall score, and what never decides them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_runs import answered_run, make_run, make_task, question

from vlmbench.report.axes import axis_of
from vlmbench.report.columns import task_columns
from vlmbench.report.facts import RunFacts, TaskMetrics, run_facts
from vlmbench.report.field import FEWEST_CLUSTERS, task_field
from vlmbench.report.found import read_runs, read_scores
from vlmbench.report.html import build_site
from vlmbench.report.model_page import interval_of, pair_place
from vlmbench.report.ranking import pairs
from vlmbench.report.tables import Leaderboard, build_leaderboard

ROWS = [question(n) for n in range(40)]


def right(count: int, rows: list[dict[str, Any]] = ROWS) -> dict[str, str]:
    """Right answers to the first `count` questions, wrong ones to the others."""
    return {row["id"]: "赤" if n < count else "青" for n, row in enumerate(rows)}


def board(runs: Path) -> Leaderboard:
    return build_leaderboard(read_runs([runs]).plain)


def names(found: Leaderboard) -> list[str]:
    return [one.name.removeprefix("scripted-") for one in found.models]


def test_an_extra_task_lifts_nobody(tmp_path: Path) -> None:
    """A model that gets nothing right stood first because it had run one small task more."""
    task = make_task(tmp_path / "tasks", ROWS)
    extra = make_task(tmp_path / "tasks", ROWS[:5], name="extra")
    for name, count in (("good", 30), ("fair", 20), ("none", 0)):
        answered_run(task, tmp_path / "runs", name, right(count))
    answered_run(extra, tmp_path / "runs", "none", right(0))
    found = board(tmp_path / "runs")
    assert names(found) == ["good", "fair", "none"]
    assert found.overall.tasks == ("ja-small",)
    assert found.overall.scores["scripted-good"] == pytest.approx(30 / 40)


def test_who_lacks_a_task_of_most_has_no_overall_score(tmp_path: Path) -> None:
    for number, name in enumerate(("first", "second")):
        task = make_task(tmp_path / "tasks", ROWS, name=name)
        for model, count in (("a", 10), ("b", 20), ("c", 30)):
            if (number, model) != (1, "c"):
                answered_run(task, tmp_path / "runs", model, right(count))
    found = board(tmp_path / "runs")
    assert found.overall.tasks == ("first", "second")
    assert found.overall.scores == {"scripted-a": 0.25, "scripted-b": 0.5}
    assert names(found) == ["b", "a", "c"]  # the best of all on the one task stands apart


def test_a_task_that_most_lack_is_not_shared(tmp_path: Path) -> None:
    """Each of four models lacks another one of four tasks; two are left out until half have all."""
    tasks = [make_task(tmp_path / "tasks", ROWS, name=f"t{n}") for n in range(4)]
    for model in range(4):
        for number, task in enumerate(tasks):
            if number != model:
                answered_run(task, tmp_path / "runs", f"m{model}", right(10 * model))
    found = board(tmp_path / "runs")
    # By hand: three models have each task; without t0 and t1 there are m0 and m1.
    assert found.overall.tasks == ("t2", "t3")
    assert set(found.overall.scores) == {"scripted-m0", "scripted-m1"}


def test_lower_is_better_is_first(tmp_path: Path) -> None:
    metrics = [{"use": "ocr.cer", "headline": True}]
    task = make_task(tmp_path / "tasks", ROWS, metrics=metrics)
    for model, count in (("bad", 10), ("good", 36), ("middle", 20)):
        answered_run(task, tmp_path / "runs", model, right(count))
    site = build_site([tmp_path / "runs"], tmp_path / "site").index
    assert names(board(tmp_path / "runs")) == ["good", "middle", "bad"]
    page = site.read_text()
    assert page.index("models/scripted-good") < page.index("models/scripted-middle")
    assert 'data-t="lower_is_better"' in page
    head = json.loads(
        (site.parent / "samples/ja-small/scripted-good.head.js").read_text().split(",", 1)[1][:-3]
    )
    assert head["outcomes"][0] != "p"  # a perfect answer is not partly right


def facts_of(runs: Path) -> tuple[Leaderboard, Mapping[str, RunFacts], TaskMetrics]:
    found = board(runs)
    (task,) = found.tasks
    metrics = TaskMetrics(task.reference.record, task.metrics)
    facts = {
        one.name: run_facts(read_scores(one.runs[task.name]), metrics, task.headlines)
        for one in found.models
    }
    return found, facts, metrics


def test_models_that_cannot_be_told_apart_share_a_rank(tmp_path: Path) -> None:
    task = make_task(tmp_path / "tasks", ROWS)
    near = {**right(30), "q0": "青", "q35": "赤"}
    for name, said in (("a", right(30)), ("b", near), ("c", right(10))):
        answered_run(task, tmp_path / "runs", name, said)
    found, facts, metrics = facts_of(tmp_path / "runs")
    columns = [one for one in task_columns(found.tasks[0]) if one.headline]
    field = task_field(columns, facts, metrics)
    (whole,) = field.whole
    assert whole.values == (0.75, 0.75, 0.25) and whole.clusters == 40
    # By hand: 20 of 40 are won and none lost, so the differences have the variance 1/2 - 1/4, and
    # their mean the normal interval 0.5 ± 1.96 * sqrt(0.25 / 40).
    low, high = interval_of(whole, 0, 2)
    assert low is not None and low == pytest.approx(0.345, abs=0.03)
    assert high is not None and high == pytest.approx(0.655, abs=0.03)
    assert interval_of(whole, 2, 0) == (-high, -low)
    low, high = interval_of(whole, 0, 1)
    assert low is not None and high is not None and low < 0 < high
    # By hand: 0.75 + 0.75 - 0.25 and so on have binomial standard errors of about 0.07.
    assert field.deviations == pytest.approx([np.sqrt(0.75 * 0.25 / 40)] * 3, rel=0.15)
    page = build_site([tmp_path / "runs"], tmp_path / "site").index.read_text()
    ranks = [part.split("<")[0] for part in page.split('<td class="rank">')[2:]]
    assert ranks[:3] == ["1", "1", "3"]


def test_samples_of_one_image_are_drawn_together(tmp_path: Path) -> None:
    """Ten images with four questions each, all answered alike: ten observations, not forty."""
    rows = [question(n, images=[f"{n // 4}.png"]) for n in range(40)]
    task = make_task(tmp_path / "tasks", rows)
    answered_run(task, tmp_path / "runs", "a", right(20, rows))
    answered_run(task, tmp_path / "runs", "b", right(0, rows))
    found, facts, metrics = facts_of(tmp_path / "runs")
    columns = [one for one in task_columns(found.tasks[0]) if one.headline]
    (whole,) = task_field(columns, facts, metrics).whole
    assert whole.clusters == 10
    low, high = interval_of(whole, 0, 1)
    # The standard error of half of ten is 0.16, Student's t and a prior widen it; of half of forty
    # it would be 0.08.
    assert low is not None and high is not None and 0.15 < (high - low) / 3.92 < 0.25


def test_few_samples_tell_nobody_apart(tmp_path: Path) -> None:
    rows = ROWS[: FEWEST_CLUSTERS - 1]
    task = make_task(tmp_path / "tasks", rows)
    answered_run(task, tmp_path / "runs", "a", right(9, rows))
    answered_run(task, tmp_path / "runs", "b", right(0, rows))
    found, facts, metrics = facts_of(tmp_path / "runs")
    columns = [one for one in task_columns(found.tasks[0]) if one.headline]
    (whole,) = task_field(columns, facts, metrics).whole
    assert interval_of(whole, 0, 1) == (None, None)
    index = build_site([tmp_path / "runs"], tmp_path / "site").index
    ranks = [part.split("<")[0] for part in index.read_text().split('<td class="rank">')[2:]]
    assert ranks[:2] == ["1", "1"]


def test_the_overall_interval_of_answers_that_are_all_right(tmp_path: Path) -> None:
    """Drawing them anew gives nothing else; Wilson's interval of 40 of 40 begins at 0.912."""
    task = make_task(tmp_path / "tasks", ROWS)
    answered_run(task, tmp_path / "runs", "a", right(40))
    index = build_site([tmp_path / "runs"], tmp_path / "site").index
    shown = index.read_text().split('<td class="overall"')[1]
    # Half its width, 0.044, on either side, and nothing above what is perfect.
    assert '<span class="interval">0.956–1.000</span>' in shown.partition("</td>")[0]


def test_an_incomplete_run_is_in_no_field_and_last_in_order(tmp_path: Path) -> None:
    task = make_task(tmp_path / "tasks", ROWS)
    answered_run(task, tmp_path / "runs", "part", dict([*right(40).items()][:30]))
    answered_run(task, tmp_path / "runs", "low", right(2))
    make_run(task, tmp_path / "runs", "baseline:oracle")
    found = board(tmp_path / "runs")
    assert names(found) == ["low", "part"]
    assert "scripted-part" not in found.overall.scores
    page = build_site([tmp_path / "runs"], tmp_path / "site").index.read_text()
    apart = page[page.index('id="apart"') : page.index('id="baselines"')]
    assert "scripted-part" in apart and "Incomplete" in apart
    assert 'data-sort="1"' not in apart  # sorting never lifts it


@pytest.mark.parametrize("count", [2, 3, 7])
def test_pairs_have_places(count: int) -> None:
    listed = [*pairs(tuple(map(str, range(count))))]
    for place, (first, second) in enumerate(listed):
        assert pair_place(int(first), int(second), count) == place


class Ends:
    def __init__(self, value: float, low: float | None, high: float | None) -> None:
        self.value: float | None = value
        self.low, self.high = low, high


@pytest.mark.parametrize(
    ("estimates", "expected"),
    [
        ([], (0.0, 1.0)),
        # 0.10 wide, and 4 % of it free at either end.
        ([Ends(0.75, 0.70, 0.80)], (0.696, 0.804)),
        ([Ends(0.75, 0.72, 0.77), Ends(0.8, 0.78, 0.82)], (0.716, 0.824)),
        # Nothing differs: 2 % of the value on both sides together, and the free ends.
        ([Ends(0.5, None, None)], (0.4946, 0.5054)),
        ([Ends(80.0, 78.0, 82.0)], (77.84, 82.16)),
    ],
)
def test_an_axis_shows_the_differences(
    estimates: list[Ends], expected: tuple[float, float]
) -> None:
    assert axis_of(estimates) == pytest.approx(expected)
