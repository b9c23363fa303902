"""One queue of batches, many workers: whoever is free takes the next batch.

The workers are processes of this machine (processes.py) or actors of a Ray cluster (ray.py). A
worker that is lost costs nothing but time: its batches go to others, and another one starts in its
place. A request that takes its worker down again when it is asked alone becomes a typed error.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Protocol, TypeAlias

from vlmbench.environment import Memory, peak_memory
from vlmbench.errors import ModelError, VlmbenchError
from vlmbench.executors.base import Responses
from vlmbench.executors.batches import Batch, BatchSize, cost, form_batches
from vlmbench.executors.worker import BATCHES_IN_FLIGHT, Answers
from vlmbench.models.resolve import ModelSpec
from vlmbench.records import Request, Response, ResponseError, Scalar

LOSSES_IN_A_ROW = 4
"""So often may each worker be lost, on average, without an answer from any in between."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker has loaded the model."""

    worker: int
    described: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class Answered:
    """A worker is done with a batch."""

    worker: int
    batch: int
    answers: Answers


@dataclass(frozen=True, slots=True)
class Lost:
    """A worker is gone, with whatever it had at hand."""

    worker: int
    reason: str


@dataclass(frozen=True, slots=True)
class LoadFailed:
    """A worker cannot load the model; no other one could."""

    error: VlmbenchError


Event: TypeAlias = Ready | Answered | Lost | LoadFailed


class Pool(Protocol):
    """Workers by number, from 0."""

    name: str

    def open(self, spec: ModelSpec) -> int:
        """Take the model that workers will load, and say how many there may be; starts none."""

    def submit(self, worker: int, batch: int, requests: Batch) -> None:
        """Give a batch to a worker that is ready."""

    def events(self) -> Sequence[Event]:
        """What has happened; waits until something has."""

    def start(self, worker: int) -> None:
        """Begin to start a worker; in the place of the one that was lost, if there was one."""

    def close(self) -> None:
        """Stop all workers."""


@dataclass(slots=True)
class _Task:
    """A batch on its way."""

    requests: Batch
    losses: int = 0
    """How many workers were lost over it."""


@dataclass(slots=True)
class _WorkerState:
    """What is known of a worker."""

    is_started: bool = False
    is_ready: bool = False
    in_flight: list[int] = field(default_factory=list)
    """Batches that it was given, oldest first."""
    memory: Memory = field(default_factory=Memory)


