"""Damaged journals: the same command goes on, to the same scores."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path

from attack.data_cases import ROWS, task, write
from attack.harness import Attack, Case
from attack.runs import FINE, here, run, scores
from vlmbench.runs.journal import Journal, read_journal


def _damaged(
    name: str,
    about: str,
    damage: Callable[[bytes], Iterable[bytes]],
    *,
    quick: bool = False,
    every: int = 1,
) -> Case:
    """Each form of a damaged journal is gone on with, to the same scores to the byte.

    Args:
        every: Of so many forms one is run to the end; the others are opened and read.
    """

    def setup(directory: Path, stack: ExitStack) -> Attack:
        rows = [{**ROWS[0], "id": f"q{number}", "answer": f"答え{number}"} for number in range(12)]
        write(directory, task(), rows)
        assert here(run(directory)) == 0
        expected = scores(directory)
        journal = next(directory.glob("runs/*/t/journal.jsonl"))
        undamaged = journal.read_bytes()
        told = read_journal(journal)
        forms = list(damage(undamaged))

        def problems() -> Iterable[str]:
            for number, form in enumerate(forms):
                journal.write_bytes(form)
                if number % every:
                    with Journal(journal, told.header) as opened:
                        found = opened.content.responses
                    if any(told.responses[name] != one for name, one in found.items()):
                        yield f"form {number} has an answer that nobody gave"
                elif code := here(run(directory)):
                    yield f"form {number} ends with {code}"
                elif scores(directory) != expected:
                    yield f"form {number} has other scores"

        def after() -> str:
            return next(iter(problems()), "")

        journal.write_bytes(forms[-1])
        return Attack(run(directory), FINE, "", after=after)

    return Case("journal", name, about, setup, seconds=60, quick=quick)


def _torn(whole_journal: bytes) -> Iterable[bytes]:
    """Cut at every byte of the last three lines."""
    start = len(b"".join(whole_journal.splitlines(keepends=True)[:-3]))
    return (whole_journal[:size] for size in range(start, len(whole_journal)))


def _flipped(journal: bytes) -> Iterable[bytes]:
    draw = random.Random(0)
    for _ in range(200):
        at, bit = draw.randrange(len(journal)), 1 << draw.randrange(8)
        yield journal[:at] + bytes([journal[at] ^ bit]) + journal[at + 1 :]


def _doubled(journal: bytes) -> Iterable[bytes]:
    lines = journal.splitlines(keepends=True)
    yield b"".join(line * 2 for line in lines[1:]).join([lines[0], b""])
    yield b"".join([lines[0], *lines])
    yield b"".join([*lines, lines[0]])
    yield journal + journal


def _other_ends(journal: bytes) -> Iterable[bytes]:
    yield journal.replace(b"\n", b"\r\n")
    yield journal.replace(b"\n", b"\n\n")
    yield journal + bytes(4096)
    yield journal[:-100] + bytes(100)
    yield journal + b"\xff\xfe{}\n"


CASES = [
    _damaged("torn", "cut at every byte of its last three lines", _torn, every=20),
    _damaged("flipped", "200 times a bit flipped", _flipped, every=4),
    _damaged("doubled", "doubled lines, two headers, all of it twice", _doubled),
    _damaged("ends", "CRLF, empty lines, zeros and noise at its end", _other_ends),
]
