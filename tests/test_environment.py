"""What a process is told before it works."""

from __future__ import annotations

import os

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
