"""The local executor: bounded look-ahead, errors where they belong."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence

import pytest
from made_requests import request_for

from vlmbench.executors.local import LocalExecutor, prefetched
from vlmbench.models.resolve import resolve_model


def test_prefetching_keeps_order_and_stays_within_its_bound() -> None:
    taken: list[int] = []

    def batches() -> Iterator[Sequence[int]]:
        for number in range(50):
            taken.append(number)
            yield [number]

    encoded = prefetched(lambda batch: batch[0] * 10, batches())
    assert next(encoded) == 0
    time.sleep(0.3)
    # One handed out, two ready, one in the feeder's hands, one about to be made.
    assert len(taken) <= 5
    assert list(encoded) == [number * 10 for number in range(1, 50)]


@pytest.mark.parametrize("where", ["batches", "encode"])
def test_an_error_comes_out_where_its_batch_would_have(where: str) -> None:
    def batches() -> Iterator[int]:
        yield from range(3)
        if where == "batches":
            raise RuntimeError("broken")
        yield 3

    def encode(number: int) -> int:
        if number == 3:
            raise RuntimeError("broken")
        return number

    found = []
    with pytest.raises(RuntimeError, match="broken"):
        for one in prefetched(encode, batches()):
            found.append(one)
    assert found == [0, 1, 2]


def test_leaving_early_stops_the_threads() -> None:
    before = threading.active_count()
    encoded = prefetched(lambda batch: batch, ([n] for n in range(10**6)))
    assert next(encoded) == [0]
    encoded.close()
    assert threading.active_count() == before


def test_a_runner_is_kept_for_the_next_task() -> None:
    executor = LocalExecutor(batch_size=2)
    spec = resolve_model("baseline:oracle")
    spec = type(spec)(**{**spec.as_dict(), "answers": {"q0": "赤"}})
    first, missing = executor.map(spec, [request_for(0), request_for(1)])
    assert first.text == "赤"
    assert missing.error is not None
    runner = executor._runner
    list(executor.map(spec, [request_for(0)]))
    assert executor._runner is runner
    executor.close()
    assert executor.describe() == {"executor": "local", "replicas": 1, "batch_size": 2}
