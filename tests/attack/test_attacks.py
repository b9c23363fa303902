"""The short form of the attacks: one of each kind, through the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from attack.harness import Case, run_case
from attack.run import CASES


@pytest.mark.parametrize(
    "case", [one for one in CASES if one.quick], ids=lambda one: f"{one.group}-{one.name}"
)
def test_attack(case: Case, tmp_path: Path) -> None:
    outcome = run_case(case, tmp_path)
    assert outcome.problem == "", outcome.sentence


def test_names_are_unique() -> None:
    names = [(one.group, one.name) for one in CASES]
    assert len(names) == len(set(names))
