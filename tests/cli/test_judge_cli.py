"""`vlmbench run --judge`, `vlmbench judge` and `vlmbench judge agreement` as one types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_judge import answers_run, colors, judge_server, judged_task, overall, verdict

from vlmbench.cli.main import main
from vlmbench.runs.directory import RunDir

ANSWERS = {"q0": "赤", "q1": "赤い", "q2": "青空の色", "q3": "緑"}
ID = "judge.rubric@made"


def grade(prompt: str, earlier: int) -> str:
    answer = prompt.split(" 評価する回答\n")[1].split("\n")[0]
    return verdict(reason="", score={"赤": 5, "赤い": 4, "青空の色": 1}.get(answer, 2))


@pytest.fixture
def task(tmp_path: Path) -> Path:
    return judged_task(tmp_path / "task", ["judge.rubric"], colors())


def script(folder: Path) -> Path:
    path = folder / "answers.jsonl"
    lines = [json.dumps({"id": key, "text": text}) for key, text in ANSWERS.items()]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_run_says_what_needs_a_judge(
    task: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["run", "--model", "baseline:oracle", "--tasks", str(task), "--quiet"]
    assert main([*run, "--out", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert "need a judge: judge.rubric of ja-small" in out and "@" not in out


def test_a_run_with_a_judge(task: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    with judge_server(grade) as server:
        command = ["run", "--model", f"baseline:scripted:{script(tmp_path)}", "--out", str(out)]
        command += ["--tasks", str(task), "--quiet", "--json"]
        command += ["--judge", "openai:made", "--judge-base-url", server.url]
        assert main(command) == 0
        first = capsys.readouterr().out
        assert main(command) == 0
        assert capsys.readouterr().out == first
        assert len(server.bodies) == 4
        assert main(["score", str(out)]) == 0
        assert len(server.bodies) == 4
    estimates = json.loads(first)["runs"][0]["estimates"]
    assert [one["value"] for one in estimates if one["metric"] == ID and not one["slice"]] == [3.0]


def test_a_judge_finds_its_replies_in_the_cache(
    task: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run with the same answers: a checkpoint that has judged them is not asked again."""
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "cache"))
    found = []
    for name, more in (("a", []), ("b", []), ("c", ["--no-cache"])):
        run = answers_run(task, tmp_path / name, name, ANSWERS)
        command = ["judge", "run", str(run.path), "--quiet", "--judge", str(checkpoint), *more]
        assert main(command) in (0, 3)
        (journal,) = run.path.rglob("judge*.jsonl")
        text = journal.read_text(encoding="utf-8")
        found.append((text.count('"type":"response"'), text.count('"cached":true')))
    (asked, none), again, anew = found
    assert asked >= len(ANSWERS) and none == 0
    assert (again, anew) == ((asked, asked), (asked, 0))


def test_verbosity_and_consistency_by_option(
    task: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = answers_run(task, tmp_path / "out", "m", ANSWERS)
    with judge_server(grade) as server:
        command = ["judge", "run", str(run.path), "--quiet", "--judge", "openai:made"]
        command += ["--judge-base-url", server.url, "--verbosity", "--samples", "2"]
        assert main(command) == 0
        assert len(server.bodies) == 8
    out = capsys.readouterr().out
    # Grades 5, 4, 1, 2 and lengths 1, 2, 4, 1, by hand: ranks 4 3 1 2 and 1.5 3 4 1.5.
    assert "-0.632" in out
    assert "1.000 [0." in out  # four answers twice alike: no interval of width zero


def test_an_outage_ends_with_3(
    task: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = answers_run(task, tmp_path / "out", "m", ANSWERS)
    from made_server import MadeServer, Reply

    with MadeServer(lambda body, earlier: Reply(b"{}", status=503)) as server:
        command = ["judge", "run", str(run.path), "--quiet", "--judge", "openai:made"]
        command += ["--judge-base-url", server.url, "--judge-option", "retries=0"]
        assert main(command) == 3
    captured = capsys.readouterr()
    assert "made gave no reply to 4 of 4 prompts" in captured.err
    assert overall(run, ID).bounds == (1, 5)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["run", "RUN"], "required: --judge"),
        (["run", "RUN", "--judge", "baseline:oracle"], "is a baseline and cannot judge"),
        (["run", "RUN", "--judge", "opnai:x"], "Did you mean 'openai:x'"),
        (["run", "RUN", "--judge", "openai:x", "--metrics", "judge.rubrik"], "Did you mean"),
        (
            ["run", "RUN", "--judge", "openai:x", "--samples", "2", "--temperature", "0"],
            "are the same",
        ),
        (["run", "RUN", "--judge", "openai:x", "--temperature", "3"], "from 0 to 2"),
        (["run", "nowhere", "--judge", "openai:x"], "There is no directory nowhere"),
        (["pairwise", "RUN", "--judge", "openai:x"], "required: RUN_B"),
        (["agreement", "RUN"], "required: FILE_B"),
    ],
)
def test_bad_input_gives_one_sentence(
    task: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    problem: str,
) -> None:
    run = answers_run(task, tmp_path / "out", "m", ANSWERS)
    filled = [str(run.path) if one == "RUN" else one for one in arguments]
    try:
        code = main(["judge", *filled, *(["--quiet"] if filled[0] != "agreement" else [])])
    except SystemExit as error:
        code = int(error.code or 0)
    err = capsys.readouterr().err
    assert code == 2 and problem in err and err.count("\n") == 1
    assert not list(run.path.glob("judge-*"))


