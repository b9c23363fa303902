"""One runner in this process, fed from the background.

    requests -> window -> batches of similar cost -> encode (threads, or
    processes, see preprocessing.py) -> decode (this thread)

Images are decoded and texts tokenized while the model works on an earlier batch. Never more than
a window of requests and a few batches are in memory, however long the task is.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from vlmbench.environment import Memory, cpu_cores, peak_memory
from vlmbench.executors.base import Responses, peeked
from vlmbench.executors.batches import BatchSize, cost, form_batches
from vlmbench.executors.preprocessing import PreprocessingPool
from vlmbench.models.resolve import ModelSpec
from vlmbench.records import Request, Scalar
from vlmbench.runners.base import Runner, SplitRunner, StagedRunner, StreamingRunner, make_runner

PREFETCH = 3
"""Batches that are formed and encoded ahead of the model."""

ENCODING_WORKERS = 2
"""Batches that are encoded at a time: by so many threads or, where cores are free, processes."""

_Batch = TypeVar("_Batch")
_Encoded = TypeVar("_Encoded")


class LocalExecutor:
    """Runs a model in this process.

    Args:
        batch_size: Requests that the model answers at a time; None to find out.
    """

    def __init__(self, *, batch_size: int | None) -> None:
        self._size = BatchSize(batch_size)
        self._spec: ModelSpec | None = None
        self._runner: Runner | None = None
        self._preprocessing: PreprocessingPool | None = None

    def map(self, spec: ModelSpec, requests: Iterable[Request]) -> Responses:
        """See `Executor.map`."""
        any_left, requests = peeked(requests)
        return self._responses(self._loaded(spec) if any_left else None, requests)

    def describe(self) -> Mapping[str, Scalar]:
        """See `Executor.describe`."""
        described = self._runner.describe() if self._runner else {}
        return {"executor": "local", "replicas": 1, "batch_size": self._size.size, **described}

    def memory(self) -> Memory:
        """See `Executor.memory`."""
        own = peak_memory()
        return own + self._preprocessing.memory() if self._preprocessing else own

    def close(self) -> None:
        """See `Executor.close`."""
        if self._preprocessing is not None:
            self._preprocessing.close()
        if self._runner is not None:
            self._runner.close()
        self._spec = self._runner = self._preprocessing = None

    def _loaded(self, spec: ModelSpec) -> Runner:
        if self._runner is None or spec != self._spec:
            self.close()
            runner = make_runner(spec.runner)
            runner.prepare(spec)
            self._spec, self._runner = spec, runner
            described = runner.describe()
            self._size.begin(str(described.get("device")))
            processes = min(ENCODING_WORKERS, free_cores(described))
            if processes and isinstance(runner, SplitRunner):
                self._preprocessing = PreprocessingPool(runner, spec, processes)
        return self._runner

    def _responses(self, runner: Runner | None, requests: Iterable[Request]) -> Responses:
        if runner is None:
            return
        if isinstance(runner, StreamingRunner):
            with contextlib.closing(runner.stream(requests)) as responses:
                yield from responses
            return
        if not isinstance(runner, StagedRunner):
            for batch in form_batches(requests, self._size):
                yield from runner.generate(batch)
            return
        batches = form_batches(requests, self._size, cost=cost)
        encode, threads = runner.encode, ENCODING_WORKERS
        if self._preprocessing is not None:
            encode, threads = self._preprocessing.encode, self._preprocessing.processes
        encoding = prefetched(lambda batch: (batch, encode(batch)), batches, threads=threads)
        with contextlib.closing(encoding) as encoded_batches:
            for batch, encoded in encoded_batches:
                answers = runner.decode(encoded)
                self._size.report(batch, runner.largest_batch_that_fit)
                yield from answers


def free_cores(described: Mapping[str, Scalar]) -> int:
    """Cores that a runner in this process leaves to others, by what it says of itself."""
    threads = described.get("torch_threads")
    busy = int(threads) if described.get("device") == "cpu" and threads is not None else 1
    return max(0, cpu_cores() - busy)


def prefetched(
    encode: Callable[[_Batch], _Encoded],
    batches: Iterable[_Batch],
    *,
    threads: int,
    ahead: int = PREFETCH,
) -> Generator[_Encoded, None, None]:
    """`map(encode, batches)`, with the next `ahead` results made in background threads.

    Exceptions of `batches` and `encode` come out where their batch would have.
    """
    stream = iter(batches)
    forming = ThreadPoolExecutor(1, "vlmbench-form")
    encoding = ThreadPoolExecutor(threads, "vlmbench-encode")

    def encode_formed(formed: Future[_Batch | None]) -> _Encoded | None:
        batch = formed.result()
        return None if batch is None else encode(batch)

    def submit() -> Future[_Encoded | None]:
        return encoding.submit(encode_formed, forming.submit(next, stream, None))

    try:
        submitted = deque(submit() for _ in range(ahead))
        while (encoded := submitted.popleft().result()) is not None:
            submitted.append(submit())
            yield encoded
    finally:
        forming.shutdown(cancel_futures=True)
        encoding.shutdown(cancel_futures=True)
