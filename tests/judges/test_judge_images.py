"""A judge that sees the question's images: what arrives at a real server, and at a real model."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from made_judge import answers_run, ask, colors, judge_server, judged_task, overall, verdict
from made_runs import picture, question
from made_server import said

from vlmbench.cli.main import main
from vlmbench.derive import score
from vlmbench.executors.local import LocalExecutor
from vlmbench.judges.judging import judge_run
from vlmbench.judges.requests import JudgeSettings
from vlmbench.metrics.judge_prompt import IMAGES
from vlmbench.models.resolve import resolve_model
from vlmbench.runs.journal import read_journal

ANSWERS = {"q0": "赤", "q1": "青", "q2": "緑", "q3": "黄"}
ID = "judge.correct@made"
RIGHT = verdict(reason="", verdict="correct")


def shown(body: dict[str, Any]) -> list[bytes]:
    """The files behind the data URLs of a request, in order."""
    parts = body["messages"][-1]["content"]
    urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    assert all(url.startswith("data:image/png;base64,") for url in urls)
    return [base64.b64decode(url.partition(",")[2], validate=True) for url in urls]


def test_images_arrive_by_option_only(tmp_path: Path) -> None:
    task = judged_task(tmp_path / "task", ["judge.correct"], colors())
    run = answers_run(task, tmp_path / "out", "m", ANSWERS)
    with judge_server(lambda prompt, earlier: RIGHT) as server:
        command = ["judge", "run", str(run.path), "--quiet", "--judge", "openai:made"]
        command += ["--judge-base-url", server.url]
        assert main(command) == 0
        without, plain = list(server.bodies), overall(run, ID).signature
        assert main([*command, "--images"]) == 0
        seeing = server.bodies[len(without) :]
        assert main([*command, "--images"]) == 0
        assert len(server.bodies) == 8
    assert [shown(body) for body in without] == [[]] * 4
    assert not any(IMAGES in said(body) for body in without)
    assert sorted(map(shown, seeing)) == sorted([picture(number)] for number in range(4))
    assert all(IMAGES in said(body) for body in seeing)
    assert all(body["messages"][-1]["content"][0]["type"] == "image_url" for body in seeing)
    told = overall(run, ID).signature
    assert ",images" in told and ",images" not in plain
    assert told.split("|ask:")[1].split("|")[0] != plain.split("|ask:")[1].split("|")[0]
    before = run.scores.read_bytes(), run.record.read_bytes()
    score(run)
    assert (run.scores.read_bytes(), run.record.read_bytes()) == before


def test_a_run_with_a_judge_that_sees(tmp_path: Path) -> None:
    """Two images a question; and where the model saw none, the judge sees the task's own."""
    rows = [question(0, "一枚目<image>と二枚目<image>は？", images=["a.png", "b.png"])]
    rows[0]["files"] = {"a.png": picture(5), "b.png": picture(6)}
    task = judged_task(tmp_path / "task", ["judge.correct"], rows)
    with judge_server(lambda prompt, earlier: RIGHT) as server:
        command = ["run", "--model", "baseline:oracle", "--tasks", str(task), "--quiet"]
        command += ["--out", str(tmp_path / "out"), "--image-mode", "blind", "--judge-images"]
        assert main([*command, "--judge", "openai:made", "--judge-base-url", server.url]) == 0
        assert [shown(body) for body in server.bodies] == [[picture(5), picture(6)]] * 2


def test_pairs_are_judged_by_their_images(tmp_path: Path) -> None:
    task = judged_task(tmp_path / "task", ["judge.correct"], colors(2))
    runs = [answers_run(task, tmp_path / "out", name, ANSWERS) for name in ("a", "b")]
    with judge_server(lambda prompt, earlier: verdict(reason="", better="tie")) as server:
        command = ["judge", "pairwise", *(str(run.path) for run in runs), "--quiet", "--images"]
        command += ["--judge", "openai:made", "--judge-base-url", server.url]
        assert main(command) == 0
        assert main(command) == 0
        assert sorted(map(shown, server.bodies)) == sorted([[picture(0)], [picture(1)]] * 2)


def test_an_image_that_cannot_be_read_leaves_its_answer_unscored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = colors(2)
    rows[1]["files"] = {"1.png": b"no image"}
    task = judged_task(tmp_path / "task", ["judge.correct"], rows)
    run = answers_run(task, tmp_path / "out", "m", ANSWERS)
    with judge_server(lambda prompt, earlier: RIGHT) as server:
        command = ["judge", "run", str(run.path), "--quiet", "--judge", "openai:made", "--images"]
        assert main([*command, "--judge-base-url", server.url]) == 3
        assert len(server.bodies) == 1
    assert "made gave no reply to 1 of 2 prompts" in capsys.readouterr().err
    assert (overall(run, ID).n, overall(run, ID).bounds) == (1, (0.5, 1.0))


def test_a_checkpoint_judges_by_the_images(tmp_path: Path, checkpoint: Path) -> None:
    """A real model with random weights reads the image's tokens besides those of the text."""
    task = judged_task(tmp_path / "task", ["judge.correct"], colors(2))
    run = answers_run(task, tmp_path / "out", "m", ANSWERS)
    spec = resolve_model(str(checkpoint), device="cpu")
    executor = LocalExecutor(batch_size=2)
    for images in (False, True):
        settings = JudgeSettings(max_new_tokens=4, images=images)
        assert judge_run(run, spec, executor=executor, settings=settings, score=score).errors == 0
    executor.close()
    replies = read_journal(run.path / f"judge-{spec.name}.jsonl").responses
    for number in range(2):
        plain = replies[f"correct/text/0/0/q{number}"]
        seeing = replies[f"correct/text+images/0/0/q{number}"]
        assert plain.error is None and seeing.error is None
        # 64 x 48 pixels are 8 x 6 patches of 8, four of which make a token; and the sentence.
        assert (seeing.prompt_tokens or 0) >= (plain.prompt_tokens or 0) + 12


def test_a_seeing_judge_is_another_judge_of_one_journal(tmp_path: Path) -> None:
    task = judged_task(tmp_path / "task", ["judge.correct"], colors(2))
    run = answers_run(task, tmp_path / "out", "m", ANSWERS)
    with judge_server(lambda prompt, earlier: RIGHT) as server:
        ask(server, run, name="made")
        ask(server, run, name="made", settings=JudgeSettings(images=True))
        ask(server, run, name="made")
        assert len(server.bodies) == 4
    assert ",images" not in overall(run, ID).signature
