"""Run directories: names that are no paths, files that are replaced as a whole."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from vlmbench.errors import JournalError, UsageError
from vlmbench.records import Coverage, Estimate, MetricScore, RunRecord, SampleScores
from vlmbench.runs.directory import RunDir, find_runs, replace_file, safe_name
from vlmbench.runs.lock import lock

RECORD = RunRecord(
    model="m",
    task="t",
    model_spec={"options": {"a": [1, None]}},
    task_spec={"title": "題"},
    fingerprints={"model": "x"},
    estimates=(
        Estimate("x", {"kind": True}, 0.5, 0.1, 0.9, 3, 1, True, "sig", (0.1, 0.2)),
        Estimate("y", None, None, None, None, 0, 3, False, "sig"),
    ),
    coverage=Coverage(3, 2, {"image": 1}),
    performance={"seconds": 1.5, "latency_p50": None},
    environment={"python": "3", "ok": True, "n": 1},
    seed=0,
    created="2026-01-01T00:00:00+00:00",
)
ROWS = [
    SampleScores(
        "b\u2028", "k", {"n": 1}, {"m": MetricScore((1.0, 0.25)), "u": MetricScore(None, "?")}
    ),
    SampleScores("a", "k", {"n": True}, {}, "image"),
]


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("tiny-ja", "tiny-ja"),
        ("org/name", "org-name"),
        ("baseline:oracle", "baseline-oracle"),
        ("../../etc", "etc"),
        ("..", "unnamed"),
        ("", "unnamed"),
        (".hidden", "hidden"),
        ("日本 語", "日本-語"),
        ("a\0b\nc", "a-b-c"),
        ("Qwen2.5_VL+x", "Qwen2.5_VL+x"),
    ],
)
def test_safe_names(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_long_names_fit_a_file_system() -> None:
    assert len(safe_name("あ" * 500).encode()) <= 100


def test_round_trip(tmp_path: Path) -> None:
    run = RunDir.of(tmp_path, "org/m", "t")
    run.write_record(RECORD)
    run.write_scores(ROWS)
    assert run.read_record() == RECORD
    assert run.read_scores() == [ROWS[1], ROWS[0]]
    assert type(run.read_scores()[0].slices["n"]) is bool
    before = run.scores.read_bytes()
    run.write_scores(reversed(ROWS))
    assert run.scores.read_bytes() == before
    assert [path.name for path in sorted(run.path.iterdir())] == ["run.json", "scores.jsonl"]


def test_runs_are_found_at_every_level(tmp_path: Path) -> None:
    for model in ("m2", "m1"):
        RunDir.of(tmp_path, model, "t").write_record(RECORD)
    run = tmp_path / "m1" / "t"
    assert [one.path for one in find_runs([tmp_path])] == [run, tmp_path / "m2" / "t"]
    assert [one.path for one in find_runs([run, run.parent, tmp_path / "m1"])] == [run]


@pytest.mark.parametrize(("name", "fragment"), [("gone", "no directory"), ("empty", "no run in")])
def test_no_runs(tmp_path: Path, name: str, fragment: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=fragment):
        find_runs([tmp_path / name])


@pytest.mark.parametrize(
    ("old", "new", "fragment"),
    [
        ('"schema_version": 2', '"schema_version": 9', "schema version 9"),
        ('"seed": 0', '"seed": "x"', "field 'seed'"),
        ("{", "", "is not a run record"),
    ],
)
def test_damaged_records(tmp_path: Path, old: str, new: str, fragment: str) -> None:
    run = RunDir(tmp_path)
    run.write_record(RECORD)
    run.record.write_text(run.record.read_text().replace(old, new, 1))
    with pytest.raises(JournalError, match=fragment):
        run.read_record()


def test_half_a_surrogate_pair_is_read_back(tmp_path: Path) -> None:
    """JSON can hold one, and a data set's ids are its own affair."""
    odd = dataclasses.replace(ROWS[0], id="\ud800")
    RunDir(tmp_path).write_scores([odd])
    assert RunDir(tmp_path).read_scores() == [odd]


def test_damaged_scores(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    with pytest.raises(JournalError, match="vlmbench score"):
        run.read_scores()
    run.write_scores(ROWS)
    run.scores.write_text(run.scores.read_text() + '{"id": 1}\n')
    with pytest.raises(JournalError, match="damaged at line 3"):
        run.read_scores()


def test_a_record_with_no_finite_number_is_refused(tmp_path: Path) -> None:
    broken = dataclasses.replace(RECORD, performance={"seconds": float("nan")})
    with pytest.raises(ValueError, match="JSON compliant"):
        RunDir(tmp_path).write_record(broken)


def test_what_a_killed_writer_left_goes_with_the_next_writing(tmp_path: Path) -> None:
    """But not what another process is writing now, which it has locked."""
    run = RunDir(tmp_path)
    left, written, other = (
        tmp_path / f".{name}.x1" for name in ("scores.jsonl", "scores.jsonl.y", "a")
    )
    for path in (left, written, other):
        path.touch()
    with written.open("rb") as handle:
        assert lock(handle.fileno()) is None
        run.write_scores([])
        assert {path.name for path in tmp_path.iterdir()} == {
            "scores.jsonl",
            written.name,
            other.name,
        }


def test_a_device_is_written_to_and_a_link_stays_one(tmp_path: Path) -> None:
    """`-o /dev/null` of root put a file in its place, which other programs then wrote to."""
    master, slave = os.openpty()
    device, link = Path(os.ttyname(slave)), tmp_path / "link"
    link.symlink_to(device)
    for path in (device, link):
        replace_file(path, [b"a"])
        assert os.read(master, 9) == b"a" and path.is_char_device()
    os.close(slave)
    os.close(master)
    file, other = tmp_path / "file", tmp_path / "other"
    other.symlink_to(file)
    replace_file(other, [b"b"])
    assert other.is_symlink() and file.read_bytes() == b"b"
