"""The tables of docs/reliability.md, out of what attacks, kills and fuzzing came to."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from attack.harness import Case, Outcome

HEAD = "| kind | attack | ended | seconds | of the processor | MiB |\n|---|---|---|---|---|---|"


def key(case: Case) -> str:
    """What a row of the table begins with."""
    about = case.about.replace("|", "\\|")
    return f"| {case.group} | {about} |"


def row(one: Outcome) -> str:
    """An outcome as a row of the table."""
    ended = one.problem or ("not tried" if one.code is None else f"exit code {one.code}")
    return (
        f"{key(one.case)} {ended} | {one.seconds:.1f} | {one.processor:.1f} | {one.mebibytes:.0f} |"
    )


def line(one: Outcome) -> str:
    """What run.py prints about an outcome."""
    mark = "BAD " if one.problem else "ok  "
    return (
        f"{mark}{one.case.group}/{one.case.name}: {one.problem or one.code} ({one.seconds:.1f} s, "
        f"{one.processor:.1f} s of the processor, {one.mebibytes:.0f} MiB) {one.sentence[:150]}"
    )


_LINE = re.compile(
    r"(?P<mark>ok|BAD) +(?P<name>[^:]+): (?P<ended>.*?) \((?P<seconds>[\d.]+) s, "
    r"(?P<processor>[\d.]+) s of the processor, (?P<mebibytes>\d+) MiB\)"
)


def told(printed: str, cases: Sequence[Case]) -> list[Outcome]:
    """The outcomes that run.py printed."""
    known = {f"{one.group}/{one.name}": one for one in cases}
    outcomes = []
    for found in filter(None, map(_LINE.match, printed.splitlines())):
        case, ended = known.get(found["name"]), found["ended"]
        if case is None:
            continue
        bad = found["mark"] == "BAD"
        code = None if bad or ended == "None" else int(ended)
        numbers = (float(found[name]) for name in ("seconds", "processor", "mebibytes"))
        outcomes.append(Outcome(case, ended if bad else "", code, *numbers, sentence=""))
    return outcomes


def attacks_part(page: str, outcomes: Sequence[Outcome], cases: Sequence[Case]) -> str:
    """The table of all cases, in which those that were not tried now stay as they are."""
    rows = {key(one.case): row(one) for one in outcomes}
    there = part(page, "attacks").splitlines()
    for case in cases:
        known = next((line for line in there if line.startswith(key(case))), None)
        if known is not None:
            rows.setdefault(key(case), known)
    return "\n".join([HEAD, *(rows[key(one)] for one in cases if key(one) in rows)])


def kills_part(printed: str) -> str:
    """What kills.py printed, as a table: how often which command was killed, and how it ended."""
    lines = printed.splitlines()
    done = Counter(line.split(": ", 1)[1] for line in lines if re.match(r" +\d+: ", line))
    bad = Counter(line[4:].split(", at ")[0] for line in lines if line.startswith("BAD "))
    rows = [
        f"| {kind.replace(', ', ' | ', 1)} | {done[kind]} | {bad[kind]} |" for kind in sorted(done)
    ]
    total = f"| all | | {done.total()} | {bad.total()} |"
    return "\n".join(
        ["| command | killed | times | ended badly |", "|---|---|---|---|", *rows, total]
    )


def fuzz_part(printed: str) -> str:
    """What fuzz.py printed, as a table."""
    found = re.findall(r"^(ok|BAD) +(\w+): (?:([\d,]+) inputs)?", printed, re.M)
    said = {"ok": "nothing", "BAD": "something"}
    rows = [
        f"| {name.replace('_', ' ')} | {inputs} | {said[mark]} |" for mark, name, inputs in found
    ]
    return "\n".join(["| reader | inputs | found |", "|---|---|---|", *rows])


def part(page: str, name: str) -> str:
    """What stands between a part's marks."""
    return page.split(f"<!-- {name}: begin -->\n", 1)[1].split(f"<!-- {name}: end -->", 1)[0]


def with_part(page: str, name: str, text: str) -> str:
    """The page with another text between a part's marks."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    head, rest = page.split(begin, 1)
    return f"{head}{begin}{text}\n{end}{rest.split(end, 1)[1]}"
