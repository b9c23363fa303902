"""Scoring in several processes, with the same result as in one.

This process scores batches itself, and workers take others off it meanwhile. Workers are started
as programs of their own (which call `serve`) and spoken to through pipes. So they need no fork,
which threads and GPUs forbid, and unlike those of `multiprocessing` they never run the caller's
main module again.
"""

from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from types import TracebackType
from typing import IO, Any, TypeAlias, TypeVar

from vlmbench.errors import UsageError, VlmbenchError
from vlmbench.metrics.base import Answer, Metric, References, load_metric
from vlmbench.metrics.vectors import Vectors
from vlmbench.records import MetricScore, Scalar
from vlmbench.text import japanese

Columns: TypeAlias = list[Sequence[MetricScore]]
"""For each metric the scores of the answers that it is for."""

_Recipe: TypeAlias = tuple[str, Mapping[str, Scalar], Any]
"""Name, options and state: what makes a metric in another process."""

_Job = TypeVar("_Job")
_Result = TypeVar("_Result")

BATCH_SIZE = 512
"""Answers that are scored together."""
PARALLEL_FROM = 20_000
"""Answers from which on starting processes pays."""
_AHEAD = 2
"""Messages that a worker has not answered: the next one is there when it has done with one."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Answers that are scored together."""

    answers: Sequence[Answer]
    places: Sequence[Sequence[int] | None]
    """For each metric, which of the answers it is for; None: all."""


def score_batch(batch: Batch, metrics: Sequence[Metric]) -> Columns:
    """The scores of a batch, in this process."""
    everything = tuple(batch.answers)
    # Metrics that are for the same answers get the same tuple, by which they share their work.
    chosen: dict[tuple[int, ...], tuple[Answer, ...]] = {}
    columns: Columns = []
    for metric, places in zip(metrics, batch.places, strict=True):
        answers = everything
        if places is not None:
            answers = chosen.setdefault(tuple(places), tuple(everything[place] for place in places))
        columns.append(metric.score_all(answers))
    return columns


def processes_for(answers: int) -> int:
    """How many processes pay: one a core for tens of thousands of answers, else this one."""
    return len(os.sched_getaffinity(0)) if answers >= PARALLEL_FROM else 1


class Workers:
    """This process and those beside it. Without any, all is done here."""

    def __init__(self, processes: int) -> None:
        """Start the processes.

        Args:
            processes: How many work, with this one.
        """
        self._introduced: list[Metric] = []
        self._workers = [_Worker() for _ in range(processes - 1)]

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for worker in self._workers:
            worker.close()

    def tokenize(self, references: References) -> None:
        """Have the words of references at hand for `text.japanese.tokenize`."""
        if not self._workers:
            return
        self._share(
            [
                [text for texts in references[start : start + BATCH_SIZE] for text in texts]
                for start in range(0, len(references), BATCH_SIZE)
            ],
            japanese.lines_of_words,
            lambda texts: ("tokenize", texts),
            japanese.learn,
        )

    def prepare(self, metric: Metric, references: References) -> Metric:
        """`metric.prepare(references)`, with the words of the references learned together."""
        if metric.definition.prepare is not None and metric.definition.compares == "tokens":
            self.tokenize(references)
        return metric.prepare(references)

    def score(self, batches: Sequence[Batch], metrics: Sequence[Metric]) -> list[Columns]:
        """The scores of each batch.

        Raises:
            VlmbenchError: A metric raised it.
        """
        self._introduce(metrics)
        return self._share(
            batches,
            lambda batch: score_batch(batch, metrics),
            lambda batch: ("score", _sent_batch(batch)),
            lambda batch, columns: _each_once(columns, _received_column),
        )

    def _introduce(self, metrics: Sequence[Metric]) -> None:
        """Let the workers know the metrics, if they do not."""
        if list(map(id, metrics)) == list(map(id, self._introduced)):
            return
        self._introduced = list(metrics)
        recipes: list[_Recipe] = [(m.name, m.options, m.state) for m in metrics]
        for worker in self._workers:
            worker.send(("metrics", recipes))

    def _share(
        self,
        jobs: Sequence[_Job],
        here: Callable[[_Job], _Result],
        message: Callable[[_Job], object],
        received: Callable[[_Job, Any], _Result],
    ) -> list[_Result]:
        """The result of each job.

        This process begins with the first jobs and workers with the last, so that with one worker
        each gets the same share in a second round, whose words it remembers from the first.

        Args:
            jobs: What is to be done.
            here: Does a job in this process.
            message: What asks a worker to do it.
            received: Makes the result of a job and what a worker answered.
        """
        open_jobs = deque(range(len(jobs)))
        results: dict[int, _Result] = {}

        def supervise(worker: _Worker) -> None:
            asked: deque[int] = deque()
            while open_jobs or asked:
                while len(asked) < _AHEAD and (number := _last(open_jobs)) is not None:
                    worker.send(message(jobs[number]))
                    asked.append(number)
                if asked:
                    number = asked.popleft()
                    results[number] = received(jobs[number], worker.answer())

        with ThreadPoolExecutor(max(1, len(self._workers))) as threads:
            supervised = [threads.submit(supervise, worker) for worker in self._workers]
            try:
                while (number := _first(open_jobs)) is not None:
                    results[number] = here(jobs[number])
                for future in supervised:
                    future.result()
            finally:
                open_jobs.clear()  # after an error, for the others to come to an end
        return [results[number] for number in range(len(jobs))]


