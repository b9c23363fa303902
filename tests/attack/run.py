"""All attacks, one after the other: `python tests/attack/run.py [--group G] [--write FILE]`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from attack.checkpoint_cases import CASES as CHECKPOINTS
from attack.data_cases import CASES as DATA
from attack.disk_cases import CASES as DISKS
from attack.harness import Case, Outcome, run_case
from attack.interrupt_cases import CASES as INTERRUPTS
from attack.journal_cases import CASES as JOURNALS
from attack.picture_cases import CASES as PICTURES
from attack.server_cases import CASES as SERVERS

CASES: list[Case] = [
    *(*DATA, *PICTURES, *CHECKPOINTS, *SERVERS, *INTERRUPTS, *DISKS, *JOURNALS),
]
MARKS = "<!-- attacks: begin -->", "<!-- attacks: end -->"
"""Between them the page's table stands."""


def table(outcomes: Iterable[Outcome]) -> str:
    """The outcomes as a table of Markdown."""
    lines = [
        "| kind | attack | ended | seconds | of the processor | MiB |",
        "|---|---|---|---|---|---|",
    ]
    for one in outcomes:
        ended = one.problem or ("not tried" if one.code is None else f"exit code {one.code}")
        about = one.case.about.replace("|", "\\|")
        lines.append(
            f"| {one.case.group} | {about} | {ended} | {one.seconds:.1f} | {one.processor:.1f} "
            f"| {one.mebibytes:.0f} |"
        )
    return "\n".join(lines)


def main() -> int:
    """Run the attacks; 1 if any ended badly."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--group", action="append", help="only this kind")
    parser.add_argument("--name", action="append", help="only this case")
    parser.add_argument("--write", type=Path, help="page whose table is replaced")
    options = parser.parse_args()
    outcomes = []
    for case in CASES:
        if options.group and case.group not in options.group:
            continue
        if options.name and case.name not in options.name:
            continue
        with tempfile.TemporaryDirectory() as directory:
            outcome = run_case(case, Path(directory))
        outcomes.append(outcome)
        mark = "BAD " if outcome.problem else "ok  "
        print(
            f"{mark}{case.group}/{case.name}: {outcome.problem or outcome.code} "
            f"({outcome.seconds:.1f} s, {outcome.processor:.1f} s of the processor, "
            f"{outcome.mebibytes:.0f} MiB) {outcome.sentence[:150]}",
            flush=True,
        )
    bad = [one for one in outcomes if one.problem]
    print(f"{len(outcomes)} attacks, {len(bad)} ended badly")
    if options.write:
        begin, end = MARKS
        page = options.write.read_text(encoding="utf-8")
        head, rest = page.split(begin, 1)
        tail = rest.split(end, 1)[1]
        options.write.write_text(f"{head}{begin}\n{table(outcomes)}\n{end}{tail}", encoding="utf-8")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
