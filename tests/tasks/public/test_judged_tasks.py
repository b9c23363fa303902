"""Each public benchmark that a judge grades, on rows with its exact columns."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_judge import ask, judge_server, verdict
from made_public import write_public

from vlmbench.evaluate import run
from vlmbench.executors.local import LocalExecutor
from vlmbench.judges.judging import judge_metrics
from vlmbench.models.resolve import resolve_model
from vlmbench.runs.directory import RunDir
from vlmbench.tasks.registry import load_task, task_names

JUDGED = [name for name in task_names() if judge_metrics(load_task(name))]


def best(prompt: str, earlier: int) -> str:
    """The best grade in whichever form is asked for."""
    if '"score_gpt"' in prompt:
        return verdict(score=8, score_gpt=8)
    if '"verdict"' in prompt:
        return verdict(reason="同じ", verdict="correct")
    return verdict(reason="同じ", score=5)


BEST = {"judge.heron": 100.0, "judge.correct": 1.0, "judge.rubric": 5.0}


@pytest.mark.parametrize("name", JUDGED)
def test_a_judged_task(name: str, tmp_path: Path) -> None:
    if name == "jdocqa":
        pytest.importorskip("ipadic", reason="compat_evalmm_text.jdocqa needs vlmbench-ja[compat]")
    total = write_public(load_task(name), tmp_path)
    task = load_task(name, data_dir=tmp_path)
    executor = LocalExecutor(batch_size=4)
    record = run(resolve_model("baseline:oracle"), task, executor=executor, out=tmp_path / "out")
    executor.close()
    assert record.coverage.complete
    assert not any(one.metric.startswith("judge.") for one in record.estimates)
    with judge_server(best) as server:
        judging = ask(server, RunDir.of(tmp_path / "out", record.model, name))
    (metric,) = (one for one in judge_metrics(task) if one.startswith("judge."))
    (estimate,) = (
        one
        for one in judging.record.estimates
        if one.metric == f"{metric}@made-judge" and one.slice is None
    )
    assert (estimate.value, estimate.n, estimate.unscored) == (BEST[metric], total, 0)
    assert not estimate.headline


def test_what_others_publish_from_judges_is_judged() -> None:
    assert len(JUDGED) == 19
