"""Judging through the pipeline: a real server on 127.0.0.1, real journals, no patching."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from made_gate import save
from made_judge import answers_run, ask, colors, judge_server, judged_task, overall, verdict
from made_runs import replace_in_journal
from made_server import MadeServer, Reply, completion, said

from vlmbench.compare.gate.check import check
from vlmbench.derive import score
from vlmbench.errors import ConfigError, JournalError, UsageError
from vlmbench.executors.local import LocalExecutor
from vlmbench.judges.judging import judge_run
from vlmbench.judges.requests import JudgeSettings
from vlmbench.models.resolve import resolve_model
from vlmbench.runs.directory import RunDir

ANSWERS = {"q0": "赤", "q1": "赤い色です", "q2": "青", "q3": "緑"}
ID = "judge.correct@made-judge"


def grade(prompt: str, earlier: int) -> str:
    right = "赤い色です" in prompt or "評価する回答\n赤\n" in prompt
    return verdict(reason="見た", verdict="correct" if right else "incorrect")


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    task = judged_task(tmp_path / "task", ["judge.correct"], colors())
    return answers_run(task, tmp_path / "out", "m", ANSWERS)


def test_without_a_judge_its_metrics_are_absent_and_the_run_is_complete(run: RunDir) -> None:
    record = run.read_record()
    assert record.coverage.complete
    own = {one.metric for one in record.estimates if not one.metric.startswith("language.")}
    assert own == {"match.exact"}


def test_a_run_is_judged(run: RunDir) -> None:
    with judge_server(grade) as server:
        judging = ask(server, run, price={"input": 1.0, "output": 2.0})
    assert (judging.asked, judging.errors, len(server.bodies)) == (4, 0, 4)
    estimate = overall(run, ID)
    assert (estimate.value, estimate.n, estimate.unscored, estimate.bounds) == (0.5, 4, 0, None)
    assert overall(run, "match.exact").value == 0.25
    scores = {row.id: row.scores[ID] for row in run.read_scores()}
    assert scores["q1"].vector == (1.0,) and scores["q1"].extracted == "correct"
    form = server.bodies[0]["response_format"]["json_schema"]
    assert form["strict"] and form["schema"]["required"] == ["reason", "verdict"]
    # What made_server says of 4 calls: 11 tokens read and 3 written each.
    assert judging.record.performance["judge_prompt_tokens"] == 44
    assert judging.record.performance["judge_output_tokens"] == 12
    assert judging.record.performance["judge_cost_usd"] == pytest.approx((44 + 2 * 12) / 1e6)


def test_scores_are_derived_again_without_the_judge(run: RunDir) -> None:
    with judge_server(grade) as server:
        ask(server, run)
    before = run.scores.read_bytes(), run.record.read_bytes()
    score(run)
    assert (run.scores.read_bytes(), run.record.read_bytes()) == before


def test_an_unreadable_reply_is_asked_for_once_more(run: RunDir) -> None:
    """Recorded replies of the kind that other harnesses take a verdict out of."""

    def reply(prompt: str, earlier: int) -> str:
        again = "前回の返答" in prompt
        if "評価する回答\n青\n" in prompt:
            return "correct: yes" if not again else grade(prompt, 0)
        if "評価する回答\n緑\n" in prompt:
            return "incorrect: yes"
        return grade(prompt, 0)

    with judge_server(reply) as server:
        judging = ask(server, run)
        assert len(server.bodies) == 6
        ask(server, run)
        assert len(server.bodies) == 6
    estimate = overall(run, ID)
    assert (judging.errors, estimate.n, estimate.unscored) == (0, 3, 1)
    # q0 and q1 right, q2 wrong, q3 open: from 2/4 to 3/4.
    assert estimate.bounds == (0.5, 0.75)
    assert estimate.value == pytest.approx(2 / 3)
    raw = (run.path / "judge-made-judge.jsonl").read_text(encoding="utf-8")
    assert raw.count("incorrect: yes") == 2


def test_a_changed_answer_is_asked_about_anew(tmp_path: Path, run: RunDir) -> None:
    with judge_server(grade) as server:
        ask(server, run)
        replace_in_journal(run.journal, ("赤い色です", "赤い色ですね"))
        score(run)
        stale = {row.id: row.scores[ID] for row in run.read_scores()}["q1"]
        assert stale.vector is None and "has not been asked" in (stale.unscored or "")
        assert overall(run, ID).bounds == (0.25, 0.5)
        ask(server, run)
        assert len(server.bodies) == 5
    assert overall(run, ID).n == 4


def test_an_outage_is_no_verdict(run: RunDir) -> None:
    down = True

    def behave(body: dict[str, object], earlier: int) -> Reply:
        text = said(body)
        if down and "評価する回答\n青\n" in text:
            return Reply({"error": {"message": "overloaded"}}, status=503)
        return Reply(completion(grade(text, 0)))

    with MadeServer(behave) as server:
        assert ask(server, run).errors == 1
        estimate = overall(run, ID)
        assert (estimate.n, estimate.unscored, estimate.bounds) == (3, 1, (0.5, 0.75))
        down = False
        assert ask(server, run).errors == 0
        assert len(server.bodies) == 5
    assert overall(run, ID).value == 0.5


def test_a_killed_judge_goes_on_without_asking_again(tmp_path: Path) -> None:
    task = judged_task(tmp_path / "task", ["judge.correct"], colors(12))
    answers = {f"q{number}": f"答え{number}" for number in range(12)}
    run = answers_run(task, tmp_path / "out", "m", answers)

    def behave(body: dict[str, object], earlier: int) -> Reply:
        return Reply(completion(grade(said(body), 0)), seconds=0.4)

    with MadeServer(behave) as server:
        command = [
            sys.executable,
            "-m",
            "vlmbench",
            "judge",
            "run",
            str(run.path),
            "--quiet",
            "--judge",
            "openai:made-judge",
            "--judge-base-url",
            server.url,
            "--judge-option",
            "concurrency=1",
        ]
        journal = run.path / "judge-made-judge.jsonl"
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while not journal.exists() or journal.read_text().count('"response"') < 3:
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        kept = journal.read_text().count('"response"')
        os.truncate(journal, journal.stat().st_size - 7)  # killed in the middle of a line
        # One may have been under way, and the torn one is asked again; no other one is.
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        times = Counter(said(body) for body in server.bodies)
        assert len(times) == 12 and kept < 12
        assert sum(count > 1 for count in times.values()) <= 2
        asked = len(server.bodies)
        assert subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode == 0
        assert len(server.bodies) == asked
    assert overall(run, ID).n == 12


def test_several_replies_are_averaged(run: RunDir) -> None:
    def reply(prompt: str, earlier: int) -> str:
        return verdict(reason="", verdict="correct" if earlier < 2 else "incorrect")

    with judge_server(reply) as server:
        ask(server, run, settings=JudgeSettings(samples=3, temperature=0.7))
        assert len(server.bodies) == 12
        assert len({body["seed"] for body in server.bodies}) == 12
    assert overall(run, ID).value == pytest.approx(2 / 3)
    assert {row.scores[ID].extracted for row in run.read_scores()} <= {
        "correct, correct, incorrect",
        "correct, incorrect, correct",
        "incorrect, correct, correct",
    }


def test_judges_are_told_apart(run: RunDir) -> None:
    """By name in the metric's id, by fingerprint in its signature and in the journal's header."""
    with judge_server(grade) as server:
        ask(server, run)
        ask(server, run, name="other-judge")
        with pytest.raises(JournalError, match="--judge-name"):
            ask(server, run, extra={"reasoning_effort": "low"})
    first, second = (
        overall(run, f"judge.correct@{name}") for name in ("made-judge", "other-judge")
    )
    assert first.signature != second.signature
    assert "|judge:made-judge@" in first.signature and "|ask:" in first.signature


def test_the_gate_does_not_compare_across_judges(tmp_path: Path) -> None:
    folder = tmp_path / "task"
    task = judged_task(folder, ["judge.correct"], colors(), headline="judge.correct")
    runs = [answers_run(task, tmp_path / out, "m", ANSWERS) for out in ("one", "two", "three")]
    with judge_server(grade) as server:
        ask(server, runs[0])
        ask(server, runs[1], extra={"reasoning_effort": "low"})
        ask(server, runs[2], name="other-judge")
        same = answers_run(task, tmp_path / "four", "m", ANSWERS)
        ask(server, same)
    baseline = tmp_path / "baseline.json"
    save([runs[0].path], baseline)
    assert check([same.path], baseline).verdict == "unchanged"
    for other in runs[1:]:
        with pytest.raises(ConfigError, match=r"metric signature of judge\.correct"):
            check([other.path], baseline)


def test_no_key_is_written(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-made-secret")
    with judge_server(grade) as server:
        ask(server, run)
        assert server.keys == {"Bearer sk-made-secret"}
    files = [path for path in run.path.rglob("*") if path.is_file()]
    assert files and not any(b"sk-made-secret" in path.read_bytes() for path in files)


@pytest.mark.parametrize("name", ["match.exact", "judge.pairwise"])
def test_a_metric_without_judge_is_refused(run: RunDir, name: str) -> None:
    with judge_server(grade) as server, pytest.raises(UsageError, match="no metric of single"):
        ask(server, run, metrics=[name])


def test_metrics_beside_the_tasks_own(run: RunDir) -> None:
    def reply(prompt: str, earlier: int) -> str:
        return verdict(reason="", score=4) if "1点から5点" in prompt else grade(prompt, earlier)

    with judge_server(reply) as server:
        ask(server, run)
        ask(server, run, metrics=["judge.rubric"])
        assert len(server.bodies) == 8
    assert overall(run, "judge.rubric@made-judge").value == 4
    assert overall(run, ID).value == 0.5
    record = json.loads(run.record.read_text())
    assert record["coverage"]["answered"] == 4


def test_a_checkpoint_can_judge_and_babble_is_no_verdict(run: RunDir, checkpoint: Path) -> None:
    """A real model with random weights: its replies are kept, counted, and never grades."""
    executor = LocalExecutor(batch_size=4)
    settings = JudgeSettings(max_new_tokens=8)
    spec = resolve_model(str(checkpoint), device="cpu")
    judging = judge_run(run, spec, executor=executor, settings=settings, score=score)
    executor.close()
    assert (judging.asked, judging.errors) == (4, 0)
    estimate = overall(run, f"judge.correct@{spec.name}")
    assert (estimate.value, estimate.n, estimate.unscored) == (None, 0, 4)
    assert estimate.bounds == (0, 1)
    assert "|reply:text,x1,t0,8|" in estimate.signature
