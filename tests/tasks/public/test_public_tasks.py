"""Each public benchmark on rows with its exact columns: checked, answered rightly and wrongly."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from made_public import PUBLIC, SCHEMAS, write_public

from vlmbench.check import check_task
from vlmbench.evaluate import run
from vlmbench.executors.local import LocalExecutor
from vlmbench.models.resolve import resolve_model
from vlmbench.records import Estimate, RunRecord
from vlmbench.runs.directory import RunDir
from vlmbench.tasks.registry import load_task
from vlmbench.tasks.samples import read_samples, sample_count
from vlmbench.tasks.sources import data_state
from vlmbench.tasks.spec import TaskSpec


def headlines(record: RunRecord) -> list[Estimate]:
    return [one for one in record.estimates if one.headline and one.slice is None]


def answered(model: str, task: TaskSpec, out: Path) -> RunRecord:
    executor = LocalExecutor(batch_size=4)
    try:
        return run(resolve_model(model), task, executor=executor, out=out)
    finally:
        executor.close()


def wrong_answers(task: TaskSpec, file: Path) -> None:
    """A script that gives every sample an answer that its example scores with 0."""
    lines = []
    for sample in read_samples(task, images=False):
        found = next(e for e in task.examples if _same_question(e.row, dict(sample.row)))
        text = next((t for t, score in found.scores.items() if score == 0 and t), "？")
        lines.append(json.dumps({"id": sample.id, "text": text}))
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _same_question(example: dict[str, object], row: dict[str, object]) -> bool:
    return all(example.get(k) == row.get(k) for k in ("question_type", "answer_type"))


def test_the_schemas_are_those_of_the_public_tasks() -> None:
    assert sorted(SCHEMAS) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_task(name: str, tmp_path: Path) -> None:
    if name == "jdocqa":
        pytest.importorskip("ipadic", reason="compat_evalmm_text.jdocqa needs vlmbench-ja[compat]")
    total = write_public(load_task(name), tmp_path)
    task = load_task(name, data_dir=tmp_path)
    assert data_state(task) == "local"
    found = check_task(task)
    assert (found.problems, found.samples) == ((), total)
    assert sample_count(task) in (None, total)

    right = answered("baseline:oracle", task, tmp_path / "out")
    assert right.coverage.complete
    for estimate in headlines(right):
        if not estimate.metric.startswith("caption."):  # one text's CIDEr depends on the others
            assert (estimate.value, estimate.unscored) == (1.0, 0), estimate.metric

    script = tmp_path / "wrong.jsonl"
    wrong_answers(task, script)
    wrong = answered(f"baseline:scripted:{script}", task, tmp_path / "out")
    assert wrong.coverage.complete
    assert [(one.metric, one.value) for one in headlines(wrong)] == [
        (one.metric, 0.0) for one in headlines(right)
    ]


@pytest.mark.parametrize("name", PUBLIC)
def test_examples_freeze_prompt_and_scores(name: str) -> None:
    """`tasks check` replays them; here it is asked that there is enough to replay."""
    task = load_task(name)
    assert task.examples
    if task.metrics[0].use.startswith("caption."):
        return
    for example in task.examples:
        assert example.scores[""] == 0.0
        assert 1.0 in example.scores.values()
        assert any(text and score == 0.0 for text, score in example.scores.items())


def test_a_missing_package_is_named_and_costs_its_metric_only(tmp_path: Path) -> None:
    """Its own process, since the package is looked up once."""
    write_public(load_task("jdocqa"), tmp_path)
    run = ["run", "--model", "baseline:oracle", "--tasks", "jdocqa", "--quiet"]
    arguments = [*run, "--data-dir", str(tmp_path), "--out", str(tmp_path / "out")]
    code = (
        "import sys; sys.modules['ipadic'] = None; from vlmbench.cli.main import main; "
        f"sys.exit(main({arguments!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "ipadic is not installed" in done.stderr and done.stderr.count("\n") == 1
    record = RunDir.of(tmp_path / "out", "baseline-oracle", "jdocqa").read_record()
    found = {one.metric for one in record.estimates}
    assert "match.jdocqa" in found and not [name for name in found if name.startswith("compat_")]
