"""What lies on disk comes back as it was, in order, however much it is."""

from __future__ import annotations

import random
import threading

import pytest

from vlmbench import spool
from vlmbench.spool import Backlog, Spool, sorted_keys


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


@pytest.mark.parametrize("run", [7, 100, 10_000])
def test_lines_are_sorted_by_code_points(run: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "RUN", run)
    keys = [
        f"{letter}{n}" for letter in ("a", "é", "橋", "\ue000", "😀", "\ud800") for n in range(50)
    ]
    random.Random(1).shuffle(keys)
    found = list(sorted_keys((key, f"line of {key}") for key in keys))
    assert [key for key, _, _ in found] == sorted(keys)
    assert all(keys[number] == key and line == f"line of {key}" for key, number, line in found)
