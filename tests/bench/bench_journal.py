"""Prints what it takes to go on with a journal: `python tests/bench/bench_journal.py [LINES]`."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

from vlmbench.records import JournalSample, Response
from vlmbench.runs.directory import canonical_json
from vlmbench.runs.journal import Journal, Session
from vlmbench.runs.journal_header import Header
from vlmbench.runs.journal_lines import response_line, sample_line
from vlmbench.runs.seal import sealed

HEADER = Header({"name": "m"}, {"name": "t"}, None, {"model": "m", "data": "d", "prompt": "p"})


def line(number: int) -> bytes:
    """A line as `vlmbench run` writes it for a short question without an image."""
    name = f"q{number:07}"
    answer = Response(name, f"{number:016x}", "答えは赤です。", finish="stop", output_tokens=6)
    prompt, references = ("この絵は何色ですか。",), ("赤",)
    asked = JournalSample(number, prompt, (), references, (), {"kind": "色"}, name)
    values = {
        "type": "response",
        "at": number / 1000,
        **response_line(answer),
        **sample_line(asked),
    }
    return sealed(canonical_json(values))


def write(path: Path, lines: int) -> None:
    """A journal of so many answers."""
    with Journal(path, HEADER) as journal:
        journal.begin(Session("2026-01-01T00:00:00+00:00", None, 0, {}))
    with path.open("ab") as handle:
        handle.writelines(line(number) for number in range(lines))


def main() -> None:
    """Write one, open it again and add an answer."""
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.jsonl"
        write(path, lines)
        size = path.stat().st_size / 2**20
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        began = time.process_time()
        with Journal(path, HEADER) as journal:
            assert len(journal.content.responses) == lines
            assert not journal.content.damaged
            journal.add(Response("last", "key", "赤"))
        seconds = time.process_time() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{lines:,} lines of {size:,.0f} MiB: {seconds:.1f} s of the processor, {peak:,.0f} MiB "
        f"at most, {before:,.0f} MiB of them before"
    )


if __name__ == "__main__":
    main()
