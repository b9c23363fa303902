"""Workers that are processes of this machine: one a GPU, or one of one thread a CPU core.

Several processes of one thread are much faster on a CPU than one process of several threads, and
leave no thread spinning. Each hangs on a pipe: when this process ends, however it does, so do they.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from vlmbench.errors import VlmbenchError
from vlmbench.executors.batches import Batch
from vlmbench.executors.pool import Answered, Event, LoadFailed, Lost, Ready
from vlmbench.executors.worker import BATCHES_IN_FLIGHT, Worker
from vlmbench.models.resolve import ModelSpec

STOP_SECONDS = 5.0
"""How long a process may take to end by itself."""

CPU_WORKER = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
"""Environment of a worker that has one core for itself."""


@dataclass(slots=True)
class _Process:
    """A worker as seen from outside."""

    process: Any
    pipe: Connection
    listens: bool = False
    """Whether it has loaded the model, so that it notices when its pipe is closed."""


class ProcessPool:
    """One process for each of the given environments.

    Args:
        environments: Variables of each worker, such as the GPU that it may see.
    """

    name = "local"

    def __init__(self, environments: Sequence[Mapping[str, str]]) -> None:
        self._environments = environments
        self._context = multiprocessing.get_context("spawn")
        self._processes: list[_Process | None] = []
        self._spec: ModelSpec | None = None

    def open(self, spec: ModelSpec) -> int:
        """See `Pool.open`."""
        self._spec = spec
        self._processes = [None] * len(self._environments)
        return len(self._processes)

    def submit(self, worker: int, batch: int, requests: Batch) -> None:
        """See `Pool.submit`."""
        process = self._processes[worker]
        # One that is gone is noticed, and its batches are taken back, by `events`.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            if process is not None:
                process.pipe.send((batch, requests))

    def events(self) -> Sequence[Event]:
        """See `Pool.events`."""
        there = {p.pipe: n for n, p in enumerate(self._processes) if p is not None}
        found: list[Event] = []
        for pipe in multiprocessing.connection.wait(list(there)):
            assert isinstance(pipe, Connection)
            found.append(self._event(there[pipe], pipe))
        return found

    def start(self, worker: int) -> None:
        """See `Pool.start`."""
        self._processes[worker] = self._start(self._environments[worker])

    def close(self) -> None:
        """See `Pool.close`."""
        processes = [process for process in self._processes if process is not None]
        self._processes = []
        for one in processes:
            one.pipe.close()  # its end is what each process waits for
            if not one.listens:
                one.process.kill()
        for one in processes:
            one.process.join(STOP_SECONDS)
            if one.process.is_alive():
                one.process.kill()
                one.process.join()

    def _start(self, environment: Mapping[str, str]) -> _Process:
        here, there = self._context.Pipe()
        process = self._context.Process(
            target=serve, args=(there, self._spec), name="vlmbench-worker", daemon=True
        )
        with _environment(environment):
            process.start()
        there.close()
        return _Process(process, here)

    def _event(self, worker: int, pipe: Connection) -> Event:
        try:
            message = pipe.recv()
        except (EOFError, ConnectionResetError):
            return Lost(worker, self._exit_reason(worker))
        match message:
            case Ready(_, described):
                process = self._processes[worker]
                assert process is not None
                process.listens = True
                return Ready(worker, described)
            case Answered(_, batch, answers):
                return Answered(worker, batch, answers)
            case Lost(_, reason):
                self._exit_reason(worker)
                return Lost(worker, reason)
            case LoadFailed():
                return message
            case _:
                raise TypeError(f"a worker sent {message!r}")

    def _exit_reason(self, worker: int) -> str:
        """Why a worker has ended."""
        process = self._processes[worker]
        self._processes[worker] = None
        if process is None:
            return "it was stopped"
        process.pipe.close()
        process.process.join(STOP_SECONDS)
        code = process.process.exitcode
        if code == -signal.SIGKILL:
            return "it was killed, as happens when memory runs out"
        return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """What a child process finds in its environment before it imports anything."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def serve(pipe: Connection, spec: ModelSpec) -> None:
    """What a worker process does until its pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that reads the answers decides
    sending = threading.Lock()

    def send(message: Event) -> None:
        with sending, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            pipe.send(message)

    try:
        worker = Worker(spec)
    except VlmbenchError as error:
        send(LoadFailed(error))
        return
    send(Ready(0, worker.describe()))

    def answer(number: int, requests: Batch) -> None:
        try:
            send(Answered(0, number, worker.answer(requests)))
        except BaseException as error:  # whatever it is, another process may do better
            send(Lost(0, f"{type(error).__name__}: {error}"))
            os._exit(1)

    with ThreadPoolExecutor(BATCHES_IN_FLIGHT) as threads:
        while True:
            try:
                number, requests = pipe.recv()
            except (EOFError, ConnectionResetError):
                # Nobody is left to answer to, so nothing is worth tidying up.
                os._exit(0)
            threads.submit(answer, number, requests)
