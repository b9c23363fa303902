"""Batches of similar cost, and how large they may be."""

from __future__ import annotations

import pytest
from made_requests import request_for
from made_tasks import picture

from vlmbench.executors.batches import BatchSize, cost, form_batches
from vlmbench.records import Generation, Image, ImagePart, Request, TextPart


def lengths(batches: list[list[Request]]) -> list[list[int]]:
    return [[len(one.parts[0].text) for one in batch] for batch in batches]  # type: ignore[union-attr]


def test_cost_counts_characters_pixels_and_new_tokens() -> None:
    image = Image(picture(size=(56, 28)))
    broken = Image(b"no image")
    parts = (TextPart("四文字だ"), ImagePart(image), ImagePart(broken))
    assert cost(Request("q", parts, Generation(max_new_tokens=10))) == 4 + 2 + 10


def test_batches_are_sorted_within_a_window_only() -> None:
    wanted = [7, 20, 1, 9, 2, 8, 3, 7, 4, 6, 5, 5, 6, 4, 7, 3, 8, 2, 30, 1]
    requests = [request_for(number, length) for number, length in enumerate(wanted)]
    batches = list(form_batches(requests, BatchSize(2), cost=cost))
    assert lengths(batches) == [
        *([7], [20, 1]),  # the first windows are a batch each, a small one and a whole one
        *([30, 9], [8, 8], [7, 7], [6, 6], [5, 5], [4, 4], [3, 3], [2, 2]),
        [1],
    ]
    plain = list(form_batches(requests, BatchSize(4)))
    assert [one.sample_id for batch in plain for one in batch] == [r.sample_id for r in requests]
    assert [len(batch) for batch in plain] == [1, 2, 4, 4, 4, 4, 1]


@pytest.mark.parametrize(
    ("count", "workers", "sizes"),
    [
        (5, 2, [3, 2]),
        (24, 2, [4, 4, 8, 8]),  # small ones at first
        (76, 2, [4, 4, 8, 8, 16, 16, 10, 10]),  # not 16 and 4, which would leave one worker idle
        (52, 1, [4, 8, 16, 12, 12]),
        (1, 4, [1]),
    ],
)
def test_the_last_window_is_shared_out_evenly(count: int, workers: int, sizes: list[int]) -> None:
    requests = map(request_for, range(count))
    assert [len(b) for b in form_batches(requests, BatchSize(16), workers=workers)] == sizes


def test_only_a_window_is_taken() -> None:
    taken: list[int] = []

    def endless() -> object:
        for number in range(10**9):
            taken.append(number)
            yield request_for(number)

    batches = form_batches(endless(), BatchSize(4), cost=cost, workers=2)  # type: ignore[arg-type]
    next(batches)
    assert len(taken) == 2  # a small batch for each worker: the first answers come soon
    sizes = [len(next(batches)) for _ in range(5)]
    assert (sizes, len(taken)) == ([1, 2, 2, 4, 4], 2 + 4 + 8)
    next(batches)
    assert len(taken) == 2 + 4 + 8 + 32


def test_a_batch_that_did_not_fit_makes_later_ones_smaller() -> None:
    size = BatchSize(8)
    requests = [request_for(number, 36, new_tokens=64) for number in range(8)]  # 100 each
    size.report(requests, 2)
    assert size.fitting(100) == 2
    assert size.fitting(25) == 8  # four times as cheap
    assert size.fitting(1000) == 1
    size.report(requests[:2], None)
    assert size.fitting(100) == 2


def test_on_a_gpu_the_size_grows_until_memory_runs_out() -> None:
    size = BatchSize(None)
    assert size.size == 32
    size.begin("cuda:0")
    grown = []
    for _ in range(3):
        batch = [request_for(number, new_tokens=9) for number in range(size.size)]
        grown.append(len(batch))
        size.report(batch, None)
    assert (grown, size.size) == ([8, 16, 32], 64)
    size.report(batch[:3], None)  # the rest of a window says nothing
    assert size.size == 64
    size.report([request_for(number, new_tokens=9) for number in range(64)], 32)
    assert size.fitting(10) == 32
    size.begin("cuda:0")  # the next task
    size.report([request_for(number) for number in range(64)], None)
    assert size.fitting(10) == 32
    fixed = BatchSize(16)
    fixed.begin("cuda:0")
    assert fixed.size == 16