class PooledExecutor:
    """Runs a model in the workers of a pool.

    Args:
        pool: The workers.
        batch_size: Requests that a worker answers at a time; None to find out.
    """

    def __init__(self, pool: Pool, *, batch_size: int | None) -> None:
        self._pool = pool
        self._size = BatchSize(batch_size)
        self._spec: ModelSpec | None = None
        self._seats: list[_WorkerState] = []
        self._described: Mapping[str, Scalar] = {}
        self._number = 0
        self._losses = 0

    def map(self, spec: ModelSpec, requests: Iterable[Request]) -> Responses:
        """See `Executor.map`."""
        if spec != self._spec:
            self.close()
            self._seats = [_WorkerState() for _ in range(self._pool.open(spec))]
            self._spec = spec
        stream = iter(requests)
        first = list(islice(stream, len(self._seats)))
        # No more of them than there are requests: each loads the model.
        for worker in range(max(1, len(first))):
            self._start(worker)
        while not self._described:
            self._handle_all({}, deque())
        share = sum(seat.is_started for seat in self._seats)
        batches = form_batches(chain(first, stream), self._size, cost=cost, share=share)
        return self._responses(batches)

    def describe(self) -> Mapping[str, Scalar]:
        """See `Executor.describe`."""
        return {
            "executor": self._pool.name,
            "replicas": sum(seat.is_started for seat in self._seats),
            "batch_size": self._size.size,
            **self._described,
        }

    def memory(self) -> Memory:
        """See `Executor.memory`: that of all workers, and of this process."""
        return sum((seat.memory for seat in self._seats), peak_memory())

    def close(self) -> None:
        """See `Executor.close`."""
        if self._spec is not None:
            self._pool.close()
        self._spec, self._seats, self._described = None, [], {}

    def _start(self, worker: int) -> None:
        seat = self._seats[worker]
        if not seat.is_started:
            seat.is_started = True
            self._pool.start(worker)

    def _responses(self, batches: Iterator[Batch]) -> Responses:
        tasks: dict[int, _Task] = {}
        waiting: deque[_Task] = deque()
        for seat in self._seats:
            seat.in_flight = [number for number in seat.in_flight if number in tasks]
        while True:
            self._hand_out(batches, waiting, tasks)
            if not tasks and not waiting:
                return
            yield from self._handle_all(tasks, waiting)

    def _hand_out(
        self, batches: Iterator[Batch], waiting: deque[_Task], tasks: dict[int, _Task]
    ) -> None:
        """Give every worker that has room something to do, the emptiest one first."""
        for depth in range(BATCHES_IN_FLIGHT):
            for worker, seat in enumerate(self._seats):
                if seat.is_ready and len(seat.in_flight) == depth:
                    if waiting:
                        task = waiting.popleft()
                    elif batch := next(batches, None):
                        task = _Task(batch)
                    else:
                        return
                    self._number += 1
                    tasks[self._number] = task
                    seat.in_flight.append(self._number)
                    self._pool.submit(worker, self._number, task.requests)

    def _handle_all(self, tasks: dict[int, _Task], waiting: deque[_Task]) -> Iterator[Response]:
        found: list[Response] = []
        for event in self._pool.events():
            match event:
                case Ready(worker, described):
                    self._seats[worker].is_ready = True
                    self._described = self._described or {"device": None, **described}
                    self._size.begin(str(described.get("device")))
                case Answered(worker, number, answers):
                    found += self._answered(self._seats[worker], number, answers, tasks)
                case Lost(worker, reason):
                    found += self._lost(worker, reason, tasks, waiting)
                case LoadFailed(error):
                    raise error
        return iter(found)

    def _answered(
        self, seat: _WorkerState, number: int, answers: Answers, tasks: dict[int, _Task]
    ) -> list[Response]:
        self._losses = 0
        seat.memory = answers.memory
        if number in seat.in_flight:
            seat.in_flight.remove(number)
        task = tasks.pop(number, None)
        if task is None:  # of an earlier call that was left before its end
            return []
        self._size.report(task.requests, answers.largest_batch_that_fit)
        return answers.responses

    def _lost(
        self, worker: int, reason: str, tasks: dict[int, _Task], waiting: deque[_Task]
    ) -> list[Response]:
        """Puts a lost worker's batches back in front, and another worker in its place."""
        seat = self._seats[worker]
        self._losses += 1
        if self._losses > LOSSES_IN_A_ROW * len(self._seats):
            assert self._spec is not None
            raise ModelError(
                f"The processes of the model {self._spec.name} keep ending ({reason}); try a "
                "smaller --batch-size or fewer --replicas. Answers that were given are kept."
            )
        lost = [task for number in seat.in_flight if (task := tasks.pop(number, None))]
        self._seats[worker] = _WorkerState(memory=seat.memory)
        self._start(worker)
        if not lost:
            return []
        # The oldest one was with the model; the others only waited.
        suspect, *rest = lost
        waiting.extendleft(reversed(rest))
        suspect.losses += 1
        if len(suspect.requests) > 1:
            waiting.extend(_Task([request], suspect.losses) for request in suspect.requests)
        elif suspect.losses <= 2:
            waiting.append(suspect)
        else:
            return [_failed(request, reason) for request in suspect.requests]
        return []


def _failed(request: Request, reason: str) -> Response:
    message = f"the model's process ended over this sample ({reason})"
    return Response(request.sample_id, request.key, error=ResponseError("runner", message))
