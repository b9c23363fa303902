"""The short form of the attacks: one of each kind, through the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from attack.harness import Case, Outcome, run_case
from attack.page import attacks_part, fuzz_part, key, kills_part, line, row, told, with_part
from attack.run import CASES


@pytest.mark.parametrize(
    "case", [one for one in CASES if one.quick], ids=lambda one: f"{one.group}-{one.name}"
)
def test_attack(case: Case, tmp_path: Path) -> None:
    outcome = run_case(case, tmp_path)
    assert outcome.problem == "", outcome.sentence


def test_names_are_unique() -> None:
    for names in ([(one.group, one.name) for one in CASES], [key(one) for one in CASES]):
        assert len(names) == len(set(names))


def test_a_part_of_the_attacks_leaves_the_others_rows() -> None:
    first, second = CASES[:2]
    page = "x\n<!-- attacks: begin -->\n<!-- attacks: end -->\ny\n"
    for case, code in ((first, 2), (second, 0), (first, 3)):
        outcome = Outcome(case, "", code, 1.0, 0.5, 100.0, "")
        page = with_part(page, "attacks", attacks_part(page, [outcome], CASES))
    *_, one, other, end, y = page.splitlines()
    assert one == f"{key(first)} exit code 3 | 1.0 | 0.5 | 100 |"
    assert other == f"{key(second)} exit code 0 | 1.0 | 0.5 | 100 |"
    assert (end, y) == ("<!-- attacks: end -->", "y")


def test_what_was_printed_can_be_written_later() -> None:
    outcomes = [
        Outcome(CASES[0], "", 2, 1.5, 0.5, 100.0, "vlmbench: (no): 1 s"),
        Outcome(CASES[1], "a traceback", 70, 1.5, 0.5, 100.0, ""),
        Outcome(CASES[2], "", None, 0.0, 0.0, 0.0, "not tried: only root can"),
    ]
    again = told("".join(f"{line(one)}\n" for one in outcomes), CASES)
    assert [row(one) for one in again] == [row(one) for one in outcomes]


def test_kills_and_fuzzing_are_counted() -> None:
    """By what they print."""
    kills = "    1: run, killed\nBAD run, killed, at 30% of its time: x\n    2: run, killed\n"
    assert kills_part(kills).splitlines()[2:] == ["| run | killed | 2 | 1 |", "| all | | 2 | 1 |"]
    fuzzing = "ok  task: 4,500 inputs\nBAD journal: KeyError: x\n"
    rows = ["| task | 4,500 | nothing |", "| journal |  | something |"]
    assert fuzz_part(fuzzing).splitlines()[2:] == rows
