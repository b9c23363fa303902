"""Runs a server for as long as whoever started this program lives.

    python supervise.py GRACE COMMAND...

The command gets a process group of its own. When standard input ends, which it does however its
other end dies, or on SIGTERM, the group is asked to end, and killed GRACE seconds later. Exits
with the command's code. Where this program itself is killed, Linux ends the command. Uses the
standard library only, so that it starts at once.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable

_POLL_SECONDS = 0.1
_PR_SET_PDEATHSIG = 1

_asked_to_stop = False


def supervise(grace: float, command: list[str]) -> int:
    """Run the command; its exit code, 128 and more for a signal."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        server = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_follow(os.getpid()) if sys.platform == "linux" else None,
        )
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", flush=True)
        return 127
    while server.poll() is None and not _asked_to_stop and not _input_ended(_POLL_SECONDS):
        pass
    _end_group(server, grace)
    code = server.wait()
    return code if code >= 0 else 128 - code


def _follow(parent: int) -> Callable[[], None]:
    """What the command does first: ask to be killed when its parent is, see prctl(2)."""
    prctl = ctypes.CDLL(None).prctl

    def follow() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it was killed before it was asked
            os._exit(128 + signal.SIGKILL)

    return follow


def _stop(number: int, frame: object) -> None:
    global _asked_to_stop
    _asked_to_stop = True


def _input_ended(seconds: float) -> bool:
    readable, _, _ = select.select([0], [], [], seconds)
    return bool(readable) and os.read(0, 1024) == b""


def _end_group(server: subprocess.Popen[bytes], grace: float) -> None:
    """End the server's group: workers may outlive the server itself."""
    _signal(server.pid, signal.SIGTERM)
    until = time.monotonic() + grace
    while time.monotonic() < until and _signal(server.pid, 0):
        server.poll()  # a dead leader stays in its group until it is waited for
        time.sleep(_POLL_SECONDS / 2)
    _signal(server.pid, signal.SIGKILL)


def _signal(group: int, number: int) -> bool:
    """Whether there was anybody to signal."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
        return True
    return False


if __name__ == "__main__":
    sys.exit(supervise(float(sys.argv[1]), sys.argv[2:]))
