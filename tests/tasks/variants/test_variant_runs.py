"""Asking otherwise, by the command line: runs of their own that nothing else takes for a task."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from locations import ROOT
from made_gate import save
from made_tasks import color_rows, write_task

from vlmbench.cli.main import main
from vlmbench.compare.gate.check import check
from vlmbench.report.html import build_report
from vlmbench.tasks.registry import load_task

BASELINE = ROOT / "reports" / "baseline.json"
PROMPTS = {"polite": "{{ row.question | interleave }}\nお願いします。", "terse": "何色"}
ORACLE = Path("baseline-oracle")


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main([*arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.fixture
def task(tmp_path: Path) -> str:
    return str(write_task(tmp_path / "task", color_rows(12), paraphrases=PROMPTS))


@pytest.fixture
def run(task: str, tmp_path: Path) -> list[str]:
    options = ["--model", "baseline:oracle", "--tasks", task, "--out", str(tmp_path / "runs")]
    return ["run", "--quiet", *options, "--image-mode", "blind,shuffled,noise", "--prompts", "2"]


def test_one_command_asks_the_plain_form_too(
    run: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = call(capsys, *run)
    assert [one["task"] for one in found["runs"]] == ["colors"]
    labels = ["blind", "shuffled", "noise", "prompt-polite", "prompt-terse"]
    assert [one["variant"] for one in found["variants"]] == labels
    folders = sorted(path.name for path in (tmp_path / "runs" / ORACLE).iterdir())
    assert folders == sorted(["colors", *(f"colors@{label}" for label in labels)])
    (diagnosis,) = found["diagnostics"]
    # An oracle answers from the references: the image is worth nothing to it. None of 12 differs:
    # Wilson's upper end is z^2 / (n + z^2) = 3.8415 / 15.8415 = 0.2425.
    for gain in diagnosis["gains"]:
        assert (gain["gain"], gain["n"]) == (0.0, 12)
        assert (gain["low"], gain["high"]) == pytest.approx((-0.2425, 0.2425), abs=1e-4)
        assert gain["verdict"] == "no gain shown"
    (spread,) = diagnosis["prompts"]
    assert (spread["spread"]["value"], spread["spread"]["low"]) == (0.0, 0.0)
    assert spread["spread"]["high"] == pytest.approx(0.2425, abs=1e-4)


def test_variants_resume_and_score_as_any_run(
    run: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = call(capsys, *run)
    out = tmp_path / "runs"
    before = {path: path.read_bytes() for path in sorted(out.rglob("*.jsonl"))}
    assert len(before) == 12
    assert call(capsys, *run) == first
    for path in out.rglob("scores.jsonl"):
        path.unlink()
    scored = call(capsys, "score", str(out))
    assert scored["diagnostics"] == first["diagnostics"]
    assert {path: path.read_bytes() for path in sorted(out.rglob("*.jsonl"))} == before


def test_answers_of_another_variant_are_refused(
    run: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call(capsys, *run)
    folder = tmp_path / "runs" / ORACLE
    shutil.copy(folder / "colors" / "journal.jsonl", folder / "colors@blind" / "journal.jsonl")
    assert main(run) == 2
    assert "holds answers for another variant" in capsys.readouterr().err
    shutil.copy(folder / "colors@noise" / "journal.jsonl", folder / "colors" / "journal.jsonl")
    assert main(run) == 2
    assert "holds answers for another variant" in capsys.readouterr().err


def test_another_seed_of_noise_is_another_variant(
    run: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    call(capsys, *run)
    assert main([*run, "--seed", "1"]) == 2
    assert "another variant" in capsys.readouterr().err


def test_the_gate_passes_variants_over(
    run: list[str], task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call(capsys, *run)
    model = tmp_path / "runs" / ORACLE
    save([model], tmp_path / "b.json")
    report = check([model], tmp_path / "b.json")
    rows = [(row.task, row.verdict) for row in report.rows if row.kind == "task"]
    assert rows == [("colors", "unchanged")]
    assert report.notes == ()
    blind = ["gate", "check", str(model / "colors@blind"), "--baseline", str(tmp_path / "b.json")]
    assert main(blind) == 2
    assert "is a run of a variant (blind) and is not gated" in capsys.readouterr().err


def test_the_report_shows_variants_only_as_diagnostics(
    run: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call(capsys, *run)
    site = build_report([tmp_path / "runs"], tmp_path / "site").parent
    assert [path.name for path in (site / "tasks").iterdir()] == ["colors.html"]
    for page in (site / "index.html", site / "tasks" / "colors.html"):
        text = page.read_text(encoding="utf-8")
        assert "+0.000" in text
        assert 'data-t="no_gain_shown"' in text
        assert "colors@" not in text


def test_without_variants_the_index_has_no_diagnostics(
    task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--model", "baseline:oracle", "--tasks", task, "--out", str(tmp_path / "runs")]
    found = call(capsys, "run", "--quiet", *options)
    assert (found["diagnostics"], found["variants"]) == ([], [])
    site = build_report([tmp_path / "runs"], tmp_path / "site").parent
    assert 'data-view="diagnostics"' not in (site / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "fragment"),
    [
        ("--image-mode blnd", "Did you mean 'blind'"),
        ("--options rotate", "has no options"),
        ("--prompts x", "is not a whole number"),
        ("--options turn", "invalid choice: 'turn'"),
    ],
)
def test_mistakes_are_one_sentence(
    options: str, fragment: str, task: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["run", "--quiet", "--model", "baseline:oracle", "--tasks", task, *options.split()]
    try:
        code = main(command)
    except SystemExit as way_out:
        code = int(way_out.code or 0)
    message = capsys.readouterr().err
    assert (code, message.count("\n")) == (2, 1)
    assert fragment in message


def test_what_cannot_be_asked_of_one_task_is_said_and_the_rest_runs(
    tmp_path: Path, task: str, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_task(tmp_path / "other", color_rows(6), name="other")
    options = ["--model", "baseline:oracle", "--tasks", f"{task},{other}", "--out", str(tmp_path)]
    assert main(["run", "--quiet", *options, "--prompts", "1"]) == 0
    assert "Task 'other' has no 'paraphrases'" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["ja-caption", "ja-chart", "ja-multi-image", "ja-vqa"])
def test_paraphrases_are_in_no_fingerprint(name: str) -> None:
    """The committed baseline was saved before there were any."""
    saved = json.loads(BASELINE.read_text(encoding="utf-8"))["tasks"][name]["fingerprints"]
    task = load_task(name)
    assert task.paraphrases
    assert (task.fingerprint, task.prompt_fingerprint) == (saved["task"], saved["prompt"])


def test_a_model_that_looks_is_worse_without_its_images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--model", "tiny-ja", "--tasks", "ja-vqa", "--limit", "40", "--replicas", "1"]
    options += ["--image-mode", "blind,shuffled", "--out", str(tmp_path)]
    (found,) = call(capsys, "run", "--quiet", *options)["diagnostics"]
    for gain in found["gains"]:
        assert gain["low"] > 0
        assert gain["verdict"] == "looks"
