"""A judge that cannot be asked is found out before the model under test answers anything."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_judge import colors, judged_task, verdict
from made_server import MadeServer, Reply, completion

from vlmbench.cli.main import main


@pytest.fixture
def under_test() -> Iterator[MadeServer]:
    """The model that is to be judged: a server that counts what it is asked."""
    with MadeServer(lambda body, earlier: Reply(completion("赤"))) as server:
        yield server


@pytest.fixture
def judged_by(under_test: MadeServer, tmp_path: Path) -> Iterator[list[str]]:
    """A run whose judge is a server that finds every answer correct."""
    reply = completion(verdict(reason="", verdict="correct"))
    with MadeServer(lambda body, earlier: Reply(reply)) as judge:
        command = arguments(under_test, tmp_path, metrics=("judge.correct",))
        yield [*command, "--judge", "openai:made", "--judge-base-url", judge.url]


def arguments(server: MadeServer, folder: Path, *, metrics: tuple[str, ...]) -> list[str]:
    task = judged_task(folder / "task", metrics, colors())
    return [
        "run",
        "--model",
        "openai:asked",
        "--base-url",
        server.url,
        "--quiet",
        "--tasks",
        str(task),
        "--out",
        str(folder / "out"),
    ]


@pytest.mark.parametrize(
    ("judge", "problem"),
    [
        (["openai:gpt"], "There is no key for https://api.openai.com/v1 in OPENAI_API_KEY"),
        (["openai:gpt", "--judge-api-key-env", "MADE_KEY"], "name another one with --judge-api-"),
        (["openai:gpt", "--judge-base-url", "http://127.0.0.1:9/v1"], "correct --judge-base-url"),
        (["served:vllm:org/judge"], "There is no 'vllm' on PATH"),
        (["./no-such-judge"], "There is no directory './no-such-judge'"),
        (["EMPTY"], "There is no config.json"),
        (["NO-WEIGHTS"], "There are no weights in"),
    ],
)
def test_a_judge_that_cannot_be_used(
    judge: list[str],
    problem: str,
    under_test: MadeServer,
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if "vllm" in judge[0] and shutil.which("vllm"):
        pytest.skip("vllm is installed here")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    made = {"EMPTY": tmp_path / "empty", "NO-WEIGHTS": tmp_path / "bare"}
    made["EMPTY"].mkdir()
    ignored = shutil.ignore_patterns("*.safetensors")
    shutil.copytree(checkpoint, made["NO-WEIGHTS"], ignore=ignored)
    asked = [str(made.get(one, one)) for one in judge]
    command = arguments(under_test, tmp_path, metrics=("judge.correct",))
    assert main([*command, "--judge", *asked]) == 2
    err = capsys.readouterr().err
    assert problem in err and err.count("\n") == 1 and " --base-url" not in err
    assert under_test.bodies == []


def test_a_judge_that_nobody_needs_is_not_looked_for(
    under_test: MadeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    command = arguments(under_test, tmp_path, metrics=())
    assert main([*command, "--judge", "openai:gpt"]) == 0
    assert len(under_test.bodies) == 4


def test_what_is_complete_needs_no_judge_any_more(
    under_test: MadeServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = arguments(under_test, tmp_path, metrics=("judge.correct",))
    reply = completion(verdict(reason="", verdict="correct"))
    with MadeServer(lambda body, earlier: Reply(reply)) as judge:
        command += ["--judge", "openai:made", "--judge-base-url", judge.url, "--json"]
        assert main(command) == 0
        first = capsys.readouterr().out
    assert main(command) == 0  # its judge is gone
    assert capsys.readouterr().out == first
    assert len(under_test.bodies) == 4


def test_judged_variants_stay_apart(
    judged_by: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The run and its variant both come back, each with the judge's estimate of its own."""
    assert main([*judged_by, "--json", "--image-mode", "blind"]) == 0
    printed = json.loads(capsys.readouterr().out)
    found = [*printed["runs"], *printed["variants"]]
    assert [one["variant"] for one in found] == [None, "blind"]
    for one in found:
        assert "judge.correct@made" in {estimate["metric"] for estimate in one["estimates"]}


def test_another_judge_of_the_same_name(
    under_test: MadeServer, judged_by: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*judged_by, "--limit", "2"]) == 0
    capsys.readouterr()
    assert main([*judged_by, "--judge-option", "omit=[temperature]"]) == 2
    assert "--judge-name" in capsys.readouterr().err
    assert len(under_test.bodies) == 2
