"""The process that strangers' templates are rendered in: bounds, errors, and that it comes back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from vlmbench.budget import BudgetedWorker, OverBudget


@pytest.fixture(scope="module")
def worker() -> Iterator[BudgetedWorker]:
    worker = BudgetedWorker(seconds=0.5, mebibytes=512)
    yield worker
    worker.close()


def test_it_returns_and_raises_what_the_function_does(worker: BudgetedWorker) -> None:
    assert worker.call(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        worker.call(divmod, 7, 0)


def test_too_long_and_too_large_calls_end_and_the_next_one_works(worker: BudgetedWorker) -> None:
    with pytest.raises(OverBudget, match=r"more than 0\.5 seconds"):
        worker.call(pow, 7, 10**9)
    with pytest.raises(OverBudget, match="more than 512 MiB"):
        worker.call(bytes, 10**9)
    assert worker.call(len, "abc") == 3
