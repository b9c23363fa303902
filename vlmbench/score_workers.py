"""Scoring in several processes, with the same result as in one.

Workers are started as programs of their own (which call `serve`) and spoken to through pipes. So
they need no fork, which threads and GPUs forbid, and unlike those of `multiprocessing` they never
run the caller's main module again.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from queue import SimpleQueue
from typing import IO, Any, TypeAlias

from vlmbench.errors import VlmbenchError
from vlmbench.metrics.base import Answer, Metric, load_metric
from vlmbench.records import MetricScore, Scalar

Columns: TypeAlias = list[Sequence[MetricScore]]
"""For each metric the scores of the answers that it is for."""

_Recipe: TypeAlias = tuple[str, Mapping[str, Scalar], Any]
"""Name, options and state: what makes a metric in another process."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Answers that are scored together."""

    answers: Sequence[Answer]
    places: Sequence[Sequence[int]]
    """For each metric, which of the answers it is for."""


def score_batch(batch: Batch, metrics: Sequence[Metric]) -> Columns:
    """The scores of a batch, in this process."""
    return [
        metric.score_all([batch.answers[place] for place in places])
        for metric, places in zip(metrics, batch.places, strict=True)
    ]


def score_in_processes(
    batches: Sequence[Batch], metrics: Sequence[Metric], processes: int
) -> list[Columns]:
    """The scores of each batch.

    Args:
        batches: In any number.
        metrics: Prepared.
        processes: How many to start, at most one a batch.

    Raises:
        VlmbenchError: A metric raised it.
    """
    recipes: list[_Recipe] = [(m.name, m.options, m.state) for m in metrics]
    with ExitStack() as stack:
        idle: SimpleQueue[_Worker] = SimpleQueue()
        count = max(1, min(processes, len(batches)))
        for worker in [_Worker(recipes) for _ in range(count)]:
            stack.callback(worker.close)
            idle.put(worker)

        def score(batch: Batch) -> Columns:
            worker = idle.get()
            try:
                return worker.score(batch)
            finally:
                idle.put(worker)

        with ThreadPoolExecutor(count) as threads:
            return list(threads.map(score, batches))


class _Worker:
    """One process that scores batches."""

    def __init__(self, recipes: Sequence[_Recipe]) -> None:
        paths = os.pathsep.join(path for path in sys.path if path)
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": paths},
        )
        self._send(recipes)

    def score(self, batch: Batch) -> Columns:
        self._send(batch)
        assert self._process.stdout is not None
        answer = pickle.load(self._process.stdout)
        if isinstance(answer, VlmbenchError):
            raise answer
        return [[MetricScore(*parts) for parts in column] for column in answer]

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait()

    def _send(self, message: object) -> None:
        assert self._process.stdin is not None
        pickle.dump(message, self._process.stdin, pickle.HIGHEST_PROTOCOL)
        self._process.stdin.flush()


def serve() -> None:
    """What a worker does: score what comes in until there is no more."""
    incoming, outgoing = sys.stdin.buffer, sys.stdout.buffer
    metrics = [_metric(*recipe) for recipe in pickle.load(incoming)]
    for batch in _messages(incoming):
        answer: object
        try:
            # Plain tuples: several times faster to send than dataclasses.
            answer = [
                [(score.vector, score.unscored, score.extracted) for score in column]
                for column in score_batch(batch, metrics)
            ]
        except VlmbenchError as problem:
            answer = problem
        pickle.dump(answer, outgoing, pickle.HIGHEST_PROTOCOL)
        outgoing.flush()


def _messages(incoming: IO[bytes]) -> Iterator[Batch]:
    while True:
        try:
            yield pickle.load(incoming)
        except EOFError:
            return


def _metric(name: str, options: Mapping[str, Scalar], state: Any) -> Metric:
    loaded = load_metric(name, options)
    return Metric(loaded.kind, loaded.options, state)
