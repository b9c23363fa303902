"""How the number of simultaneous requests follows what a server does, without any server."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from vlmbench.runners.api.concurrency import AdaptiveLimit


def rounds(limit: AdaptiveLimit, count: int, latency: Callable[[int], float]) -> list[int]:
    """The limit after each round of answers, whose latency depends on how many share the server."""
    sizes = []
    for _ in range(count):
        size = limit.size
        for _ in range(max(size, 4)):
            limit.succeeded(limit.started(), latency(size))
            if limit.size != size:
                break
        sizes.append(limit.size)
    return sizes


def test_it_doubles_while_latency_stays() -> None:
    assert rounds(AdaptiveLimit(50), 6, lambda size: 1.0) == [4, 8, 16, 32, 50, 50]


@pytest.mark.parametrize("capacity", [4, 8, 16])
def test_it_settles_around_what_a_server_does_at_once(capacity: int) -> None:
    """Beyond its capacity a server queues: latency grows in proportion.

    At most twice the capacity is within the tolerance; a doubling may overshoot once.
    """
    sizes = rounds(AdaptiveLimit(500), 60, lambda size: max(1.0, size / capacity))
    assert max(sizes) <= 4 * capacity
    assert all(capacity <= size <= 2 * capacity + 1 for size in sizes[-20:])


def test_longer_requests_are_no_overload() -> None:
    limit = AdaptiveLimit(64)
    rounds(limit, 6, lambda size: 1.0)
    assert rounds(limit, 100, lambda size: 10.0)[-1] == 64


def test_after_the_first_cut_it_grows_by_one() -> None:
    limit = AdaptiveLimit(500)
    rounds(limit, 4, lambda size: 1.0)
    assert limit.size == 32
    limit.failed(limit.started())
    assert limit.size == 16
    assert rounds(limit, 3, lambda size: 1.0) == [17, 18, 19]


def test_failures_of_one_overload_count_once() -> None:
    limit = AdaptiveLimit(64)
    rounds(limit, 5, lambda size: 1.0)
    tickets = [limit.started() for _ in range(64)]
    for ticket in tickets:
        limit.failed(ticket)
    assert limit.size == 32


def test_it_never_ends_below_one() -> None:
    limit = AdaptiveLimit(1)
    for _ in range(3):
        limit.failed(limit.started())
    assert limit.size == 1
    assert rounds(limit, 3, lambda size: 1.0) == [1, 1, 1]


def test_answers_that_started_before_a_cut_say_nothing() -> None:
    limit = AdaptiveLimit(64)
    old = limit.started()
    limit.failed(old)
    for _ in range(100):
        limit.succeeded(old, 1.0)
    assert limit.size == 1
