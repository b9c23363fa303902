"""One process at a time writes a file or a directory; the next one is told which one that is."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def lock(descriptor: int) -> str | None:
    """Lock an open file until it is closed, however the process ends.

    Returns:
        None, or if another process has locked it, which one: " (process 12)", or "" where the
        system does not tell.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return _holder(os.fstat(descriptor))
    return None


def _holder(file: os.stat_result) -> str:
    try:
        locks = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):  # Linux has it
        return ""
    device = f"{os.major(file.st_dev):02x}:{os.minor(file.st_dev):02x}:{file.st_ino}"
    for held in map(str.split, locks):
        if held[1:2] == ["FLOCK"] and held[5:6] == [device]:
            return f" (process {held[4]})"
    return ""
