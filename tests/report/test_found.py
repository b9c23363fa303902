"""A run that cannot be read is left out and named; the others are shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_runs import answered_run, make_task, question

from vlmbench.cli.main import main
from vlmbench.errors import UsageError
from vlmbench.report.found import read_runs
from vlmbench.report.html import build_site

ROWS = [question(n) for n in range(4)]
RIGHT = {row["id"]: "赤" for row in ROWS}


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    task = make_task(tmp_path / "tasks", ROWS)
    for name in ("good", "bad"):
        answered_run(task, tmp_path / "runs", name, RIGHT)
    return tmp_path / "runs"


def test_a_run_that_goes_on_or_was_killed(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("run.json", "scores.jsonl"):  # what a killed run has not written
        (runs / "scripted-bad" / "ja-small" / name).unlink()
    assert main(["report", str(runs), "--out", str(tmp_path / "site")]) == 0
    said = capsys.readouterr()
    assert "Left out: scripted-bad/ja-small: it has not finished" in said.err
    page = (tmp_path / "site" / "index.html").read_text()
    assert "scripted-bad/ja-small" in page and 'data-model="scripted-good"' in page
    assert 'data-model="scripted-bad"' not in page


@pytest.mark.parametrize(
    ("file", "damage", "said"),
    [
        ("run.json", "{", "is not a run record"),
        ("run.json", '{"schema_version": 2}', "wrong or missing field"),
        ("scores.jsonl", "{\n", "is damaged at line 1"),
        ("scores.jsonl", "", "has 0 samples where run.json says 4"),
    ],
)
def test_a_damaged_run(runs: Path, tmp_path: Path, file: str, damage: str, said: str) -> None:
    (runs / "scripted-bad" / "ja-small" / file).write_text(damage)
    report = build_site([runs], tmp_path / "site")
    (left_out,) = report.left_out
    assert left_out.run == "scripted-bad/ja-small" and said in left_out.reason
    assert str(tmp_path) not in (tmp_path / "site" / "index.html").read_text()  # no path of ours
    assert not (tmp_path / "site" / "models" / "scripted-bad.html").exists()


def test_scores_that_lost_their_end(runs: Path, tmp_path: Path) -> None:
    path = runs / "scripted-bad" / "ja-small" / "scores.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:3]))
    (left_out,) = build_site([runs], tmp_path / "site").left_out
    assert "3 samples where run.json says 4" in left_out.reason


def test_a_missing_scores_file(runs: Path) -> None:
    (runs / "scripted-bad" / "ja-small" / "scores.jsonl").unlink()
    found = read_runs([runs])
    assert [run.record.model for run in found.plain] == ["scripted-good"]
    assert "is missing" in found.left_out[0].reason


def test_nothing_that_can_be_read_is_an_error(runs: Path, tmp_path: Path) -> None:
    for path in runs.glob("*/*/run.json"):
        path.unlink()
    with pytest.raises(UsageError, match="No run can be read: scripted-"):
        build_site([runs], tmp_path / "site")
    assert not (tmp_path / "site" / "index.html").exists()


def test_variants_belong_to_their_plain_run(runs: Path) -> None:
    plain = runs / "scripted-good" / "ja-small"
    variant = plain.with_name("ja-small@blind")
    variant.mkdir()
    for file in plain.iterdir():
        (variant / file.name).write_bytes(file.read_bytes())
    record = json.loads((variant / "run.json").read_text())
    (variant / "run.json").write_text(json.dumps({**record, "variant": "blind"}))
    found = read_runs([runs])
    assert len(found.plain) == 2
    assert [[*labels] for labels in found.variants.values()] == [[], ["blind"]]
