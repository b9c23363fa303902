"""Scores on the samples that a model was not trained on, from its checkpoint to the pages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_runs import answered_run, make_task, question

import vlmbench
from vlmbench.cli.main import main
from vlmbench.derive import score
from vlmbench.models.spec import ModelSpec
from vlmbench.models.training_data import guard_results, training_overlap
from vlmbench.report.html import build_report
from vlmbench.runs.directory import RunDir

RIGHT = {f"q{n}": "赤" if n < 4 else "青" for n in range(6)}
"""Four of six answers are right, q0 to q3."""


def guard(seen: list[str], *, task: str = "ja-small", **counts: int) -> dict[str, Any]:
    """What a guard found."""
    return {
        "samples": {task: 6},
        "counts": {kind: {task: count} for kind, count in counts.items()},
        "dropped": 7,
        "seen": {task: seen} if seen else {},
    }


@pytest.fixture
def task(tmp_path: Path) -> Path:
    return make_task(tmp_path / "task", [question(n) for n in range(6)])


def run_of(task: Path, name: str, guards: list[dict[str, Any]] | None) -> RunDir:
    folder = answered_run(task, task.parent.parent / "runs", name, RIGHT, guards=guards)
    return RunDir(folder / "ja-small")


def test_the_clean_part_leaves_out_what_training_saw(task: Path) -> None:
    directory = run_of(task, "trained", [guard(["q0", "q1"], leak=3, picture=2)])
    record = directory.read_record()
    (overall,) = [one for one in record.estimates if one.headline and one.slice is None]
    (clean,) = record.clean
    assert (overall.value, overall.n) == (4 / 6, 6)
    assert (clean.value, clean.n, clean.signature) == (2 / 4, 4, overall.signature)
    # Wilson's interval of 2 of 4 with z = 1.95996, by the formula
    assert (clean.low, clean.high) == pytest.approx((0.15004, 0.84996), abs=1e-5)
    assert record.overlap is not None
    assert record.overlap.rows == {"leak": 3, "picture": 2}
    assert (record.overlap.seen, record.overlap.dropped) == (("q0", "q1"), 7)
    assert score(directory) == record  # the journal has it


def test_nothing_seen_has_no_clean_part(task: Path) -> None:
    record = run_of(task, "trained", [guard([])]).read_record()
    assert record.overlap is not None and record.overlap.compared
    assert record.clean == ()
    assert run_of(task, "other", None).read_record().overlap is None


def test_runs_of_an_older_vlmbench_are_read(task: Path) -> None:
    directory = run_of(task, "trained", None)
    header, *rest = directory.journal.read_text().splitlines(keepends=True)
    values = json.loads(header)
    del values["overlap"]
    directory.journal.write_text("".join([json.dumps(values) + "\n", *rest]))
    record = json.loads(directory.record.read_text())
    del record["overlap"], record["clean"]
    directory.record.write_text(json.dumps(record))
    assert directory.read_record() == score(directory)
    # Run again by one that knows: what its training saw is added, no answer is asked for anew.
    run_of(task, "trained", [guard(["q5"], leak=1)])
    assert [one.n for one in directory.read_record().clean] == [5]
    assert [one.value for one in score(directory).clean] == [4 / 5]


def test_results_of_all_trainings_count(tmp_path: Path) -> None:
    first, second = guard(["q1"], leak=1), guard(["q0"], picture=2)
    overlap = training_overlap([second, first], "ja-small")
    assert overlap is not None
    assert (overlap.seen, overlap.dropped) == (("q0", "q1"), 14)
    assert overlap.rows == {"leak": 1, "picture": 2}
    partly = training_overlap([second, guard([], task="ja-other")], "ja-small")
    assert partly is not None and not partly.compared and partly.seen == ("q0",)
    (tmp_path / "checkpoint.json").write_text(
        json.dumps({"guard": {**second, "hits": []}, "earlier_guards": [first]})
    )
    model = ModelSpec("m", "hf", str(tmp_path), "0")
    assert guard_results(model) == (second, first)
    facts = {"guard": second, "earlier_guards": [first], "base": {"location": "org/base"}}
    (tmp_path / "checkpoint.json").write_text(json.dumps(facts))
    results = guard_results(model)
    assert [one.get("parent") for one in results] == ["org/base", None]
    overlap = training_overlap(results, "ja-small")
    assert overlap is not None and overlap.parent == "org/base"
    (tmp_path / "checkpoint.json").write_text(
        json.dumps({"guard": {**second, "hits": []}, "earlier_guards": [first]})
    )
    adapter = ModelSpec("m", "hf", "org/base", "0", options={"adapter": str(tmp_path)})
    assert guard_results(adapter) == (second, first)


@pytest.mark.parametrize("content", ["", "[]", '{"guard": null}', '{"guard": {"seen": 1}}', "{}"])
def test_a_file_of_another_program_says_nothing(content: str, tmp_path: Path) -> None:
    (tmp_path / "checkpoint.json").write_text(content)
    assert guard_results(ModelSpec("m", "hf", str(tmp_path), "0")) == ()
    assert guard_results(ModelSpec("m", "hf", "no/such", "0")) == ()
    assert training_overlap((), "ja-small") is None


def test_commands_show_it(task: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained = run_of(task, "trained", [guard(["q0", "q1"], leak=2)])
    parent = run_of(task, "parent", None)
    main(["score", str(trained.path)])
    shown = capsys.readouterr().out
    assert "Clean part" in shown
    row = next(line for line in shown.splitlines() if "0.500" in line)
    assert row.split()[-2:] == ["4", "2"]
    main(["compare", str(parent.path), str(trained.path)])
    shown = capsys.readouterr().out
    row = shown.partition("ja-small (clean part)")[2].split()  # in a narrow table on its next line
    assert "0.500" in row[:4] and "4" in row[:4]
    frame = vlmbench.compare(parent.path, trained.path)
    assert frame["part"].tolist() == ["all", "clean"]
    assert frame["value_b"].tolist() == [4 / 6, 2 / 4]


def test_commands_say_what_was_not_compared(task: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained = run_of(task, "trained", [guard([], task="ja-other")])
    main(["score", str(trained.path)])
    assert "was not compared with ja-small" in capsys.readouterr().out


def test_the_report_shows_a_checkpoint_beside_its_parent(task: Path, tmp_path: Path) -> None:
    """Five right of six, after four: the difference is 1/6, and 1/5 without q0."""
    parent = run_of(task, "parent", None)
    location = parent.read_record().model_spec["location"]
    better = {**RIGHT, "q4": "赤"}
    guards = [{**guard(["q0"], leak=1), "parent": location}]
    trained = answered_run(task, tmp_path / "runs", "trained", better, guards=guards)
    site = build_report([tmp_path / "runs"], tmp_path / "site").parent
    table = (site / "index.html").read_text().split('id="parents"')[1].split("</section>")[0]
    assert table.count('<th scope="row">') == 2  # the whole task, and its clean part
    assert '<span class="value">+0.167</span>' in table
    assert '<span class="value">+0.200</span>' in table
    alone = build_report([trained], tmp_path / "alone")
    assert 'id="parents"' not in alone.read_text()


def test_the_report_shows_it(task: Path, tmp_path: Path) -> None:
    run_of(task, "seen", [guard(["q0", "q1"], leak=2)])
    run_of(task, "unknown", [guard([], task="ja-other")])
    run_of(task, "parent", None)
    site = build_report([tmp_path / "runs"], tmp_path / "site").parent
    board = (site / "index.html").read_text(encoding="utf-8")
    assert board.count('2 <span data-t="seen_in_training">seen in training</span>') == 1
    assert '0.500 <span class="interval">' in board
    page = (site / "tasks" / "ja-small.html").read_text(encoding="utf-8")
    table = page.split('id="training-data"')[1].split("</section>")[0]
    assert table.count('<th scope="row">') == 2  # of the parent nothing is known
    assert table.count("not compared with this task</span>") == 1
