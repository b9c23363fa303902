"""Workers that are processes of this machine: one a GPU, or one of one thread a CPU core.

Several processes of one thread are much faster on a CPU than one process of several threads, and
leave no thread spinning.
"""

from __future__ import annotations

import contextlib
import multiprocessing.connection
import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection

from vlmbench.errors import VlmbenchError
from vlmbench.executors.batches import Batch
from vlmbench.executors.pool import Answered, Event, LoadFailed, Lost, Ready
from vlmbench.executors.process import PipedProcess, ProcessLostError
from vlmbench.executors.worker import BATCHES_IN_FLIGHT, Worker
from vlmbench.models.resolve import ModelSpec

CPU_WORKER = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
"""Environment of a worker that has one core for itself."""


class ProcessPool:
    """One process for each of the given environments.

    Args:
        environments: Variables of each worker, such as the GPU that it may see.
    """

    name = "local"

    def __init__(self, environments: Sequence[Mapping[str, str]]) -> None:
        self._environments = environments
        self._processes: dict[int, PipedProcess] = {}
        self._spec: ModelSpec | None = None

    def open(self, spec: ModelSpec) -> int:
        """See `Pool.open`."""
        self._spec = spec
        return len(self._environments)

    def submit(self, worker: int, batch: int, requests: Batch) -> None:
        """See `Pool.submit`."""
        self._processes[worker].send((batch, requests))

    def events(self) -> Sequence[Event]:
        """See `Pool.events`."""
        workers = {process.pipe: worker for worker, process in self._processes.items()}
        ready = multiprocessing.connection.wait(list(workers))
        return [self._event(worker) for pipe, worker in workers.items() if pipe in ready]

    def start(self, worker: int) -> None:
        """See `Pool.start`."""
        environment = self._environments[worker]
        self._processes[worker] = PipedProcess(
            serve_batches, worker, self._spec, environment=environment
        )

    def close(self) -> None:
        """See `Pool.close`."""
        for process in self._processes.values():
            process.end()
        self._processes = {}

    def _event(self, worker: int) -> Event:
        try:
            event: Event = self._processes[worker].receive()
        except ProcessLostError as error:
            return Lost(worker, str(error))
        return event


def serve_batches(pipe: Connection, worker: int, spec: ModelSpec) -> None:
    """What a worker process does until its pipe closes."""
    sending = threading.Lock()

    def send(message: Event) -> None:
        with sending, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            pipe.send(message)

    try:
        model = Worker(spec)
    except VlmbenchError as error:
        send(LoadFailed(error))
        return
    send(Ready(worker, model.describe()))

    def answer(number: int, requests: Batch) -> None:
        try:
            send(Answered(worker, number, model.answer(requests)))
        except BaseException as error:  # whatever it is, another process may do better
            send(Lost(worker, f"{type(error).__name__}: {error}"))
            os._exit(1)

    threads = ThreadPoolExecutor(BATCHES_IN_FLIGHT)
    while True:
        threads.submit(answer, *pipe.recv())
