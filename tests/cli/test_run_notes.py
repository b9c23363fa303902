"""What a run says of data and answers that its scores do not show."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from made_runs import make_task, question
from made_server import MadeServer, Reply, completion
from made_tasks import color_rows, write_task

from vlmbench.cli.main import main

RUN = "run --quiet --model openai:asked --tasks"


def command(task: str, server: MadeServer) -> list[str]:
    return [*RUN.split(), task, "--base-url", server.url]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    return tmp_path


def nothing(body: Mapping[str, Any], earlier: int) -> Reply:
    return Reply(completion(""))


def red(body: Mapping[str, Any], earlier: int) -> Reply:
    return Reply(completion("赤"))


def test_nothing_but_empty_answers_is_an_error(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_task(place, [question(number) for number in range(3)])
    with MadeServer(nothing) as server:
        assert main(command("ja-small.yaml", server)) == 2
    assert "nothing but empty answers" in (said := capsys.readouterr().err)
    assert "3 of 3" in said


def test_one_answer_that_is_not_empty_is_enough(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def mostly(body: Mapping[str, Any], earlier: int) -> Reply:
        return Reply(completion("赤" if len(server.bodies) == 1 else ""))

    make_task(place, [question(number) for number in range(3)])
    with MadeServer(mostly) as server:
        assert main(command("ja-small.yaml", server)) == 0
    assert "nothing but empty" not in capsys.readouterr().err


def test_rows_without_their_picture_are_counted_and_said(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = color_rows(4)
    write_task(place / "holes", [{**rows[0], "images": [], "question": "何色ですか。"}, *rows[1:]])
    write_task(place / "whole", rows)
    with MadeServer(red) as server:
        assert main(command("holes/colors.yaml", server)) == 0
        assert "1 of 4 samples of colors were asked without a picture" in capsys.readouterr().out
        assert main([*command("whole/colors.yaml", server), "--out", "other"]) == 0
    assert "without a picture" not in capsys.readouterr().out
    record = json.loads(next((place / "runs").rglob("run.json")).read_text(encoding="utf-8"))
    assert record["without_image"] == 1
