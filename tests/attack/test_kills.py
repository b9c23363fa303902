"""The short form of the kills; those of trainings are in tests/train/test_bad_luck.py."""

from __future__ import annotations

from attack.kills import kill_commands


def test_killed_commands_leave_the_same_bytes() -> None:
    assert list(kill_commands(6, seed=1, samples=60, chosen=lambda one: one.quick)) == []
