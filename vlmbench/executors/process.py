"""A Python process that hangs on a pipe: how it is started, spoken to, found dead and ended.

It is a program of its own: unlike one of `multiprocessing` it does not run the caller's main module
again, and unlike a fork it is safe beside threads and GPUs. When the process that started it ends,
however it does, the pipe closes, and it ends too. It keeps nothing that killing it could lose.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any

EXIT_SECONDS = 5.0
"""How long a process whose pipe has closed may take to exit."""

FOLLOW_SECONDS = 1.0
"""Between two looks at whether the process that started this one lives."""


class ProcessLostError(Exception):
    """The process has ended; the message says why."""


class PipedProcess:
    """A process that runs `serve(pipe, *arguments)`; it ends when this object is gone.

    Args:
        serve: A function of a module. `EOFError` and `OSError` of its pipe may leave it: they mean
            that this side is gone.
        arguments: Sent through the pipe, so what can be pickled.
        environment: Variables to change, set before the process imports anything.
    """

    def __init__(
        self,
        serve: Callable[..., None],
        *arguments: object,
        environment: Mapping[str, str],
    ) -> None:
        self.pipe, there = multiprocessing.Pipe()
        code = f"from {__name__} import run_child; run_child({there.fileno()}, {os.getpid()})"
        path = os.pathsep.join(filter(None, sys.path))
        self._process = subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": path, **environment},
            pass_fds=[there.fileno()],
        )
        there.close()
        self._end = weakref.finalize(self, _end, self._process, self.pipe)
        self.send((serve, arguments))

    @property
    def pid(self) -> int:
        """Its number, while it lives and after."""
        return self._process.pid

    def send(self, message: object) -> None:
        """Put a message into the pipe; `receive` tells if the process has ended."""
        with contextlib.suppress(OSError):
            self.pipe.send(message)

    def receive(self) -> Any:
        """The next message; waits for it.

        Raises:
            ProcessLostError: There will be none.
        """
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            raise ProcessLostError(self._exit_reason()) from None

    def end(self) -> None:
        """Kill the process, if it is still there."""
        self._end()

    def _exit_reason(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(EXIT_SECONDS)
        self.end()
        code = self._process.returncode
        if code == -signal.SIGKILL:
            return "it was killed, as happens when memory runs out"
        return f"signal {-code}" if code < 0 else f"exit code {code}"


def _end(process: subprocess.Popen[bytes], pipe: Connection) -> None:
    pipe.close()
    process.kill()
    process.wait()


def _follow(parent: int) -> None:
    """End with the process that started this one: loading a model, it does not see its pipe."""
    while os.getppid() == parent:
        time.sleep(FOLLOW_SECONDS)
    os._exit(1)


def run_child(descriptor: int, parent: int) -> None:
    """What such a process does.

    Args:
        descriptor: File descriptor of its end of the pipe.
        parent: Number of the process that started it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process at the other end decides
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()
    pipe = Connection(descriptor)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        serve, arguments = pipe.recv()
        serve(pipe, *arguments)
    os._exit(0)  # at once, whatever its threads do
