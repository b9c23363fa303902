"""All attacks, one after the other: `python tests/attack/run.py [--group G] [--write FILE]`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from attack.checkpoint_cases import CASES as CHECKPOINTS
from attack.data_cases import CASES as DATA
from attack.disk_cases import CASES as DISKS
from attack.harness import Case, Outcome, run_case
from attack.interrupt_cases import CASES as INTERRUPTS
from attack.journal_cases import CASES as JOURNALS
from attack.page import attacks_part, fuzz_part, kills_part, line, told, with_part
from attack.picture_cases import CASES as PICTURES
from attack.record_cases import CASES as RECORDS
from attack.server_cases import CASES as SERVERS

CASES: list[Case] = [
    *(*DATA, *PICTURES, *CHECKPOINTS, *SERVERS, *INTERRUPTS, *DISKS, *JOURNALS, *RECORDS),
]


def attack(chosen: Iterable[Case]) -> Iterator[Outcome]:
    """Make the attacks, with a line about each."""
    for case in chosen:
        with tempfile.TemporaryDirectory() as directory:
            outcome = run_case(case, Path(directory))
        print(line(outcome), flush=True)
        yield outcome


def main() -> int:
    """Run the attacks; 1 if any ended badly."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--group", action="append", help="only this kind")
    parser.add_argument("--name", action="append", help="only this case")
    parser.add_argument("--told", type=Path, nargs="+", help="write what this printed before")
    parser.add_argument("--write", type=Path, help="page whose tables are replaced")
    parser.add_argument(
        "--kills", type=Path, nargs="*", default=[], help="what kills.py printed, for the page"
    )
    parser.add_argument("--fuzz", type=Path, nargs="*", default=[], help="what fuzz.py printed")
    options = parser.parse_args()
    chosen = [
        case
        for case in CASES
        if (not options.group or case.group in options.group)
        and (not options.name or case.name in options.name)
    ]
    if options.told:
        printed = "".join(one.read_text(encoding="utf-8") for one in options.told)
        outcomes = told(printed, chosen)
    else:
        outcomes = list(attack(chosen))
    bad = [one for one in outcomes if one.problem]
    print(f"{len(outcomes)} attacks, {len(bad)} ended badly")
    if options.write:
        page = options.write.read_text(encoding="utf-8")
        page = with_part(page, "attacks", attacks_part(page, outcomes, CASES))
        if options.kills:
            printed = "".join(one.read_text(encoding="utf-8") for one in options.kills)
            page = with_part(page, "kills", kills_part(printed))
        if options.fuzz:
            printed = "".join(one.read_text(encoding="utf-8") for one in options.fuzz)
            page = with_part(page, "fuzz", fuzz_part(printed))
        options.write.write_text(page, encoding="utf-8")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
