"""What lies on disk comes back as it was, in order, however much it is."""

from __future__ import annotations

import itertools
import random
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from vlmbench.errors import TemporaryError
from vlmbench.runs import spool
from vlmbench.runs.spool import Backlog, Column, Index, Spool, sorted_keys


def spooled(count: int) -> Spool[str]:
    return Spool((str(n) for n in range(count)), pack=int, unpack=str)


@pytest.mark.parametrize("count", [0, 1, spool.TOGETHER, 3 * spool.TOGETHER + 1])
@pytest.mark.parametrize("in_memory", [1, spool.IN_MEMORY])
def test_a_spool_is_read_as_often_as_need_be(
    count: int, in_memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY", in_memory)
    items = spooled(count)
    assert len(items) == count
    wanted = [str(n) for n in range(count)]
    assert list(items) == wanted
    # Two readers at a time, at different places.
    first, second = iter(items), iter(items)
    assert list(zip(first, second, strict=False)) == list(zip(wanted, wanted, strict=True))


def test_a_backlog_is_a_queue_between_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "TOGETHER", 8)
    backlog: Backlog[int] = Backlog()
    count, found = 5000, []
    feeder = threading.Thread(target=lambda: [backlog.put(n) for n in range(count)])
    feeder.start()
    while len(found) < count:
        found += backlog.take_all()
    feeder.join()
    assert found == list(range(count))
    assert list(backlog.take_all()) == []


@pytest.mark.parametrize(("run", "merged"), [(1, 2), (7, 3), (100, 32), (10_000, 32)])
def test_lines_are_sorted_by_code_points(
    run: int, merged: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "RUN", run)
    monkeypatch.setattr(spool, "MERGED", merged)
    keys = [
        f"{letter}{n}" for letter in ("a", "é", "橋", "\ue000", "😀", "\ud800") for n in range(50)
    ]
    random.Random(1).shuffle(keys)
    found = list(sorted_keys((key, f"line of {key}") for key in keys))
    assert found == [(key, f"line of {key}") for key in sorted(keys)]


@pytest.mark.parametrize("count", [0, 1, 7, 8, 30])
def test_a_column_is_read_by_stretches(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY", 1)
    column = Column(np.float64, 8)
    for number in range(count):
        column.append(number / 2)
    assert len(column) == count
    found = [list(column.stretch(number)) for number in range(-(-count // 8))]
    assert list(itertools.chain(*found)) == [number / 2 for number in range(count)]


def test_an_index_holds_a_number_for_each_text() -> None:
    index = Index()
    texts = [*(f"q{number}" for number in range(3000)), "\ud800", "", "\0", "é", "e\u0301"]
    for number, text in enumerate(texts):
        assert index.find(text) is None
        assert index.put(text, number)
        assert index.find(text) == number
    assert len(index) == len(texts)
    assert list(index.numbers()) == list(range(len(texts)))
    assert not index.put("q7", 9000)
    assert (index.find("q7"), len(index)) == (9000, len(texts))
    assert list(index.numbers())[-1] == 9000


def test_an_index_is_asked_while_it_grows() -> None:
    index = Index()
    count = 20_000
    writer = threading.Thread(target=lambda: [index.put(str(n), n) for n in range(count)])
    writer.start()
    while (length := len(index)) < count:
        assert index.find(str(length - 1)) == (length - 1 if length else None)
    writer.join()
    assert index.find("7") == 7


@pytest.fixture
def full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Temporary files go to a file system of 64 KiB."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a small disk needs more rights")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)  # files may be open


def put_many(index: Index) -> None:
    for number in range(200_000):
        index.put(f"a text of some length, number {number}", number)


@pytest.mark.usefixtures("full_disk")
@pytest.mark.parametrize(
    "fill",
    [
        lambda: spooled(1_000_000),
        lambda: put_many(Index()),
        lambda: backlog_of(1000),
        lambda: column_of(100_000),
        lambda: list(sorted_keys((str(n), f"line {n}" * 9) for n in range(50_000))),
    ],
    ids=["spool", "index", "backlog", "column", "sorted"],
)
def test_a_full_disk_is_said_in_a_sentence(fill: Callable[[], object]) -> None:
    with pytest.raises(TemporaryError, match="name another folder in TMPDIR"):
        fill()


def backlog_of(count: int) -> None:
    backlog: Backlog[str] = Backlog()
    for _ in range(count):
        backlog.put("x" * 10_000)


def column_of(count: int) -> None:
    column = Column(np.float64, 1000)
    for number in range(count):
        column.append(number)
