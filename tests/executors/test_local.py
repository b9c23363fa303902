"""The local executor: bounded look-ahead, errors where they belong."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence

import pytest
from made_requests import request_for

from vlmbench.errors import ModelError, VlmbenchError
from vlmbench.executors.base import CheckedExecutor
from vlmbench.executors.local import PREFETCH, LocalExecutor, prefetched
from vlmbench.models.resolve import resolve_model


def test_prefetching_keeps_order_and_stays_within_its_bound() -> None:
    taken: list[int] = []

    def batches() -> Iterator[Sequence[int]]:
        for number in range(50):
            taken.append(number)
            yield [number]

    encoded = prefetched(lambda batch: batch[0] * 10, batches(), threads=2)
    assert next(encoded) == 0
    time.sleep(0.3)
    assert len(taken) <= 1 + PREFETCH
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
        for one in prefetched(encode, batches(), threads=2):
            found.append(one)
    assert found == [0, 1, 2]


def test_leaving_early_stops_the_threads() -> None:
    before = threading.active_count()
    encoded = prefetched(lambda batch: batch, ([n] for n in range(10**6)), threads=2)
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


def test_without_requests_nothing_is_loaded() -> None:
    executor = LocalExecutor(batch_size=2)
    missing = resolve_model("tiny-ja", device="cpu")
    missing = type(missing)(**{**missing.as_dict(), "location": "no/such/directory"})
    assert list(executor.map(missing, iter(()))) == []
    with pytest.raises(VlmbenchError):
        executor.map(missing, [request_for(0)])


def test_a_check_comes_before_the_first_request_only() -> None:
    def check() -> None:
        raise ModelError("no judge")

    spec = resolve_model("baseline:oracle")
    executor = CheckedExecutor(LocalExecutor(batch_size=2), check)
    assert list(executor.map(spec, [])) == []
    with pytest.raises(ModelError, match="no judge"):
        executor.map(spec, [request_for(0)])
