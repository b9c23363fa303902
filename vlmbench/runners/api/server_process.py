"""A server as a child of this process that never outlives it."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from vlmbench.errors import ModelError
from vlmbench.runners.api import supervise

HOST = "127.0.0.1"

GRACE_SECONDS = 10.0
"""How long a server may take to end before it is killed."""

NOTE_SECONDS = 10.0
"""How often people are told that the server is still loading."""

_POLL_SECONDS = 0.2
TAIL_LINES, TAIL_CHARACTERS = 8, 800


class ServerProcess:
    """A server that has been started; its output goes to a file.

    Args:
        name: What messages call it.
    """

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str]) -> None:
        self.name = name
        self._folder = Path(tempfile.mkdtemp(prefix="vlmbench-server-"))
        self.log = self._folder / "server.log"
        with self.log.open("wb") as log:
            # The supervisor ends the server when the pipe to it breaks, so however we end.
            self._supervisor = subprocess.Popen(
                [sys.executable, "-IS", supervise.__file__, str(GRACE_SECONDS), *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(env),
                start_new_session=True,
            )

    def check(self) -> None:
        """See that it runs.

        Raises:
            ModelError: It does not; says how it ended and what it said last.
        """
        code = self._supervisor.poll()
        if code is not None:
            raise ModelError(
                f"The server '{self.name}' has ended with exit code {code}; correct what its log "
                f"says ({self.log}): {self.tail()}"
            )

    def wait_until(
        self, healthy: Callable[[], bool], *, seconds: float, what: str = "waiting"
    ) -> None:
        """Wait for the server to be ready, and tell a person at a terminal `what` is waited for.

        Raises:
            ModelError: It has ended, or the time is up.
        """
        started = time.monotonic()
        next_note = NOTE_SECONDS
        while not healthy():
            self.check()
            waited = time.monotonic() - started
            if waited > seconds:
                raise ModelError(
                    f"The server '{self.name}' was not ready after {seconds:g} s; give it longer "
                    "with --model-option start_seconds=N, or correct what its log says "
                    f"({self.log}): {self.tail()}"
                )
            if waited >= next_note and sys.stderr.isatty():
                print(f"vlmbench: {what} ({waited:.0f} s)", file=sys.stderr)
                next_note += NOTE_SECONDS
            time.sleep(_POLL_SECONDS)

    def tail(self) -> str:
        """The end of its log, in one line."""
        try:
            lines = self.log.read_text("utf-8", "replace").strip().splitlines()
        except OSError:
            lines = []
        return " | ".join(lines[-TAIL_LINES:])[-TAIL_CHARACTERS:] or "(nothing)"

    def stop(self, *, keep_log: bool = False) -> None:
        """End it and everything it started, within the grace."""
        if self._supervisor.stdin is not None:
            with contextlib.suppress(OSError):
                self._supervisor.stdin.close()
        try:
            self._supervisor.wait(GRACE_SECONDS + 5)
        except subprocess.TimeoutExpired:
            self._supervisor.kill()
            self._supervisor.wait()
        if not keep_log:
            shutil.rmtree(self._folder, ignore_errors=True)


def find_executable(name: str) -> str | None:
    """Its path: beside the running Python, whose environment may not be activated, or on PATH."""
    beside = str(Path(sys.executable).parent)
    return shutil.which(name, path=os.pathsep.join([beside, os.environ.get("PATH", os.defpath)]))


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
