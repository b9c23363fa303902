"""Requests -> batches of similar cost, within a bounded look-ahead.

Padding makes a batch as costly as its longest member, so requests are sorted within a window. The
costliest come first: if memory runs out, it does so at once.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from vlmbench.raster import open_raster
from vlmbench.records import Image, Request, TextPart

WINDOW_BATCHES = 8
"""Batches are formed among so many batches' worth of requests."""

FIRST_PART = 4
"""The first batches are smaller by so much; the next ones are twice as large each time."""

CPU_BATCH = 32
"""More requests at a time gain little on a CPU, and leave some processes waiting at the end."""

FIRST_GPU_BATCH, LARGEST_GPU_BATCH = 8, 128

Batch: TypeAlias = list[Request]


class BatchSize:
    """How many requests a batch may hold; learns from batches that did not fit into memory.

    Batches are formed in one thread and reported on from another.

    Args:
        size: Most requests; None to find out: 32 on a CPU, and on a GPU twice as many each time
            until memory runs out.
    """

    def __init__(self, size: int | None) -> None:
        self._size = size or CPU_BATCH
        self._grows = False
        self._is_auto = size is None
        self._room: float | None = None
        self._lock = threading.Lock()

    def begin(self, device: str) -> None:
        """The model is loaded on this device, such as `cpu` or `cuda:0`."""
        with self._lock:
            if self._is_auto and device.startswith("cuda"):
                self._size, self._grows, self._is_auto = FIRST_GPU_BATCH, True, False

    @property
    def size(self) -> int:
        """Most requests of the next batch, if they are cheap."""
        return self._size

    def fitting(self, largest: float) -> int:
        """How many requests may go together if the costliest of them costs this much."""
        with self._lock:
            if self._room is None:
                return self._size
            return max(1, min(self._size, int(self._room / max(largest, 1e-9))))

    def report(self, batch: Sequence[Request], largest_batch_that_fit: int | None) -> None:
        """Learn from a batch that was answered.

        Args:
            largest_batch_that_fit: The most of them that memory held; None if all did.
        """
        with self._lock:
            if largest_batch_that_fit is not None:
                room = largest_batch_that_fit * max(map(cost, batch), default=0.0)
                self._room = room if self._room is None else min(room, self._room)
                self._grows = False
            elif self._grows and len(batch) >= self._size:
                self._size = min(2 * self._size, LARGEST_GPU_BATCH)
                self._grows = self._size < LARGEST_GPU_BATCH


def form_batches(
    requests: Iterable[Request],
    size: BatchSize,
    *,
    cost: Callable[[Request], float] | None = None,
    workers: int = 1,
) -> Iterator[Batch]:
    """Batches of requests, formed one at a time.

    The first windows hold a batch for each worker only, and small ones at first: all workers wait
    for the first batch, and each further one should be ready when the one before is done with.

    Args:
        size: Read anew for every batch.
        cost: What to sort a window by; None to keep the order.
        workers: How many take batches. The last window is cut into equal parts, so that all of them
            are done at about the same time.
    """
    stream = iter(requests)
    most = -(-size.size // FIRST_PART)
    ahead = workers * most
    while window := list(itertools.islice(stream, ahead)):
        if len(window) < ahead:
            most = _even(len(window), size.size, workers)
        if cost is not None:
            window.sort(key=cost, reverse=True)
        start = 0
        while start < len(window):
            fitting = size.fitting(cost(window[start])) if cost is not None else size.size
            end = start + min(fitting, most)
            yield window[start:end]
            start = end
        if most < size.size:
            most, ahead = 2 * most, 2 * ahead
        else:
            most = ahead = size.size * WINDOW_BATCHES


def _even(count: int, size: int, workers: int) -> int:
    """The batch size that gives each worker as many batches as the others."""
    rounds = -(-count // (size * workers))
    return -(-count // (rounds * workers))


def cost(request: Request) -> float:
    """About the number of tokens that a model reads and writes for a request.

    A character counts as one, so do 28 x 28 pixels, and each token that it may answer.
    """
    text = sum(len(part.text) for part in request.parts if isinstance(part, TextPart))
    pixels = sum(_pixels(image) for image in request.images)
    return text + pixels / 28**2 + request.generation.max_new_tokens


def _pixels(image: Image) -> int:
    """Width times height from the file's head; 0 if it is broken, which `decode` will report."""
    try:
        with open_raster(image.data) as opened:
            return opened.width * opened.height
    except Exception:  # Pillow raises nearly anything on broken files
        return 0