@pytest.fixture
def judged(task: Path, tmp_path: Path) -> RunDir:
    run = answers_run(task, tmp_path / "out", "m", ANSWERS)
    with judge_server(grade) as server:
        command = ["judge", "run", str(run.path), "--quiet", "--judge", "openai:made"]
        assert main([*command, "--judge-base-url", server.url]) == 0
    return run


def people(path: Path, labels: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps({"id": k, "label": v}) + "\n" for k, v in labels.items()))
    return path


def test_a_judge_beside_people(
    judged: RunDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    journal = str(judged.path / "judge-made.jsonl")
    labels = people(tmp_path / "labels.jsonl", {"q0": 5, "q1": "4", "q2": 1, "q3": 1, "q9": 3})
    assert main(["judge", "agreement", journal, str(labels), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["n"], found["only_first"], found["only_second"]) == (4, 0, 1)
    assert (found["level"], found["equal"]) == ("ordinal", 0.75)
    # By hand: observed 3/4, expected (5: 1/16, 4: 1/16, 1: 2/16) 4/16, so (12 - 4) / (16 - 4).
    assert found["kappa"]["value"] == pytest.approx(2 / 3)
    assert main(["judge", "agreement", journal, str(labels)]) == 0
    assert "Krippendorff's alpha (ordinal)" in capsys.readouterr().out


def test_two_judges_side_by_side(judged: RunDir, capsys: pytest.CaptureFixture[str]) -> None:
    with judge_server(lambda prompt, earlier: verdict(reason="", score=2)) as server:
        command = ["judge", "run", str(judged.path), "--quiet", "--judge", "openai:made"]
        command += ["--judge-base-url", server.url, "--json"]
        assert main([*command, "--judge-option", "omit=[temperature]"]) == 2
        assert main([*command, "--judge-name", "strict"]) == 0
        assert len(server.bodies) == 4
    capsys.readouterr()
    files = [str(judged.path / f"judge-{name}.jsonl") for name in ("made", "strict")]
    assert main(["judge", "agreement", *files, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    # Grades 5, 4, 1, 2 beside 2, 2, 2, 2: one of four equal, as chance would have it.
    assert (found["n"], found["equal"], found["kappa"]["value"]) == (4, 0.25, 0.0)
    assert main(["judge", "agreement", *files, "--metric", "judge.correct"]) == 2
    assert "has verdicts of judge.rubric@made" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"id": "q0"}\n', "is not {id, label}"),
        ('{"id": "q0", "label": [1]}\n', "neither a text nor a number"),
        ('{"id": "q0", "label": 1}\n{"id": "q0", "label": 2}\n', "stands twice"),
        ('{"id": "q7", "label": 1}\n', "no sample id in common"),
        ('{"id": "q0", "label": "良い"}\n', "no label in common"),
    ],
)
def test_bad_labels_give_one_sentence(
    judged: RunDir, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, problem: str
) -> None:
    capsys.readouterr()
    labels = tmp_path / "labels.jsonl"
    labels.write_text(text)
    code = main(["judge", "agreement", str(judged.path / "judge-made.jsonl"), str(labels)])
    err = capsys.readouterr().err
    assert code == 2 and problem in err and err.count("\n") == 1
