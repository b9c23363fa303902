"""Two runs before a judge, in both orders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from made_judge import answers_run, colors, judge_server, judged_task, verdict

from vlmbench.cli.main import main
from vlmbench.errors import UsageError
from vlmbench.executors.local import LocalExecutor
from vlmbench.judges.pairwise import PairResult, judge_pair
from vlmbench.judges.requests import JudgeSettings
from vlmbench.models.resolve import resolve_model
from vlmbench.runs.directory import RunDir

GOOD = {f"q{number}": f"赤です{number}" for number in range(8)}
BAD = {f"q{number}": f"青です{number}" for number in range(8)}


@pytest.fixture
def runs(tmp_path: Path) -> tuple[RunDir, RunDir]:
    task = judged_task(tmp_path / "task", ["judge.correct"], colors(8))
    return tuple(answers_run(task, tmp_path / "out", n, a) for n, a in (("a", GOOD), ("b", BAD)))  # type: ignore[return-value]


def first_part(prompt: str) -> str:
    return prompt.split(" 回答1\n")[1].split("\n")[0]


def compared(
    runs: tuple[RunDir, RunDir], reply: Callable[[str, int], str]
) -> tuple[PairResult, int]:
    with judge_server(reply) as server:
        spec = resolve_model("openai:made", options={"base_url": server.url, "retries": 0})
        executor = LocalExecutor(batch_size=None)
        result = judge_pair(*runs, spec, executor=executor, settings=JudgeSettings())
        executor.close()
        return result, len(server.bodies)


def test_a_judge_who_looks_at_the_answer(runs: tuple[RunDir, RunDir]) -> None:
    result, asked = compared(
        runs,
        lambda prompt, earlier: verdict(
            reason="", better="1" if "赤" in first_part(prompt) else "2"
        ),
    )
    assert asked == 16 and result.n == 8
    assert result.preference is not None and result.first_shown is not None
    assert (result.preference.value, result.first_shown.value) == (1.0, 0.5)
    assert result.consistent is not None and result.consistent.value == 1.0
    # Wilson for 8 of 8: 8 / (8 + 1.96^2).
    assert result.preference.low == pytest.approx(8 / (8 + 1.959964**2), abs=1e-5)


def test_a_judge_who_looks_at_the_place(runs: tuple[RunDir, RunDir]) -> None:
    result, _ = compared(runs, lambda prompt, earlier: verdict(reason="", better="1"))
    assert result.preference is not None and result.first_shown is not None
    assert (result.preference.value, result.first_shown.value) == (0.5, 1.0)
    assert result.consistent is not None and result.consistent.value == 0.0


def test_an_unreadable_order_leaves_the_pair_out(runs: tuple[RunDir, RunDir]) -> None:
    def reply(prompt: str, earlier: int) -> str:
        if "青です3" in first_part(prompt):
            return "[[A]]"
        return verdict(reason="", better="tie")

    result, asked = compared(runs, reply)
    assert asked == 17
    assert (result.n, result.unscored, result.bounds) == (7, 1, (3.5 / 8, 4.5 / 8))


def test_runs_of_other_questions_are_refused(tmp_path: Path, runs: tuple[RunDir, RunDir]) -> None:
    task = judged_task(tmp_path / "other", ["judge.correct"], colors(5))
    other = answers_run(task, tmp_path / "out2", "c", GOOD)
    with pytest.raises(UsageError, match="not of the same questions"):
        compared((runs[0], other), lambda prompt, earlier: "")
    with pytest.raises(UsageError, match="there twice"):
        compared((runs[0], runs[0]), lambda prompt, earlier: "")


def test_from_the_command_line(
    runs: tuple[RunDir, RunDir], capsys: pytest.CaptureFixture[str]
) -> None:
    with judge_server(lambda prompt, earlier: verdict(reason="", better="tie")) as server:
        command = ["judge", "pairwise", "--quiet", *(str(run.path) for run in runs)]
        command += ["--judge", "openai:made", "--judge-base-url", server.url]
        assert main(command) == 0
        assert main(command) == 0
        assert len(server.bodies) == 16
    assert "0.500" in capsys.readouterr().out
