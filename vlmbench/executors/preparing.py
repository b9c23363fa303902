"""Batches made ready in processes of their own, as far as cores are free for them.

In a thread that work would share the interpreter's lock with the model, whose many small steps
would wait for it. Until a process has loaded what it needs, where one is lost, and where there is
no core to spare, a batch is made ready in the thread that asks for it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from vlmbench.environment import Memory, peak_memory
from vlmbench.models.resolve import ModelSpec
from vlmbench.records import Request
from vlmbench.runners.base import SplitRunner, make_runner

NO_GPU = {"CUDA_VISIBLE_DEVICES": ""}
"""Environment of such a process: memory of a GPU is for the model."""


@dataclass(slots=True)
class _Helper:
    """A process as seen from outside."""

    process: subprocess.Popen[bytes]
    pipe: Connection
    is_ready: bool = False
    is_free: bool = True
    memory: Memory = field(default_factory=Memory)


class Preparation:
    """Makes batches ready for a runner; used by several threads at a time.

    Args:
        runner: Prepared.
        spec: Its model.
        processes: How many to start, once there is more than one batch.
    """

    def __init__(self, runner: SplitRunner, spec: ModelSpec, processes: int) -> None:
        self._runner, self._spec = runner, spec
        self._left = processes
        self._asked = 0
        self._helpers: list[_Helper] = []
        weakref.finalize(self, _end_all, self._helpers)
        self._changed = threading.Condition()

    def encode(self, requests: Sequence[Request]) -> Any:
        """`runner.encode(requests)`."""
        helper = self._take()
        packed = None if helper is None else self._ask(helper, requests)
        if packed is None:
            return self._runner.encode(requests)
        return self._runner.unpack(requests, packed)

    @property
    def is_ready(self) -> bool:
        """Whether every process that was to be started is there."""
        with self._changed:
            self._look()
            return not self._left and all(one.is_ready for one in self._helpers)

    def memory(self) -> Memory:
        """The most that the processes have held."""
        return sum((helper.memory for helper in self._helpers), Memory())

    def close(self) -> None:
        """End the processes."""
        _end_all(self._helpers)

    def _take(self) -> _Helper | None:
        """A process that is free, waiting for one if any has begun to work."""
        with self._changed:
            self._asked += 1
            if self._asked > 1:
                self._start()
            while True:
                self._look()
                ready = [one for one in self._helpers if one.is_ready]
                if not ready:
                    return None
                for helper in ready:
                    if helper.is_free:
                        helper.is_free = False
                        return helper
                self._changed.wait()

    def _ask(self, helper: _Helper, requests: Sequence[Request]) -> Any:
        try:
            helper.pipe.send(requests)
            packed, helper.memory = helper.pipe.recv()
        except Exception:  # it is gone, or what it sends makes no sense
            self._drop(helper)
            return None
        with self._changed:
            helper.is_free = True
            self._changed.notify()
        return packed

    def _look(self) -> None:
        """See which processes have loaded what they need."""
        for helper in [one for one in self._helpers if not one.is_ready]:
            try:
                if helper.pipe.poll():
                    helper.is_ready = bool(helper.pipe.recv())
            except (EOFError, OSError):  # it could not load what it needs
                self._drop(helper)

    def _drop(self, helper: _Helper) -> None:
        with self._changed:
            self._helpers.remove(helper)
            _end(helper)
            self._changed.notify_all()

    def _start(self) -> None:
        while self._left:
            self._left -= 1
            self._helpers.append(_started(self._spec))


def _started(spec: ModelSpec) -> _Helper:
    """A program of its own: unlike one of `multiprocessing` it runs no main module again."""
    here, there = multiprocessing.Pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", f"from {__name__} import serve; serve({there.fileno()})"],
        env={**os.environ, **NO_GPU, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        pass_fds=[there.fileno()],
    )
    there.close()
    helper = _Helper(process, here)
    with contextlib.suppress(OSError):  # one that has ended is noticed later
        here.send(spec)
    return helper


def _end_all(helpers: list[_Helper]) -> None:
    while helpers:
        _end(helpers.pop())


def _end(helper: _Helper) -> None:
    helper.pipe.close()
    helper.process.kill()  # it holds nothing that could be lost
    helper.process.wait()


def serve(descriptor: int) -> None:
    """What such a process does until its pipe closes.

    Args:
        descriptor: Of the pipe, which brings the model's spec first.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that asks decides
    pipe = Connection(descriptor)
    try:
        spec: ModelSpec = pipe.recv()
        runner = make_runner(spec.runner)
        assert isinstance(runner, SplitRunner)
        encode = runner.packer(spec)
        pipe.send(True)
        while True:
            requests = pipe.recv()
            try:
                packed = encode(requests)
            except Exception:  # who asked meets it again, where it can be dealt with
                packed = None
            pipe.send((packed, peak_memory()))
    except Exception:  # nobody is left to answer to, or the batches are made ready there as well
        os._exit(1)
