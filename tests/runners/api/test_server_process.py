"""Servers end with whoever started them, however that ends: real processes, real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from vlmbench.errors import ModelError
from vlmbench.runners.api import server_process, supervise
from vlmbench.runners.api.server_process import ServerProcess

SERVER = """
import pathlib, subprocess, sys, time
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path(sys.argv[1]).write_text(f"{__import__('os').getpid()} {worker.pid}\\n")
time.sleep(600)
"""
"""Says its own number and its worker's."""

OWNER = """
import os, signal, sys, time
from vlmbench.runners.api.server_process import ServerProcess
# A shell that runs the tests in the background has SIGINT ignored for all below it.
signal.signal(signal.SIGINT, signal.default_int_handler)
server = ServerProcess("made", [sys.executable, "-c", *sys.argv[1:]], os.environ)
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs go where the test's files go, also those of processes that are killed."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def numbers(file: Path) -> list[int]:
    """Process numbers, once they are there."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if file.exists() and (text := file.read_text()).endswith("\n"):
            return [int(number) for number in text.split()]
        time.sleep(0.02)
    raise AssertionError("the server did not start")


def alive(number: int) -> bool:
    """Whether a process runs; one that is dead and not yet waited for does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{number}/status").read_text()
    except OSError:
        return False


def wait_for_end(processes: list[int], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while any(alive(number) for number in processes) and time.monotonic() < until:
        time.sleep(0.02)
    return not any(alive(number) for number in processes)


pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_orphan_is_left(how: signal.Signals, tmp_path: Path) -> None:
    file = tmp_path / "numbers"
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, SERVER, str(file)], stderr=subprocess.DEVNULL
    )
    processes = numbers(file)
    assert all(alive(number) for number in processes)
    os.kill(owner.pid, how)
    owner.wait(30)
    assert wait_for_end(processes, 10)


def test_stop_ends_server_and_workers(tmp_path: Path) -> None:
    file = tmp_path / "numbers"
    server = ServerProcess("made", [sys.executable, "-c", SERVER, str(file)], os.environ)
    processes = numbers(file)
    server.check()
    server.stop()
    assert wait_for_end(processes, 0.1)
    assert not server.log.exists()


def test_a_server_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "numbers"
    deaf = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{SERVER}"
    command = [sys.executable, "-IS", supervise.__file__, "0.3", sys.executable, "-c", deaf]
    with subprocess.Popen([*command, str(file)], stdin=subprocess.PIPE) as supervisor:
        processes = numbers(file)
        assert supervisor.stdin is not None
        supervisor.stdin.close()
        assert supervisor.wait(10) == 128 + signal.SIGKILL
    assert wait_for_end(processes, 0.1)


@pytest.mark.skipif(sys.platform != "linux", reason="needs prctl(2)")
def test_a_server_ends_with_its_supervisor(tmp_path: Path) -> None:
    file = tmp_path / "numbers"
    server = ServerProcess("made", [sys.executable, "-c", SERVER, str(file)], os.environ)
    process, worker = numbers(file)
    server._supervisor.kill()
    assert wait_for_end([process], 10)
    with pytest.raises(ModelError, match="has ended with exit code -9"):
        server.wait_until(lambda: False, seconds=30)
    server.stop()
    os.kill(worker, signal.SIGKILL)  # a server's own workers have to see that it is gone


@pytest.mark.parametrize(
    ("script", "code", "tail"),
    [
        ("print('loading'); print('no such model'); raise SystemExit(3)", 3, "no such model"),
        ("import os; os.kill(os.getpid(), 9)", 137, "(nothing)"),
    ],
)
def test_a_server_that_dies_says_why(script: str, code: int, tail: str) -> None:
    server = ServerProcess("made", [sys.executable, "-c", script], os.environ)
    with pytest.raises(ModelError) as caught:
        server.wait_until(lambda: False, seconds=30)
    assert f"The server 'made' has ended with exit code {code};" in str(caught.value)
    assert tail in str(caught.value)
    server.stop()


def test_a_server_that_is_never_ready_is_given_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person at a terminal is told meanwhile what is waited for."""
    monkeypatch.setattr(server_process, "NOTE_SECONDS", 0.1)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    command = [sys.executable, "-c", SERVER, str(tmp_path / "numbers")]
    server = ServerProcess("made", command, os.environ)
    with pytest.raises(ModelError, match=r"was not ready after 0\.5 s"):
        server.wait_until(lambda: False, seconds=0.5, what="it is loading")
    server.stop()
    assert "vlmbench: it is loading (0 s)" in capsys.readouterr().err
