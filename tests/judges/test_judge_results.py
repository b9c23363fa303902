"""What is found out about judges is written down, and says what it is about."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from made_judge import answers_run, colors, judge_server, judged_task, overall, verdict
from made_server import MadeServer

from vlmbench.cli.main import main
from vlmbench.judges.results import CheckRecord, PairResult, answers_hash, read_results
from vlmbench.metrics.judge_prompts import PAIRWISE, RUBRIC
from vlmbench.models.resolve import resolve_model
from vlmbench.runs.directory import RunDir
from vlmbench.runs.journal import read_journal

GOOD = {f"q{number}": f"赤です{number}" for number in range(4)}
BAD = {f"q{number}": f"青です{number}" for number in range(4)}


@pytest.fixture
def server() -> Iterator[MadeServer]:
    def reply(prompt: str, earlier: int) -> str:
        if "better" in prompt:
            return verdict(reason="", better="1")
        return verdict(reason="", score=5 if "赤です" in prompt else 2)

    with judge_server(reply) as made:
        yield made


@pytest.fixture
def runs(tmp_path: Path) -> list[RunDir]:
    task = judged_task(tmp_path / "task", ["judge.rubric"], colors(4))
    return [answers_run(task, tmp_path / "out", name, a) for name, a in (("a", GOOD), ("b", BAD))]


@pytest.fixture
def judge(
    server: MadeServer, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[dict[str, Any], dict[str, Any]]]:
    """Runs `vlmbench judge ... --json`; gives what it printed, and what its file holds."""

    def call(*arguments: object) -> tuple[dict[str, Any], dict[str, Any]]:
        asked = ["--judge", "openai:made", "--judge-base-url", server.url, "--quiet"]
        more = asked if arguments[0] != "agreement" else []
        assert main(["judge", *map(str, arguments), *more, "--json"]) == 0
        printed = json.loads(capsys.readouterr().out)
        path = printed["record"] if "record" in printed else printed["records"][0]
        return printed, json.loads(Path(path).read_text())

    return call


def test_a_comparison(
    runs: list[RunDir],
    server: MadeServer,
    judge: Callable[..., tuple[dict[str, Any], dict[str, Any]]],
) -> None:
    printed, written = judge("pairwise", *(run.path for run in runs), "--seed", 3)
    assert written == {key: one for key, one in printed.items() if key != "record"}
    assert Path(printed["record"]).parent == runs[0].path
    # A judge who always takes the first place: half of the pairs, and all of the first places.
    assert written["preference"]["value"] == 0.5 and written["first_shown"]["value"] == 1.0
    assert (written["n"], written["about"]["seed"]) == (4, 3)
    asked = written["asked"]
    spec = resolve_model("openai:made", options={"base_url": server.url})
    assert (asked["judge"], asked["fingerprint"]) == ("made", spec.fingerprint)
    assert asked["prompt"] == PAIRWISE.identity() and asked["reply"] == "reply:schema,x1,t0,1024"
    sides = written["about"]["compared"]
    assert [side["name"] for side in sides] == ["scripted-a", "scripted-b"]
    for side, run in zip(sides, runs, strict=True):
        assert side["answers"] == answers_hash(read_journal(run.journal))
        assert side["fingerprints"] == run.read_record().fingerprints
    assert sides[0]["answers"] != sides[1]["answers"]
    found, problems = read_results(runs[0].path, PairResult)
    assert [one.n for one in found] == [4] and problems == []


def test_a_look_at_the_verdicts(
    runs: list[RunDir], judge: Callable[..., tuple[dict[str, Any], dict[str, Any]]]
) -> None:
    printed, written = judge("run", runs[0].path, "--samples", 2, "--verbosity")
    assert Path(printed["records"][0]) == runs[0].path / "judge-made.json"
    (check,) = written["checks"]
    assert check == printed["judge"][0]
    assert (check["metric"], check["answers"], check["unscored"]) == ("judge.rubric@made", 4, 0)
    assert check["signature"] == overall(runs[0], "judge.rubric@made").signature
    assert check["asked"]["prompt"] == RUBRIC.identity()
    assert check["asked"]["reply"] == "reply:schema,x2,t0.7,1024"
    # All grades are one: neither a correlation nor an agreement beyond chance is defined.
    assert check["verbosity"] is None and check["consistency"] is None


def test_an_agreement(
    runs: list[RunDir],
    tmp_path: Path,
    judge: Callable[..., tuple[dict[str, Any], dict[str, Any]]],
) -> None:
    judge("run", runs[0].path)
    people = tmp_path / "people.jsonl"
    people.write_text("".join(json.dumps({"id": f"q{n}", "label": 5 - n}) + "\n" for n in range(4)))
    journal = runs[0].path / "judge-made.jsonl"
    printed, written = judge("agreement", journal, people)
    assert written == {key: one for key, one in printed.items() if key != "record"}
    assert Path(printed["record"]).parent == runs[0].path
    first, second = written["about"]["compared"]
    assert (first["name"], first["metric"]) == ("scripted-a", "judge.rubric@made")
    assert first["signature"] == overall(runs[0], "judge.rubric@made").signature
    assert (second["name"], second["task"], second["metric"]) == ("people.jsonl", None, None)
    assert written["equal"] == 0.25
    chosen = tmp_path / "elsewhere" / "agreement.json"
    assert judge("agreement", people, people, "-o", chosen)[1]["equal"] == 1.0


def test_agreement_of_two_files_of_people_lies_among_the_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        Path(f"{name}.jsonl").write_text('{"id": "q0", "label": "good"}\n')
    assert main(["judge", "agreement", "one.jsonl", "two.jsonl"]) == 0
    (place,) = Path("runs").iterdir()
    assert str(place) in capsys.readouterr().out.replace("\n", "")
    assert place.name.startswith("agreement-one.jsonl-two.jsonl-")


def test_what_is_no_result_is_told(runs: list[RunDir]) -> None:
    (runs[0].path / "judge-made.json").write_text('{"checks": 7}')
    found, problems = read_results(runs[0].path, CheckRecord)
    assert found == []
    assert problems == [
        "judge-made.json of scripted-a cannot be read; make it again with 'vlmbench judge'."
    ]


def test_an_output_goes_with_comparisons_only(
    runs: list[RunDir], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["judge", "run", str(runs[0].path), "--judge", "openai:x", "-o", "x.json"])
    assert "there is no option -o" in capsys.readouterr().err
