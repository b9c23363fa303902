"""Disks that are full, directories that go away, two commands at once, a clock set back."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from attack.data_cases import ROWS, task, write
from attack.harness import Attack, Case, NotHereError
from attack.hostile_server import completion, serving, silent, whole
from attack.runs import ENVIRONMENT, FINE, REFUSED, asking, here, run, scores
from vlmbench.runs.journal import read_journal


def _small_disk(directory: Path, stack: ExitStack, options: str) -> Path:
    """A disk of its own, as only root can make it."""
    disk = directory / "runs"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        raise NotHereError("only root can mount a small disk")
    stack.callback(subprocess.run, ["umount", str(disk)], check=True)
    return disk


def _full_disk(kibibytes: int) -> Case:
    def setup(directory: Path, stack: ExitStack) -> Attack:
        rows = [{**ROWS[0], "id": f"q{number}"} for number in range(300)]
        write(directory, task(), rows)
        assert here(run(directory, out="whole")) == 0
        disk = _small_disk(directory, stack, f"size={kibibytes}k")

        def after() -> str:
            kept = [len(read_journal(one).responses) for one in disk.glob("*/t/journal.jsonl")]
            subprocess.run(["mount", "-o", "remount,size=9m", str(disk)], check=True)
            if code := here(run(directory)):
                return f"the same command then ends with {code}"
            expected = (directory / "whole" / "baseline-oracle" / "t" / "scores.jsonl").read_bytes()
            return "" if scores(directory) == expected and kept else "answers are lost"

        return Attack(run(directory), REFUSED, "No space left", after=after)

    about = f"a disk of {kibibytes} KiB, full before the end"
    return Case("disk", f"full_{kibibytes}", about, setup, quick=False)


def _read_only() -> Case:
    def setup(directory: Path, stack: ExitStack) -> Attack:
        write(directory, task())
        _small_disk(directory, stack, "ro,size=100k")
        return Attack(run(directory), REFUSED, "Read-only")

    return Case("disk", "read_only", "a directory that cannot be written", setup, quick=False)


def _taken_away(
    name: str, about: str, change: Callable[[Path], object], says: str, *, quick: bool = False
) -> Case:
    """At the third answer something happens to the run's directory; the same command goes on."""

    def setup(directory: Path, stack: ExitStack) -> Attack:
        answered: list[int] = []

        def chat(connection: socket.socket, text: str, over: threading.Event) -> None:
            answered.append(1)
            if len(answered) == 3:
                change(directory / "runs" / "m" / "t")
            whole(completion())(connection, text, over)

        url = stack.enter_context(serving(chat))
        write(directory, task(), [{**ROWS[0], "id": f"q{number}"} for number in range(12)])

        def after() -> str:
            with serving(whole(completion())) as well:
                code = here(asking(directory, well))
            return "" if code == 0 else f"the same command then ends with {code}"

        arguments = asking(directory, url, "--model-option", "concurrency=1")
        return Attack(arguments, REFUSED, says, ENVIRONMENT, after=after)

    return Case("disk", name, about, setup, quick=quick)


def _cut(run: Path) -> None:
    os.truncate(run / "journal.jsonl", 2000)


def _replaced(run: Path) -> None:
    shutil.copy(run / "journal.jsonl", run / "copy")
    (run / "copy").replace(run / "journal.jsonl")


def _two_at_once() -> Case:
    def setup(directory: Path, stack: ExitStack) -> Attack:
        asked = threading.Event()

        def chat(connection: socket.socket, text: str, over: threading.Event) -> None:
            asked.set()
            silent(connection, text, over)

        url = stack.enter_context(serving(chat))
        write(directory, task())
        arguments = asking(directory, url)
        first = subprocess.Popen(
            [sys.executable, "-m", "vlmbench", *arguments],
            env={**os.environ, **ENVIRONMENT},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

        def end() -> None:
            first.kill()
            first.wait()

        stack.callback(end)
        assert asked.wait(600)
        return Attack(arguments, REFUSED, f"(process {first.pid})", ENVIRONMENT)

    return Case("disk", "two_at_once", "two commands on one directory", setup, quick=False)


def _full_output() -> Case:
    def setup(directory: Path, stack: ExitStack) -> Attack:
        write(directory, task())
        assert here(run(directory)) == 0
        arguments = ["score", str(directory / "runs")]
        return Attack(arguments, REFUSED, "disk full", stdout=Path("/dev/full"))

    return Case("disk", "full_output", "an output that takes nothing", setup)


def _clock() -> Case:
    """Ctrl-C, and the same command a year earlier by the clock."""

    def setup(directory: Path, stack: ExitStack) -> Attack:
        library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
        if library is None:
            raise NotHereError("libfaketime is not installed")
        write(directory, task(), [{**ROWS[0], "id": f"q{number}"} for number in range(300)])
        assert here(run(directory)) == 0
        expected = scores(directory)
        journal = next(directory.glob("runs/*/t/journal.jsonl"))
        journal.write_bytes(journal.read_bytes()[:20_000])

        def after() -> str:
            return "" if scores(directory) == expected else "the scores are other ones"

        environment = {"LD_PRELOAD": str(library), "FAKETIME": "-1y"}
        return Attack(run(directory), FINE, "", environment, after=after)

    return Case("disk", "clock", "a clock that is set back by a year", setup, quick=False)


CASES = [
    _full_disk(40),
    _full_disk(100),
    _read_only(),
    _taken_away("removed", "the run removed meanwhile", shutil.rmtree, "was removed", quick=True),
    _taken_away(
        "moved", "the run renamed", lambda run: run.rename(run.parent / "n"), "was removed"
    ),
    _taken_away("replaced", "the journal replaced by a copy", _replaced, "replaced"),
    _taken_away("cut", "the journal cut meanwhile", _cut, "was cut from"),
    _two_at_once(),
    _full_output(),
    _clock(),
]
