"""One queue of batches, many workers: the first that is free takes the next batch.

The workers are processes of this machine (processes.py) or actors of a Ray cluster (ray.py). A
worker that is lost costs nothing but time: its batches go to others, and another one starts in its
place. A request that takes its worker down again when it is alone in a batch becomes a typed error.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Protocol, TypeAlias

from vlmbench.environment import Memory, peak_memory
from vlmbench.errors import ModelError, VlmbenchError
from vlmbench.executors.base import Responses, peeked
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
    """A worker has answered a batch."""

    worker: int
    batch: int
    answers: Answers


@dataclass(frozen=True, slots=True)
class Lost:
    """A worker is gone, with the batches that it had."""

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
        """Set the model that workers will load; starts none.

        Returns:
            How many workers there may be.
        """

    def submit(self, worker: int, batch: int, requests: Batch) -> None:
        """Give a batch to a worker that is ready."""

    def events(self) -> Sequence[Event]:
        """What has happened; waits until something has."""

    def start(self, worker: int) -> None:
        """Begin to start a worker, or another one in the place of one that was lost."""

    def close(self) -> None:
        """Stop all workers."""


@dataclass(slots=True, eq=False)  # a task is equal to itself only
class _Task:
    """A batch that waits for a worker, or is with one."""

    requests: Batch
    losses: int = 0
    """How many workers were lost over it. Once one was, it has a worker for itself, so that no
    other request is blamed for the next loss."""


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
        batch_size: Requests that a worker answers at a time; None to find out.
    """

    def __init__(self, pool: Pool, *, batch_size: int | None) -> None:
        self._pool = pool
        self._size = BatchSize(batch_size)
        self._spec: ModelSpec | None = None
        self._workers: list[_WorkerState] = []
        self._described: Mapping[str, Scalar] = {}
        self._number = 0
        """Of the last batch."""
        self._losses = 0
        self._tasks: dict[int, _Task] = {}
        """Batches that workers have, by number."""
        self._waiting: deque[_Task] = deque()
        """Batches that go to a worker once more."""

    def map(self, spec: ModelSpec, requests: Iterable[Request]) -> Responses:
        """See `Executor.map`."""
        any_left, requests = peeked(requests)
        if not any_left:
            return self._responses(iter(()))
        if spec != self._spec:
            self.close()
            self._workers = [_WorkerState() for _ in range(self._pool.open(spec))]
            self._spec = spec
        first = list(islice(requests, len(self._workers)))
        for worker in range(len(first)):  # no more than there are requests: each loads the model
            self._start(worker)
        while not self._described:
            self._handle_events()
        started = sum(state.is_started for state in self._workers)
        batches = form_batches(chain(first, requests), self._size, cost=cost, workers=started)
        return self._responses(batches)

    def describe(self) -> Mapping[str, Scalar]:
        """See `Executor.describe`."""
        return {
            "executor": self._pool.name,
            "replicas": sum(state.is_started for state in self._workers),
            "batch_size": self._size.size,
            **self._described,
        }

    def memory(self) -> Memory:
        """See `Executor.memory`: that of all workers, and of this process."""
        return sum((state.memory for state in self._workers), peak_memory())

    def close(self) -> None:
        """See `Executor.close`."""
        if self._spec is not None:
            self._pool.close()
        self._spec, self._workers, self._described = None, [], {}

    def _start(self, worker: int) -> None:
        state = self._workers[worker]
        if not state.is_started:
            state.is_started = True
            self._pool.start(worker)

    def _responses(self, batches: Iterator[Batch]) -> Responses:
        # Nothing of an earlier call that was left before its end.
        self._tasks, self._waiting = {}, deque()
        for state in self._workers:
            state.in_flight = []
        while True:
            self._submit_batches(batches)
            if not self._tasks and not self._waiting:
                return
            yield from self._handle_events()

    def _submit_batches(self, batches: Iterator[Batch]) -> None:
        """Give every worker that can take one a batch, those with the fewest in flight first."""
        for depth in range(BATCHES_IN_FLIGHT):
            for worker, state in enumerate(self._workers):
                if state.is_ready and len(state.in_flight) == depth and not self._is_alone(state):
                    task = self._next_task(batches, may_be_alone=depth == 0)
                    if task is None:
                        return
                    self._number += 1
                    self._tasks[self._number] = task
                    state.in_flight.append(self._number)
                    self._pool.submit(worker, self._number, task.requests)

    def _is_alone(self, state: _WorkerState) -> bool:
        """Whether a worker has a batch that must not share it."""
        return any(self._tasks[number].losses > 0 for number in state.in_flight)

    def _next_task(self, batches: Iterator[Batch], *, may_be_alone: bool) -> _Task | None:
        """Take the batch that goes to a worker next, None where there is none for it."""
        for task in self._waiting:
            if may_be_alone or task.losses == 0:
                self._waiting.remove(task)
                return task
        batch = next(batches, None)
        return _Task(batch) if batch else None

    def _handle_events(self) -> list[Response]:
        """Wait for events, and return the responses that they bring."""
        found: list[Response] = []
        for event in self._pool.events():
            match event:
                case Ready(worker, described):
                    self._workers[worker].is_ready = True
                    self._described = self._described or {"device": None, **described}
                    self._size.begin(str(described.get("device")))
                case Answered(worker, number, answers):
                    found += self._answered(self._workers[worker], number, answers)
                case Lost(worker, reason):
                    found += self._lost(worker, reason)
                case LoadFailed(error):
                    raise error
        return found

    def _answered(self, state: _WorkerState, number: int, answers: Answers) -> list[Response]:
        self._losses = 0
        state.memory = answers.memory
        task = self._tasks.pop(number, None)
        if task is None:  # of an earlier call that was left before its end
            return []
        state.in_flight.remove(number)
        self._size.report(task.requests, answers.largest_batch_that_fit)
        return answers.responses

    def _lost(self, worker: int, reason: str) -> list[Response]:
        """Replace a lost worker, and have its batches answered by others."""
        state = self._workers[worker]
        self._losses += 1
        if self._losses > LOSSES_IN_A_ROW * len(self._workers):
            assert self._spec is not None
            raise ModelError(
                f"The processes of the model {self._spec.name} keep ending ({reason}); try a "
                "smaller --batch-size or fewer --replicas. Answers that were given are kept."
            )
        lost = [self._tasks.pop(number) for number in state.in_flight]
        self._workers[worker] = _WorkerState(memory=state.memory)
        self._start(worker)
        if not lost:
            return []
        # The oldest one is the likeliest to have been with the model.
        suspect, *rest = lost
        self._waiting.extendleft(reversed(rest))
        suspect.losses += 1
        if len(suspect.requests) > 1:
            self._waiting.extend(_Task([one], suspect.losses) for one in suspect.requests)
        elif suspect.losses <= 2:
            self._waiting.append(suspect)
        else:
            return [_failed(request, reason) for request in suspect.requests]
        return []


def _failed(request: Request, reason: str) -> Response:
    message = f"the model's process ended over this sample ({reason})"
    return Response(request.sample_id, request.key, error=ResponseError("runner", message))
