"""The whole check: missing and lost samples, slices, shares, margins and the pooled verdict."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
from made_gate import color_answers, color_task, gate, rules, save, task_row
from made_runs import answered_run, make_run, make_task, question

from vlmbench.compare.gate.check import check
from vlmbench.compare.gate.report import GateReport, GateRow
from vlmbench.compare.gate.rules import Rules, read_rules
from vlmbench.errors import ConfigError
from vlmbench.metrics.base import load_metric
from vlmbench.records import MetricScore
from vlmbench.runs.directory import RunDir


def only(report: GateReport, kind: str, metric: str = "", part: str = "") -> GateRow:
    """The one row of this kind, metric and slice."""
    (row,) = (
        one
        for one in report.rows
        if one.kind == kind and metric in one.metric and (not part or one.slice == part)
    )
    return row


def test_a_corpus_metric_is_compared_on_its_own_combination(tmp_path: Path) -> None:
    metrics: list[dict[str, Any]] = [{"use": "overlap.chrf", "headline": True}]
    metrics.append({"use": "match.exact"})
    rows = [question(number, answer=f"赤い花が{number}本咲いている") for number in range(20)]
    task = make_task(tmp_path / "tasks", rows, metrics=metrics)
    record = make_run(task, tmp_path / "old", "baseline:oracle")
    file = save([tmp_path / "old"], tmp_path / "b.json")
    worse = {row["id"]: row["references"][0][:-4] for row in rows}
    row = task_row(check([answered_run(task, tmp_path / "new", "new", worse)], file))
    assert row.metric == "overlap.chrf"
    assert row.baseline == record.estimates[0].value == 1.0
    assert row.verdict == "regressed"


def test_missing_samples_errors_and_tasks_are_incomplete(tmp_path: Path) -> None:
    task, other = (color_task(tmp_path / "tasks", n, name=f"ja-{n}") for n in (100, 1))
    out = tmp_path / "old"
    for one in (task, other):
        make_run(one, out, "baseline:oracle")
    file = save([out], tmp_path / "b.json")
    limited = answered_run(task, tmp_path / "1", "new", color_answers(100), limit=60)
    broken = answered_run(task, tmp_path / "2", "new", color_answers(98))
    for run, reason in ((limited, "40 samples.*--limit 60"), (broken, "2 of 100 samples")):
        report = check([run], file)
        rows = {row.task: row for row in report.rows if row.kind in ("task", "pooled")}
        assert {row.verdict for row in rows.values()} == {"incomplete"}
        assert rows["ja-1"].reason == "the task was not run"
        assert re.search(reason, rows["ja-100"].text)
        assert (report.verdict, report.exit_code) == ("incomplete", 3)


# 200 questions, all right before. Six of them without an answer are at worst six losses: with no
# other change the difference is -0.03 at worst, and Tango's interval of 6 losses in 200 goes from
# -0.0639 to -0.0106 (the restricted likelihood maximized numerically with scipy, apart from here).
@pytest.mark.parametrize(
    ("tolerated", "margin", "verdict"),
    [
        (0.0, 0.2, "incomplete"),
        (0.029, 0.2, "incomplete"),
        (0.03, 0.2, "no worse"),
        (0.03, 0.065, "no worse"),
        (0.03, 0.062, "undecided"),
    ],
)
def test_missing_answers_count_as_the_worst(
    tmp_path: Path, tolerated: float, margin: float, verdict: str
) -> None:
    task = color_task(tmp_path / "tasks", 200)
    report = gate(
        tmp_path, task, color_answers(200), color_answers(194), max_missing=tolerated, margin=margin
    )
    row = task_row(report)
    assert row.verdict == verdict
    if verdict != "incomplete":
        assert (row.n, row.missing, row.difference) == (194, 6, 0)


def test_missing_answers_alone_are_no_regression(tmp_path: Path) -> None:
    task = color_task(tmp_path / "tasks", 200)
    report = gate(
        tmp_path,
        task,
        color_answers(200),
        color_answers(150),
        max_missing=0.5,
        shares={"errors": None},
    )
    assert task_row(report).verdict == "undecided"
    assert (
        only(
            gate(tmp_path, task, color_answers(200), color_answers(150), max_missing=0.5),
            "share",
            "errors",
        ).verdict
        == "regressed"
    )


def test_a_corpus_metric_without_a_worst_score_tolerates_nothing(tmp_path: Path) -> None:
    metrics = [{"use": "overlap.chrf", "headline": True}]
    rows = [question(number, answer=f"赤い花が{number}本") for number in range(20)]
    task = make_task(tmp_path / "tasks", rows, metrics=metrics)
    old = {row["id"]: row["references"][0] for row in rows}
    new = {name: text for name, text in old.items() if name != "q3"}
    row = task_row(gate(tmp_path, task, old, new, max_missing=0.5))
    assert row.verdict == "incomplete" and "no worst score" in row.text


def test_lost_scores_decide_whether_a_verdict_stands(tmp_path: Path) -> None:
    task = color_task(tmp_path / "tasks", 300)
    gate(tmp_path, task, color_answers(300), color_answers(299, 1))
    run = RunDir(next(tmp_path.glob("gate-0/new/*/ja-small")))
    scores = run.read_scores()

    def row(lost: int) -> GateRow:
        unscored = MetricScore(unscored="unreadable")
        run.write_scores(
            [
                dataclasses.replace(one, scores={"match.exact": unscored}) if place < lost else one
                for place, one in enumerate(scores)
            ]
        )
        return task_row(check([run.path], tmp_path / "gate-0" / "b.json", rules=rules(margin=0.03)))

    assert (row(0).verdict, row(0).lost) == ("no worse", 0)
    found = row(5)  # -0.019 at the interval's end without them; five of 300 are 0.017
    assert (found.verdict, found.lost, found.n) == ("undecided", 5, 295)
    assert "5 samples could be scored on one side only" in found.text


def test_slices_are_reported_and_gated_where_asked(tmp_path: Path) -> None:
    rows = [question(n, kind="rare" if n < 40 else "usual") for n in range(400)]
    task = make_task(tmp_path / "tasks", rows)
    old = color_answers(400)
    new = {name: "青" if int(name[1:]) < 20 else "赤" for name in old}
    report = gate(tmp_path, task, old, new, margin=0.1)
    assert task_row(report).verdict == "no worse"
    rare = only(report, "slice", part="kind=rare")
    assert (rare.verdict, rare.gated, report.exit_code) == ("regressed", False, 0)
    gated = gate(tmp_path, task, old, new, margin=0.1, slices={"ja-small": ["kind"]})
    assert only(gated, "slice", part="kind=rare").gated and gated.exit_code == 1


# A share of 20 in 400 was 0 before: se = sqrt(0.05 * 0.95 / 400) = 0.011, surely above 0.02 and
# surely above nothing; 2 in 400 are not.
@pytest.mark.parametrize(
    ("answer", "share"),
    [
        ("", "empty"),
        ("申し訳ありませんが、お答えできません。", "refusal"),
        ("这是红色的吗？没错", "Japanese"),
    ],
)
def test_what_answers_are_like_is_gated(tmp_path: Path, answer: str, share: str) -> None:
    task = color_task(tmp_path / "tasks", 400)
    old = color_answers(0, 400)

    def every(step: int) -> dict[str, str]:
        return {name: answer if int(name[1:]) % step == 0 else "緑" for name in old}

    report = gate(tmp_path, task, old, every(20))
    assert task_row(report).verdict == "no worse"  # every answer is wrong, before and after
    row = only(report, "share", share)
    assert (row.verdict, report.exit_code) == ("regressed", 1)
    assert row.value == pytest.approx(0.95 if share == "Japanese" else 0.05)
    assert gate(tmp_path, task, old, every(200)).exit_code == 0
    name = share.lower()
    assert gate(tmp_path, task, old, every(20), shares={name: 0.2}).exit_code == 0
    assert gate(tmp_path, task, old, every(20), shares={name: None}).exit_code == 0


def test_several_tasks_have_one_verdict_that_decides_sooner(tmp_path: Path) -> None:
    """Four tasks of 150 are undecided at a margin of 0.02 each, 600 together are not."""
    out = {side: tmp_path / side for side in ("old", "new")}
    for number in range(4):
        task = color_task(tmp_path / "tasks", 150, name=f"ja-{number}")
        answered_run(task, out["old"], "m", color_answers(100, 50))
        answered_run(task, out["new"], "m", color_answers(100, 50, other="緑"))
    report = check([out["new"]], save([out["old"]], tmp_path / "b.json"))
    assert [row.verdict for row in report.rows if row.kind == "task"] == ["undecided"] * 4
    pooled = only(report, "pooled")
    assert (pooled.verdict, pooled.n, pooled.difference) == ("no worse", 600, 0)
    assert (report.verdict, report.exit_code) == ("no worse", 0)


def test_many_tasks_raise_no_false_alarm(tmp_path: Path) -> None:
    """One task of twenty that fell to p = 0.01 is no regression, as one task it is."""

    def run(count: int) -> GateReport:
        folder = tmp_path / str(count)
        for number in range(count):
            task = color_task(folder / "tasks", 60, name=f"ja-{number}")
            losses = 0 if number else 7
            answered_run(task, folder / "old", "m", color_answers(40, 20))
            new = color_answers(40 - losses, 20 + losses, other="緑")
            answered_run(task, folder / "new", "m", new)
        return check([folder / "new"], save([folder / "old"], folder / "b.json"))

    alone, many = run(1), run(20)
    assert task_row(alone).verdict == "regressed"
    rows = [row for row in many.rows if row.kind == "task"]
    assert rows[0].verdict == "undecided" and rows[0].worse
    # Holm's first step: times the number of hypotheses, twenty tasks and all together.
    assert rows[0].p_regressed == pytest.approx(21 * (task_row(alone).p_regressed or 0))


@pytest.mark.parametrize(
    ("values", "share"),
    [
        ({}, 0.02),
        ({"margin": 0.03}, 0.03),
        ({"margins": {"metrics": {"match.exact": 0.04}}}, 0.04),
        ({"margins": {"metrics": {"match.exact": 0.04}, "groups": {"ja-all": 0.05}}}, 0.05),
        ({"margins": {"groups": {"ja-all": 0.05}, "tasks": {"ja-vqa": 0.06}}}, 0.06),
        ({"margins": {"tasks": {"ja-vqa": {"match.exact": 0.07}, "ja-chart": 0.5}}}, 0.07),
        ({"margins": {"tasks": {"ja-chart": 0.5}}}, 0.02),
    ],
)
def test_the_most_particular_margin_counts(values: dict[str, Any], share: float) -> None:
    metric = load_metric("match.exact")
    assert rules(**values).margin_share("ja-vqa", "match.exact", metric) == share


def test_margins_are_shares_of_the_range_or_of_the_value(tmp_path: Path) -> None:
    rows = [question(n, answer=f"赤い花が{n}本咲いている") for n in range(30)]
    for use, value, margin in (
        ("compat_sacrebleu.chrf", 100, 2.0),  # a share of 0.02 of 100
        ("overlap.chrf", 1, 0.02),
        ("caption.cider_d", 10, 0.5),  # 0.05 of the value, which nobody else reaches
        ("ocr.cer", 0, 0.0),
    ):
        folder = tmp_path / use
        task = make_task(folder / "tasks", rows, metrics=[{"use": use, "headline": True}])
        answers = {row["id"]: row["references"][0] for row in rows}
        row = task_row(gate(folder, task, answers, answers))
        assert row.baseline == pytest.approx(value, rel=1e-6), use
        assert row.margin == pytest.approx(margin, rel=1e-6), use


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("margn: 0.1", "Unknown key 'margn'.*did you mean 'margin'"),
        ("margin: 2", "'margin'.*less than or equal to 1"),
        ("margin: -0.1", "'margin'.*greater than or equal to 0"),
        ("margin: .nan", "'margin'"),
        ("margins: {groups: {ja-cor: 0.1}}", "Unknown group 'ja-cor'.*'ja-core'"),
        ("margins: {tasks: {ja-smal: 0.1}}", "Unknown task 'ja-smal'.*'ja-small'"),
        ("margins: {tasks: {ja-small: {match.exac: 0.1}}}", "Unknown metric 'match.exac'"),
        ("margins: {metrics: {match.exac: 0.1}}", "Unknown metric 'match.exac'"),
        ("slices: {ja-small: [kin]}", "Unknown slice 'kin'.*'kind'"),
        ("shares: {emtpy: 0.1}", "'empty'"),
        ("undecided: 5", "'undecided'"),
        ("[1]", "gate.yaml"),
        ("a: [", "not valid YAML"),
    ],
)
def test_rules_that_say_nothing_are_refused(tmp_path: Path, text: str, message: str) -> None:
    task = color_task(tmp_path / "tasks", 20)
    run = answered_run(task, tmp_path / "old", "m", color_answers(20))
    file = save([run], tmp_path / "b.json")
    (tmp_path / "gate.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        found = read_rules(tmp_path / "gate.yaml")
        check([run], file, rules=found, source="gate.yaml")


def test_an_empty_rules_file_has_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "gate.yaml").write_text("# nothing yet\n")
    assert read_rules(tmp_path / "gate.yaml") == Rules()


def test_the_samples_that_lost_most_come_first(tmp_path: Path) -> None:
    rows = [question(n, answer="赤い花が咲いている") for n in range(30)]
    metrics = [{"use": "overlap.rouge_l", "headline": True}]
    task = make_task(tmp_path / "tasks", rows, metrics=metrics)
    old = {row["id"]: "赤い花が咲いている" for row in rows}
    new = {**old, "q4": "青", "q7": "赤い花", **{f"q{n}": "赤い花が咲いた" for n in range(10, 25)}}
    report = gate(tmp_path, task, old, new)
    assert len(report.changes) == 10
    first, second = report.changes[:2]
    assert (first.id, first.before, first.after) == ("q4", "赤い花が咲いている", "青")
    assert (first.references, first.scores[1]) == (("赤い花が咲いている",), 0)
    assert second.id == "q7" and "何色ですか" in second.prompt
    losses = [one.loss for one in report.changes]
    assert losses == sorted(losses, reverse=True)
