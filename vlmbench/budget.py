"""Run a function on strangers' input in another process, with bounds on its time and memory.

Templates are code. jinja2's sandbox keeps them from files and names, and sets no bound on loops
and sizes; a process can be ended, a thread cannot.
"""

from __future__ import annotations

import atexit
import multiprocessing
import threading
from collections.abc import Callable, Sequence
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any, ParamSpec, TypeVar

SECONDS = 5.0
"""For one call. Rendering a template takes less than a millisecond."""
MEBIBYTES = 512
"""Address space of the process, the Python in it included."""
_START_SECONDS = 60.0

P = ParamSpec("P")
T = TypeVar("T")


class OverBudget(Exception):
    """A call took too long or too much memory; its text says which, as the end of a sentence."""


class BudgetedWorker:
    """A process that is started at the first call and again after one that was stopped.

    Args:
        modules: What calls need, imported before the first of them is timed.
    """

    def __init__(
        self,
        *,
        seconds: float = SECONDS,
        mebibytes: int = MEBIBYTES,
        modules: Sequence[str] = (),
    ) -> None:
        self._seconds = seconds
        self._mebibytes = mebibytes
        self._modules = tuple(modules)
        self._lock = threading.Lock()
        self._process: Any = None
        self._pipe: Connection | None = None

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the function returns or raises; both, and its arguments, have to be picklable.

        Raises:
            OverBudget: It was stopped.
        """
        with self._lock:
            pipe = self._started()
            pipe.send((function, args, kwargs))
            try:
                if not pipe.poll(self._seconds):
                    raise OverBudget(f"it takes more than {self._seconds:g} seconds")
                failed, result = pipe.recv()
            except (EOFError, ConnectionError) as error:
                self._stop()
                raise OverBudget(f"it takes more than {self._mebibytes:,} MiB of memory") from error
            except BaseException:
                self._stop()
                raise
        if failed:
            raise result
        return result  # type: ignore[no-any-return]

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._stop()

    def _started(self) -> Connection:
        if self._pipe is not None and self._process.is_alive():
            return self._pipe
        self._stop()
        # Not forked: other threads of this process may hold locks.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        arguments = (theirs, self._mebibytes, self._modules)
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        try:
            if not self._pipe.poll(_START_SECONDS):
                raise EOFError
            self._pipe.recv()
        except (EOFError, ConnectionError) as error:
            self._stop()
            raise OverBudget("the process that should run it does not start") from error
        return self._pipe

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process.close()
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = None


def _serve(pipe: Connection, mebibytes: int, modules: Sequence[str]) -> None:
    """Answer calls until the other end is closed."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's; it ends us
    _limit_memory(mebibytes)
    for module in modules:
        import_module(module)
    pipe.send("ready")
    while True:
        try:
            function, args, kwargs = pipe.recv()
        except EOFError:
            return
        try:
            answer = (False, function(*args, **kwargs))
        except MemoryError:
            answer = (True, OverBudget(f"it takes more than {mebibytes:,} MiB of memory"))
        except Exception as error:
            answer = (True, error)
        try:
            pipe.send(answer)
        except MemoryError:
            pipe.send((True, OverBudget(f"it takes more than {mebibytes:,} MiB of memory")))


def _limit_memory(mebibytes: int) -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limits; the bound on time stays
        return
    bound = mebibytes * 2**20
    try:
        resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
    except (ValueError, OSError):  # a lower one holds already, or the system does not let us
        return


_worker: BudgetedWorker | None = None
_worker_lock = threading.Lock()


def within_budget(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call the function in the worker that this process shares; as `BudgetedWorker.call`."""
    global _worker
    with _worker_lock:
        if _worker is None:
            _worker = BudgetedWorker()
            atexit.register(_worker.close)
    return _worker.call(function, *args, **kwargs)
