"""The journal survives any death of its process and refuses to mix different runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vlmbench.environment import Memory
from vlmbench.errors import JournalError
from vlmbench.records import ImageRef, JournalSample, Response, ResponseError
from vlmbench.runs.journal import Journal, Session, read_journal
from vlmbench.runs.journal_header import Header

PRINTS = {"model": "m", "task": "t", "data": "d", "fields": "f", "prompt": "p", "code": "c"}


def header(**changes: Any) -> Header:
    values: dict[str, Any] = {
        "model": {"name": "x", "dtype": "auto"},
        "task": {"prompt": "何？", "generation": {"temperature": 0}},
        "origin": None,
        "fingerprints": PRINTS,
    }
    return Header(**{**values, **changes})


def response(number: int, text: str | None = "赤\u2028\x85青", **values: Any) -> Response:
    error = None if text is not None else ResponseError("runner", "no")
    return Response(f"q{number}", f"q{number}#k", text=text, error=error, **values)


def written(path: Path, count: int = 3) -> bytes:
    with Journal(path, header()) as journal:
        journal.begin(Session("2026-01-01T00:00:00+00:00", None, 0, {"device": "cpu"}))
        for number in range(count):
            journal.add(response(number, seconds=0.5, output_tokens=2, finish="stop"))
        journal.end(Memory(10.0))
    return path.read_bytes()


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "a" / "journal.jsonl"
    written(path)
    content = read_journal(path)
    assert content.header == header()
    assert content.damaged == []
    expected = response(1, seconds=0.5, output_tokens=2, finish="stop")
    assert content.responses["q1"] == expected
    (session,) = content.sessions
    assert (session.answered, session.peak_memory_mib) == (3, 10.0)
    with Journal(path, header()) as journal:
        assert journal.answered("q1#k", "q1")
        assert not journal.answered("q1#other", "q1")
        assert not journal.answered("q9#k", "q9")


def test_errors_are_asked_again_and_the_last_line_counts(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path, header()) as journal:
        journal.add(response(1, None))
        assert not journal.answered("q1#k", "q1")
        journal.add(response(1))
    assert read_journal(path).responses["q1"] == response(1)


def test_torn_at_every_byte(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    whole = written(path)
    ends = [at + 1 for at, byte in enumerate(whole) if byte == ord("\n")]
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        complete = sum(end <= size for end in ends)
        with Journal(path, header()) as journal:
            # Lines: header, session, three responses, end.
            assert len(journal.content.responses) == min(max(complete - 2, 0), 3)
            journal.add(response(7))
        after = read_journal(path)
        assert after.damaged == []
        assert after.responses["q7"] == response(7)


def test_zeros_after_a_power_cut(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(written(path) + b"\0" * 100)
    with Journal(path, header()) as journal:
        assert len(journal.content.responses) == 3
    assert b"\0" not in path.read_bytes()


def test_a_sample_is_read_back_beside_its_response(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    parts = ("何色？\n", ImageRef("0123456789abcdef"), "短く")
    meta = {"kind": "色", "n": 2, "share": 0.5, "none": None, "yes": True}
    sample = JournalSample(3, parts, ("0123456789abcdef",), ("赤", "赤色"), ("赤", "青"), meta, "p")
    with Journal(path, header()) as journal:
        journal.begin(Session("2026-01-01T00:00:00+00:00", None, 0, {}, total=5))
        journal.keep_corpus([(("赤",), {"kind": "色"})])
        journal.add(response(1), sample)
        journal.add(response(2, None), sample)
    content = read_journal(path)
    assert content.samples == {"q1": sample, "q2": sample}
    assert sample.question == "何色？\n<image>短く"
    assert content.responses == {"q1": response(1), "q2": response(2, None)}
    assert content.corpus == [(("赤",), {"kind": "色"})]
    assert content.sessions[0].total == 5


def test_another_version_of_vlmbench_and_other_metrics_go_on(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    written(path)
    task = {**header().task, "metrics": ["other"], "display": {"title": "x"}}
    later = header(task=task, fingerprints={**PRINTS, "task": "t2", "code": "c2"})
    with Journal(path, later) as journal:
        assert journal.task_changes == ("display", "metrics")
        assert journal.answered("q1#k", "q1")
    size = path.stat().st_size
    with Journal(path, later) as journal:
        assert journal.task_changes == ()
    assert path.stat().st_size == size
    assert read_journal(path).header == later


def test_a_difference_far_into_a_text_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    long = "同じ文。" * 50
    with Journal(path, header(task={"prompt": f"{long}短く。"})) as journal:
        journal.begin(Session("2026-01-01T00:00:00+00:00", None, 0, {}))
    other = header(task={"prompt": f"{long}詳しく。"}, fingerprints={**PRINTS, "prompt": "p2"})
    with pytest.raises(JournalError, match=r"\.\.\..*短く。\" there, \.\.\..*詳しく。\" now"):
        Journal(path, other)


@pytest.mark.parametrize("bad", [b"garbage", b'{"type":"response"}', b"[]", b"{}", b'"x"'])
def test_a_damaged_line_costs_its_sample_only(tmp_path: Path, bad: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    lines = written(path).split(b"\n")
    lines[3] = bad
    path.write_bytes(b"\n".join(lines))
    with Journal(path, header()) as journal:
        assert journal.content.damaged == [4]
        assert not journal.answered("q1#k", "q1")
        assert journal.answered("q2#k", "q2")


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        (
            {"model": {"name": "x", "dtype": "float16"}},
            'another model (dtype: "auto" there, "float16" now)',
        ),
        (
            {"task": {"prompt": "誰？", "generation": {"temperature": 0}}},
            'another prompt (prompt: "何？" there, "誰？" now)',
        ),
        ({"fields": None}, 'other fields of the task (fingerprint "f" there, "other" now)'),
        ({"data": None}, 'other data (fingerprint "d" there, "other" now)'),
    ],
)
def test_another_configuration_is_refused(
    tmp_path: Path, changes: dict[str, Any], fragment: str
) -> None:
    path = tmp_path / "journal.jsonl"
    before = written(path)
    (name, value), *_ = changes.items()
    field = "prompt" if name == "task" else name
    values = {name: value} if value else {}
    other = header(**values, fingerprints={**PRINTS, field: "other"})
    with pytest.raises(JournalError) as caught:
        Journal(path, other)
    assert f"holds answers for {fragment}" in str(caught.value)
    assert ("--name" if fragment.startswith("another model") else "--out") in str(caught.value)
    assert path.read_bytes() == before
    with Journal(path, other, fresh=True) as journal:
        assert journal.content.responses == {}


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        (b"hello\n", "does not begin with a journal's header"),
        (b'{"type":"header"}\n', "does not begin with a journal's header"),
        (b'{"a": 1}\n{"b": 2}\n', "does not begin with a journal's header"),
    ],
)
def test_a_file_that_is_no_journal_is_left_alone(
    tmp_path: Path, content: bytes, fragment: str
) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(content)
    with pytest.raises(JournalError, match=fragment):
        Journal(path, header())
    assert path.read_bytes() == content


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path, header()), pytest.raises(JournalError, match="Another run is writing"):
        Journal(path, header())
    Journal(path, header()).close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a small disk needs more rights")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_loses_nothing(small_disk: Path) -> None:
    path = small_disk / "journal.jsonl"
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 40_000)
    journal = Journal(path, header())
    with journal, pytest.raises(JournalError, match="No space left on device"):
        for number in range(1000):
            journal.add(response(number, "長い答え" * 30))
    kept = read_journal(path)
    assert kept.damaged == []
    assert 0 < len(kept.responses) == number
    ballast.unlink()
    with Journal(path, header()) as journal:
        assert len(journal.content.responses) == number
        journal.add(response(number))


def test_a_read_only_directory(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    tmp_path.chmod(0o500)
    with pytest.raises(JournalError, match="Permission denied"):
        Journal(tmp_path / "journal.jsonl", header())


def test_an_output_directory_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    with pytest.raises(JournalError, match="cannot be written"):
        Journal(tmp_path / "out" / "journal.jsonl", header())


def test_lines_are_canonical(tmp_path: Path) -> None:
    for line in written(tmp_path / "journal.jsonl").decode().split("\n")[:-1]:
        value = json.loads(line)
        assert line == json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0b100]) + data[at + 1 :]


def test_a_flipped_bit_anywhere_is_noticed_and_costs_its_line_only(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    whole = written(path)
    ends = [at for at, byte in enumerate(whole) if byte == ord("\n")]
    for at in range(0, len(whole), 7):
        if at in ends:  # two lines become one, which is two lines lost
            continue
        path.write_bytes(flipped(whole, at))
        line = 1 + sum(end < at for end in ends)
        with Journal(path, header()) as journal:
            if 1 not in journal.content.damaged and line == 1:
                continue  # the name of the checksum was hit: the header is as it was
            assert journal.content.damaged == [line]
            assert len(journal.content.responses) == (2 if line in (3, 4, 5) else 3)
            assert journal.content.header.fingerprints == header().fingerprints


def test_a_damaged_header_is_repaired_for_the_same_run_only(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    damaged = flipped(written(path), 40)
    path.write_bytes(damaged)
    with pytest.raises(JournalError, match="run the same 'vlmbench run' again, which repairs it"):
        read_journal(path)
    other = replace(header(), fingerprints={**header().fingerprints, "model": "another"})
    with pytest.raises(JournalError, match="answers for another model"):
        Journal(path, other)
    assert path.read_bytes() == damaged
    Journal(path, header()).close()
    content = read_journal(path)
    assert content.header == header()
    assert content.damage(path) is None
    assert len(content.responses) == 3


def test_crlf_line_ends_are_read(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(written(path).replace(b"\n", b"\r\n"))
    assert read_journal(path).damaged == []


@pytest.mark.parametrize("what", ["removed", "moved", "replaced"])
def test_a_journal_that_is_taken_away_ends_the_run(tmp_path: Path, what: str) -> None:
    path = tmp_path / "run" / "journal.jsonl"
    with Journal(path, header()) as journal:
        journal.add(response(1))
        if what == "removed":
            shutil.rmtree(path.parent)
        else:
            path.parent.rename(tmp_path / "elsewhere")
        if what == "replaced":
            written(path)
        with pytest.raises(JournalError, match="removed, moved or replaced"):
            journal.add(response(2))


def test_a_journal_that_is_cut_ends_the_run_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path, header()) as journal:
        journal.add(response(1))
        size = path.stat().st_size
        journal.add(response(2))
        os.truncate(path, size)
        with pytest.raises(JournalError, match=r"was cut from [\d,]+ to [\d,]+ bytes"):
            journal.add(response(3))
    with Journal(path, header()) as journal:
        assert set(journal.content.responses) == {"q1"}


def test_the_other_writer_is_named(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path, header()), pytest.raises(JournalError) as caught:
        Journal(path, header())
    if Path("/proc/locks").exists() and "process" in str(caught.value):
        assert f"(process {os.getpid()})" in str(caught.value)


def test_a_clock_that_was_set_back_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    for number, day in enumerate(("2026-05-02", "2026-05-01", "1970-01-01")):
        with Journal(path, header()) as journal:
            journal.begin(Session(f"{day}T00:00:00+00:00", None, 0, {}))
            journal.add(response(number))
    content = read_journal(path)
    assert [one.created[:10] for one in content.sessions] == [
        *("2026-05-02", "2026-05-01", "1970-01-01")
    ]
    assert list(content.responses) == ["q0", "q1", "q2"]
    assert all(session.seconds >= 0 for session in content.sessions)


def test_equal_values_of_many_lines_are_one_object(tmp_path: Path) -> None:
    """A journal of a million lines has few references, choices and metas."""
    path = tmp_path / "journal.jsonl"
    metas: list[dict[str, Any]] = [{"a": 1}, {"a": 1}, {"a": True}, {"a": 1.0}]
    with Journal(path, header()) as journal:
        for number, meta in enumerate(metas):
            asked = JournalSample(number, ("何？",), (), ("赤",), ("赤", "青"), meta, f"q{number}")
            journal.add(response(number, finish="stop"), asked)
    content = read_journal(path)
    one, other, *others = (content.samples[f"q{number}"] for number in range(4))
    assert one.references is other.references and one.choices is other.choices
    assert one.meta is other.meta
    assert [repr(each.meta) for each in others] == ["{'a': True}", "{'a': 1.0}"]
    assert content.responses["q0"].text is content.responses["q1"].text
    assert one.cluster is content.responses["q0"].sample_id