class _Worker:
    """One process beside this one."""

    def __init__(self) -> None:
        paths = os.pathsep.join(path for path in sys.path if path)
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": paths},
        )

    def send(self, message: object) -> None:
        assert self._process.stdin is not None
        try:
            _write(message, self._process.stdin)
        except BrokenPipeError:
            raise _lost() from None

    def answer(self) -> Any:
        """The answer to the first message that has none yet."""
        assert self._process.stdout is not None
        try:
            answer = pickle.load(self._process.stdout)
        except EOFError:
            raise _lost() from None
        if isinstance(answer, VlmbenchError):
            raise answer
        return answer

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):  # it has ended before us
                    pipe.close()
        self._process.wait()


def serve() -> None:
    """What a worker does: answer what comes in until there is no more."""
    gc.disable()  # scores hold no cycles, and this process does nothing else
    incoming, outgoing = sys.stdin.buffer, sys.stdout.buffer
    queue: SimpleQueue[tuple[str, Any] | None] = SimpleQueue()
    # Messages are taken in at once: a sender that has to wait could not read what we answer.
    threading.Thread(target=_take_in, args=(incoming, queue), daemon=True).start()
    metrics: list[Metric] = []
    while (message := queue.get()) is not None:
        kind, content = message
        if kind == "metrics":
            metrics = [_metric(*recipe) for recipe in content]
            continue
        answer: object
        try:
            if kind == "tokenize":
                answer = japanese.lines_of_words(content)
            else:
                columns = score_batch(_received_batch(content), metrics)
                answer = _each_once(columns, _sent_column)
        except VlmbenchError as problem:
            answer = problem
        try:
            _write(answer, outgoing)
        except BrokenPipeError:
            return  # nobody wants to know any more


def _take_in(incoming: IO[bytes], queue: SimpleQueue[tuple[str, Any] | None]) -> None:
    try:
        while True:
            queue.put(pickle.load(incoming))
    except EOFError:
        queue.put(None)


def _metric(name: str, options: Mapping[str, Scalar], state: Any) -> Metric:
    loaded = load_metric(name, options)
    return Metric(loaded.definition, loaded.options, state)


def _write(message: object, pipe: IO[bytes]) -> None:
    pickle.dump(message, pipe, pickle.HIGHEST_PROTOCOL)
    pipe.flush()


# Plain tuples are several times faster to send than the classes.


def _sent_batch(batch: Batch) -> object:
    answers = [(a.prediction, a.references, a.choices, a.meta, a.finish) for a in batch.answers]
    return answers, batch.places


def _received_batch(content: Any) -> Batch:
    answers, places = content
    return Batch(
        [
            Answer(prediction, references, choices, meta, finish=finish)
            for prediction, references, choices, meta, finish in answers
        ],
        places,
    )


def _sent_column(column: Sequence[MetricScore]) -> object:
    if isinstance(column, Vectors):
        return column.rows
    return [(score.vector, score.unscored, score.extracted) for score in column]


def _received_column(column: Any) -> Sequence[MetricScore]:
    if isinstance(column, list):
        return [MetricScore(*parts) for parts in column]
    return Vectors(column)


def _each_once(columns: Sequence[_Job], convert: Callable[[_Job], _Result]) -> list[_Result]:
    """The columns converted; several metrics may share one, which stays one."""
    done: dict[int, _Result] = {}
    for column in columns:
        if id(column) not in done:
            done[id(column)] = convert(column)
    return [done[id(column)] for column in columns]


def _first(numbers: deque[int]) -> int | None:
    try:
        return numbers.popleft()
    except IndexError:  # others take from it too
        return None


def _last(numbers: deque[int]) -> int | None:
    try:
        return numbers.pop()
    except IndexError:
        return None


def _lost() -> UsageError:
    return UsageError(
        "A process that scored answers has ended before its time; free some memory and run the "
        "same command again."
    )
