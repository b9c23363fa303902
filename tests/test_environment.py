"""What a process is told before it works."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from vlmbench.environment import THREADS, set_thread_env


def test_threads_are_calmed_where_the_user_has_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in THREADS:
        monkeypatch.setenv(name, "own")
    set_thread_env()
    assert {os.environ[name] for name in THREADS} == {"own"}
    for name in THREADS:
        monkeypatch.delenv(name)
    set_thread_env()
    assert {name: os.environ[name] for name in THREADS} == THREADS


LARGE_PARENT = """
import subprocess, sys
held = b"1" * (400 << 20)
sys.stdout.buffer.write(subprocess.check_output([sys.executable, "-c", *sys.argv[1:]]))
"""
CHILD = """
import sys
from vlmbench.environment import peak_memory
held = b"1" * (int(sys.argv[1]) << 20)
del held
print(peak_memory().host)
"""


@pytest.mark.parametrize(("mebibytes", "low", "high"), [(0, 5, 150), (200, 200, 350)])
def test_peak_memory_is_what_a_process_itself_held(mebibytes: int, low: int, high: int) -> None:
    """What it has freed since counts, what its parent held when it started it does not."""
    command = [sys.executable, "-c", LARGE_PARENT, CHILD, str(mebibytes)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    assert low < float(done.stdout) < high
