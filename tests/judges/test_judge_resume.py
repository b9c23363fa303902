"""A run with a judge that is killed again and again asks nobody anything twice."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from made_judge import answers_run, colors, judged_task, overall, verdict
from made_server import MadeServer, Reply, completion, said

from vlmbench.runs.directory import RunDir
from vlmbench.runs.journal import read_journal

COUNT = 10
RIGHT = verdict(reason="", verdict="correct")
SECONDS = 0.25


def grade(body: dict[str, object], earlier: int) -> Reply:
    """The sixth answer's verdict cannot be read at first."""
    text = said(body)
    torn = "答え5" in text and "前回の返答" not in text
    return Reply(completion("はい、正解です" if torn else RIGHT), seconds=SECONDS)


def answered(journal: Path) -> set[str]:
    """Ids of what a journal has a reply to."""
    if not journal.is_file() or journal.read_bytes().count(b"\n") < 1:
        return set()
    return {name for name, one in read_journal(journal).responses.items() if one.text is not None}


def killed_when(command: list[str], reached: Callable[[], bool]) -> None:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while not reached():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_run_with_a_judge_resumes_without_asking_again(tmp_path: Path) -> None:
    """Killed while the model answers, twice while the judge does, and in the second round."""
    rows = [{**row, "question": f"問{n}：何色ですか。"} for n, row in enumerate(colors(COUNT))]
    task = judged_task(tmp_path / "task", ["judge.correct"], rows)

    def answer(body: dict[str, object], earlier: int) -> Reply:
        number = said(body).split("問")[1].split("：")[0]
        return Reply(completion(f"答え{number}"), seconds=SECONDS)

    run = RunDir.of(tmp_path / "out", "asked", "ja-small")
    journal = run.path / "judge-made.jsonl"
    with MadeServer(answer) as model, MadeServer(grade) as judge:
        command = [
            sys.executable,
            "-m",
            "vlmbench",
            "run",
            "--tasks",
            str(task),
            "--quiet",
            "--out",
            str(tmp_path / "out"),
            "--model",
            "openai:asked",
            "--base-url",
            model.url,
            "--model-option",
            "concurrency=1",
            "--judge",
            "openai:made",
            "--judge-base-url",
            judge.url,
            "--judge-option",
            "concurrency=1",
        ]
        killed_when(command, lambda: len(answered(run.journal)) >= 3)
        assert judge.bodies == []
        kept = [len(answered(run.journal))]
        for count in (2, 6, COUNT):
            killed_when(command, lambda count=count: len(answered(journal)) >= count)  # type: ignore[misc]
            kept.append(len(answered(journal)))
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        # Of each killed call one request may have been under way; nothing else came twice.
        asked = Counter(said(body) for body in model.bodies)
        assert len(asked) == COUNT and asked.total() <= COUNT + 1
        judged = Counter(said(body) for body in judge.bodies)
        assert len(judged) == COUNT + 1 and judged.total() <= COUNT + 1 + 3
        assert kept[0] < COUNT and kept[1] < kept[2] < kept[3]
        before = run.scores.read_bytes(), len(model.bodies), len(judge.bodies)
        again = subprocess.run(command, check=False, capture_output=True, text=True)
        assert again.returncode == 0, again.stderr
        assert (run.scores.read_bytes(), len(model.bodies), len(judge.bodies)) == before
    estimate = overall(run, "judge.correct@made")
    assert (estimate.value, estimate.n, estimate.unscored) == (1.0, COUNT, 0)


def test_a_killed_comparison_goes_on(tmp_path: Path) -> None:
    task = judged_task(tmp_path / "task", [], colors(4))
    runs = [
        answers_run(task, tmp_path / "out", name, {f"q{n}": f"{name}{n}" for n in range(4)})
        for name in ("a", "b")
    ]
    tie = verdict(reason="", better="tie")
    with MadeServer(lambda body, earlier: Reply(completion(tie), seconds=SECONDS)) as judge:
        command = [
            sys.executable,
            "-m",
            "vlmbench",
            "judge",
            "pairwise",
            *(str(run.path) for run in runs),
            "--quiet",
            "--judge",
            "openai:made",
            "--judge-base-url",
            judge.url,
            "--judge-option",
            "concurrency=1",
        ]

        def replies() -> int:
            return sum(len(answered(path)) for path in runs[0].path.glob("pairwise-*.jsonl"))

        killed_when(command, lambda: replies() >= 3)
        assert not list(runs[0].path.glob("pairwise-*.json"))
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        asked = Counter(said(body) for body in judge.bodies)
        assert len(asked) == 8 and asked.total() <= 9
    assert len(list(runs[0].path.glob("pairwise-*.json"))) == 1
