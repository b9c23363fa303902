"""Settings of one model side by side, and a server that moves between two calls."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from made_runs import make_task, question
from made_server import MadeServer, Reply, completion

from vlmbench.cli.main import main

JUDGED = ({"use": "match.exact", "headline": True}, {"use": "judge.correct"})


def right(body: Mapping[str, Any], earlier: int) -> Reply:
    """Red, unless a system prompt says otherwise."""
    roles = [one["role"] for one in body["messages"]]
    return Reply(completion("青" if "system" in roles else "赤"))


def grade(body: Mapping[str, Any], earlier: int) -> Reply:
    return Reply(completion(json.dumps({"reason": "", "verdict": "correct"})))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    make_task(tmp_path, [question(number) for number in range(3)], metrics=JUDGED)
    return tmp_path


RUN = "run --quiet --tasks ja-small.yaml --model openai:asked"


def test_two_settings_stand_side_by_side(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with MadeServer(right) as server:
        base = [*RUN.split(), "--base-url", server.url]
        assert main(base) == 0
        assert main([*base, "--system", "青と答える。"]) == 2
        assert "give this one a name of its own with --name" in capsys.readouterr().err
        assert main([*base, "--system", "青と答える。", "--name", "asked/blue", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["runs"]
    assert [one["model"] for one in shown] == ["asked-blue"]
    assert sorted(path.name for path in Path("runs").iterdir()) == ["asked", "asked-blue"]
    assert main(["compare", "runs/asked", "runs/asked-blue", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("models", "names", "fragment"),
    [
        ("openai:a,openai:b", "x", "'--name' has 1 names for 2 models"),
        ("openai:a", "x,y", "'--name' has 2 names for 1 models"),
        ("openai:a/b,openai:a-b", "", "Two of the models are called 'a-b'"),
        ("openai:a,openai:b", "x!,x?", "Two of the models are called 'x'"),
    ],
)
def test_names_that_cannot_be(
    place: Path, capsys: pytest.CaptureFixture[str], models: str, names: str, fragment: str
) -> None:
    command = ["run", "--quiet", "--tasks", "ja-small.yaml", "--model", models]
    assert main([*command, *(["--name", names] if names else [])]) == 2
    assert fragment in capsys.readouterr().err
    assert not Path("runs").exists()


def test_moved_servers_are_gone_on_with(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [*RUN.split(), "--judge", "openai:judge"]
    with MadeServer(right) as model, MadeServer(grade) as judge:
        first = [*command, "--limit", "2", "--base-url", model.url, "--judge-base-url", judge.url]
        assert main(first) == 0
        assert (len(model.bodies), len(judge.bodies)) == (2, 2)
    with MadeServer(right) as model, MadeServer(grade) as judge:
        second = [*command, "--base-url", model.url, "--judge-base-url", judge.url, "--json"]
        capsys.readouterr()
        assert main(second) == 0
        assert (len(model.bodies), len(judge.bodies)) == (1, 1)
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    values = {one["metric"]: one["n"] for one in run["estimates"] if one["slice"] is None}
    assert values["match.exact"] == values["judge.correct@judge"] == 3
