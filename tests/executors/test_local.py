"""The local executor: batches of similar cost, bounded look-ahead, errors where they belong."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence

import pytest
from made_tasks import picture

from vlmbench.executors.local import LocalExecutor, cost, form_batches, prefetched
from vlmbench.models import resolve_model
from vlmbench.records import Generation, Image, ImagePart, Request, TextPart


def request(number: int, length: int = 1) -> Request:
    return Request(f"q{number}", (TextPart("字" * length),), Generation())


def test_cost_counts_characters_and_pixels() -> None:
    image = Image(picture(size=(56, 28)))
    broken = Image(b"no image")
    parts = (TextPart("四文字だ"), ImagePart(image), ImagePart(broken))
    assert cost(Request("q", parts, Generation())) == 4 + 2


def test_batches_are_sorted_within_a_window_only() -> None:
    lengths = [1, 9, 2, 8, 3, 7, 4, 6, 5, 5, 6, 4, 7, 3, 8, 2, 30, 1]
    requests = [request(number, length) for number, length in enumerate(lengths)]
    batches = [
        [len(one.parts[0].text) for one in batch]  # type: ignore[union-attr]
        for batch in form_batches(requests, 2, cost=cost)
    ]
    assert batches == [[9, 8], [8, 7], [7, 6], [6, 5], [5, 4], [4, 3], [3, 2], [2, 1], [30, 1]]
    plain = list(form_batches(requests, 4))
    assert [one.sample_id for batch in plain for one in batch] == [r.sample_id for r in requests]
    assert [len(batch) for batch in plain] == [4, 4, 4, 4, 2]


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
    spec = type(spec)(**{**spec.as_dict(), "options": {"answers": {"q0": "赤"}}})
    first, missing = executor.map(spec, [request(0), request(1)])
    assert first.text == "赤"
    assert missing.error is not None
    runner = executor._runner
    list(executor.map(spec, [request(0)]))
    assert executor._runner is runner
    executor.close()
    assert executor.describe() == {"executor": "local", "batch_size": 2}
