"""One runner in this process, fed from background threads.

    requests -> window -> batches of similar cost -> encode (threads) -> decode (this thread)

Images are decoded and texts tokenised while the model works on an earlier batch. Never more than
a window of requests and a few batches are in memory, however long the task is.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from vlmbench.executors.base import Responses
from vlmbench.models import ModelSpec
from vlmbench.records import Image, Request, Scalar, TextPart
from vlmbench.runners.base import Runner, StagedRunner, StreamingRunner, make_runner

WINDOW_BATCHES = 8
"""Batches are formed among so many batches' worth of requests."""

PREFETCH = 2
"""Batches that are made ready ahead of the model."""

ENCODER_THREADS = 2

Batch = TypeVar("Batch")
Encoded = TypeVar("Encoded")


class LocalExecutor:
    """Runs a model in this process.

    Args:
        batch_size: Requests that the model answers at a time.
    """

    def __init__(self, *, batch_size: int) -> None:
        self._batch_size = batch_size
        self._spec: ModelSpec | None = None
        self._runner: Runner | None = None

    def map(self, spec: ModelSpec, requests: Iterable[Request]) -> Responses:
        """See `Executor.map`."""
        return self._responses(self._prepared(spec), requests)

    def describe(self) -> Mapping[str, Scalar]:
        """See `Executor.describe`."""
        described = self._runner.describe() if self._runner else {}
        return {"executor": "local", "batch_size": self._batch_size, **described}

    def close(self) -> None:
        """See `Executor.close`."""
        if self._runner is not None:
            self._runner.close()
        self._spec = self._runner = None

    def _prepared(self, spec: ModelSpec) -> Runner:
        if self._runner is None or spec != self._spec:
            self.close()
            runner = make_runner(spec.runner)
            runner.prepare(spec)
            self._spec, self._runner = spec, runner
        return self._runner

    def _responses(self, runner: Runner, requests: Iterable[Request]) -> Responses:
        if isinstance(runner, StagedRunner):
            batches = form_batches(requests, self._batch_size, cost=cost)
            with contextlib.closing(prefetched(runner.encode, batches)) as ready:
                for encoded in ready:
                    yield from runner.decode(encoded)
        elif isinstance(runner, StreamingRunner):
            with contextlib.closing(runner.stream(requests)) as responses:
                yield from responses
        else:
            for batch in form_batches(requests, self._batch_size):
                yield from runner.generate(batch)


def form_batches(
    requests: Iterable[Request],
    size: int,
    *,
    cost: Callable[[Request], float] | None = None,
) -> Iterator[list[Request]]:
    """Batches of requests, sorted by cost within a window so that little padding is needed.

    The costliest come first: if memory runs out, it does so at once.
    """
    stream = iter(requests)
    while window := list(itertools.islice(stream, size * WINDOW_BATCHES)):
        if cost is not None:
            window.sort(key=cost, reverse=True)
        for start in range(0, len(window), size):
            yield window[start : start + size]


def cost(request: Request) -> float:
    """About the number of tokens that a model reads: a character, or 28 x 28 pixels, each."""
    text = sum(len(part.text) for part in request.parts if isinstance(part, TextPart))
    return text + sum(_pixels(image) for image in request.images) / 28**2


def prefetched(
    encode: Callable[[Batch], Encoded], batches: Iterable[Batch]
) -> Generator[Encoded, None, None]:
    """`map(encode, batches)`, with the next few results made in background threads.

    Exceptions of `batches` and `encode` come out where their batch would have.
    """
    ready: queue.Queue[Future[Encoded] | None] = queue.Queue(maxsize=PREFETCH)
    stop = threading.Event()
    pool = ThreadPoolExecutor(ENCODER_THREADS, thread_name_prefix="vlmbench-encode")

    def put(item: Future[Encoded] | None) -> None:
        while not stop.is_set():
            with contextlib.suppress(queue.Full):
                ready.put(item, timeout=0.1)
                return

    def feed() -> None:
        try:
            for batch in batches:
                if stop.is_set():
                    return
                put(pool.submit(encode, batch))
            put(None)
        except BaseException as error:
            failed: Future[Encoded] = Future()
            failed.set_exception(error)
            put(failed)

    feeder = threading.Thread(target=feed, name="vlmbench-feed", daemon=True)
    feeder.start()
    try:
        while (future := ready.get()) is not None:
            yield future.result()
    finally:
        stop.set()
        feeder.join()
        pool.shutdown(cancel_futures=True)


def _pixels(image: Image) -> int:
    """Width times height from the file's head; 0 if it is broken, which `decode` will report."""
    import PIL.Image

    try:
        with PIL.Image.open(io.BytesIO(image.data)) as opened:
            return opened.width * opened.height
    except Exception:  # Pillow raises nearly anything on broken files
        return 0
