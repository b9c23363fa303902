"""Batches preprocessed in processes of their own, as far as cores are free for them.

In a thread that work would share the interpreter's lock with the model, whose many small steps
would wait for it. Until a process has loaded what it needs, where one is lost, and where there is
no core to spare, a batch is encoded in the thread that asks for it.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from vlmbench.environment import Memory, peak_memory
from vlmbench.executors.process import PipedProcess
from vlmbench.models.resolve import ModelSpec
from vlmbench.records import Request
from vlmbench.runners.base import SplitRunner, make_runner

NO_GPU = {"CUDA_VISIBLE_DEVICES": ""}
"""Environment of such a process: memory of a GPU is for the model."""


@dataclass(slots=True, eq=False)
class _Preprocessor:
    """A process as seen from outside."""

    process: PipedProcess
    is_ready: bool = False
    memory: Memory = field(default_factory=Memory)


class PreprocessingPool:
    """Encodes batches for a runner.

    Args:
        processes: Most processes to start, once there is more than one batch. So many threads may
            call `encode` at a time: one that finds no process free does the work itself.
    """

    def __init__(self, runner: SplitRunner, spec: ModelSpec, processes: int) -> None:
        self._runner, self._spec = runner, spec
        self.processes = processes
        self._calls = itertools.count()
        self._all: list[_Preprocessor] = []
        self._idle: deque[_Preprocessor] = deque()

    def encode(self, requests: Sequence[Request]) -> Any:
        """`runner.encode(requests)`."""
        if next(self._calls) == 1:
            self._start()
        try:
            chosen = self._idle.popleft()
        except IndexError:
            return self._runner.encode(requests)
        packed = None
        try:
            if not chosen.is_ready and chosen.process.pipe.poll():
                chosen.is_ready = chosen.process.receive()
            if chosen.is_ready:
                chosen.process.send(requests)
                packed, chosen.memory = chosen.process.receive()
        except Exception:  # it is lost, or what it sends makes no sense
            chosen.process.end()
        else:
            self._idle.append(chosen)
        if packed is None:
            return self._runner.encode(requests)
        return self._runner.unpack(requests, packed)

    def memory(self) -> Memory:
        """The most that the processes have held."""
        return sum((one.memory for one in self._all), Memory())

    def close(self) -> None:
        """End the processes."""
        for one in self._all:
            one.process.end()
        self._all, self._idle = [], deque()

    def _start(self) -> None:
        self._all = [
            _Preprocessor(PipedProcess(serve_preprocessing, self._spec, environment=NO_GPU))
            for _ in range(self.processes)
        ]
        self._idle.extend(self._all)


def serve_preprocessing(pipe: Connection, spec: ModelSpec) -> None:
    """What such a process does until its pipe closes."""
    runner = make_runner(spec.runner)
    assert isinstance(runner, SplitRunner)
    try:
        encode = runner.packer(spec)
    except Exception:  # the batches are encoded in the model's process then
        return
    pipe.send(True)
    while True:
        requests = pipe.recv()
        try:
            packed = encode(requests)
        except Exception:  # encoded again by who asked, where the error can be dealt with
            packed = None
        pipe.send((packed, peak_memory()))
