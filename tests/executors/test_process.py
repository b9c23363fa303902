"""A process on a pipe: what it is told arrives, and how it ends is noticed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
import pytest

from vlmbench.executors.process import PipedProcess, ProcessLostError


def echo(pipe: Connection, name: str) -> None:
    while True:
        pipe.send((os.environ[name], pipe.recv()))


def leave(pipe: Connection, code: int) -> None:
    os._exit(code)


def kill_itself(pipe: Connection, number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(60)


def test_messages_come_back_and_the_environment_is_its_own() -> None:
    process = PipedProcess(echo, "VLMBENCH_TEST", environment={"VLMBENCH_TEST": "値"})
    process.send({"long": "字" * 10**6})
    assert process.receive() == ("値", {"long": "字" * 10**6})
    assert "VLMBENCH_TEST" not in os.environ
    process.end()
    process.end()
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


@pytest.mark.parametrize(
    ("serve", "argument", "reason"),
    [
        (leave, 7, "exit code 7"),
        (kill_itself, signal.SIGTERM, "signal 15"),
        (kill_itself, signal.SIGKILL, "it was killed, as happens when memory runs out"),
    ],
)
def test_why_a_process_ended(serve: object, argument: int, reason: str) -> None:
    process = PipedProcess(serve, argument, environment={})  # type: ignore[arg-type]
    with pytest.raises(ProcessLostError, match=f"^{reason}$"):
        process.receive()
    process.send("nothing is raised where the other end is gone")
    with pytest.raises(ProcessLostError):
        process.receive()


def load_slowly(pipe: Connection) -> None:
    """Says its number and does not look at the pipe again, as while a model is loaded."""
    pipe.send(os.getpid())
    time.sleep(600)


OWNER = """
import time
from test_process import load_slowly
from vlmbench.executors.process import PipedProcess
process = PipedProcess(load_slowly, environment={})
print(process.receive(), flush=True)
time.sleep(600)
"""


def test_a_process_that_loads_ends_soon_after_its_owner_was_killed() -> None:
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    with owner:
        assert owner.stdout is not None
        number = int(owner.stdout.readline())
        owner.kill()
    until = time.monotonic() + 30
    while psutil.pid_exists(number) and time.monotonic() < until:
        time.sleep(0.05)
    assert not psutil.pid_exists(number) or psutil.Process(number).status() == "zombie"
