"""A process on a pipe: what it is told arrives, and how it ends is noticed."""

from __future__ import annotations

import os
import signal
import time
from multiprocessing.connection import Connection

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
