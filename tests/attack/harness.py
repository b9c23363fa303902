"""Runs vlmbench's command line on hostile input and says how it ended.

It ended well if it stopped by itself within the case's bounds with an exit code that people are
told of (0, 1, 2, 3 or 4), without a traceback, and no secret stands in what it wrote.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psutil

CODES = frozenset({0, 1, 2, 3, 4})
"""Every other exit code is a bug's (70), a signal's or Python's own."""

CTRL_C_SECONDS = 2.0
"""Within them a command ends, whatever it waits for."""
PATIENCE = 10
"""How many times as long as the processor's time of a case it may take by the clock."""
MEMORY_PATIENCE = 3
"""How many times the memory of a case it may take before it is ended, for the machine's sake."""


@dataclass(frozen=True)
class Attack:
    """What is typed, in a directory that has been prepared."""

    arguments: Sequence[str]
    codes: frozenset[int] = CODES
    says: str = ""
    """Part of what has to stand on stderr."""
    environment: Mapping[str, str] = field(default_factory=dict)
    absent: Sequence[Path] = ()
    """Files that exist only if the attack got through."""
    secret: str = ""
    """Must not stand in any file below the directory, nor in the output."""
    interrupt: Callable[[], bool] | None = None
    """Says when Ctrl-C is pressed; the command then has two seconds to end."""
    stdout: Path | None = None
    """Where the output goes; None: into a file."""
    after: Callable[[], str] | None = None
    """Looks at what is left, by further commands perhaps; says what is wrong with it."""


class NotHereError(Exception):
    """This machine lacks what an attack needs; the text says what."""


Setup = Callable[[Path, ExitStack], Attack]
"""Prepares an empty directory; what has to be stopped afterwards goes onto the stack."""


@dataclass(frozen=True)
class Case:
    """One hostile input."""

    group: str
    name: str
    about: str
    """What is hostile, for people."""
    setup: Setup
    seconds: float = 60.0
    """Of the processor, for the command and all its processes; waiting may take `PATIENCE` times
    as long, because the machine may have other things to do."""
    mebibytes: float = 1500.0
    quick: bool = True
    """Whether it belongs to the short form in the tests."""


@dataclass(frozen=True)
class Outcome:
    """How a case ended."""

    case: Case
    problem: str
    """Empty if it ended well."""
    code: int | None
    seconds: float
    """By the clock."""
    processor: float
    """Seconds of it."""
    mebibytes: float
    sentence: str
    """The last line on stderr."""


def run_case(case: Case, directory: Path) -> Outcome:
    """Prepare and run one case in an empty directory."""
    with ExitStack() as stack:
        try:
            attack = case.setup(directory, stack)
        except NotHereError as error:
            return Outcome(case, "", None, 0.0, 0.0, 0.0, f"not tried: {error}")
        before = set(directory.rglob("*"))
        code, seconds, used = _run(case, attack, directory)
        left = "" if code is None or attack.after is None else attack.after()
    errors = (directory / "stderr.txt").read_text(encoding="utf-8", errors="replace")
    output = (directory / "stdout.txt").read_text(encoding="utf-8", errors="replace")
    lines = [line for line in errors.splitlines() if line.strip()]
    problem = _problem(case, attack, code, used, errors) or left
    if not problem and attack.secret:
        new = [path for path in directory.rglob("*") if path.is_file() and path not in before]
        texts = [output, errors, *(path.read_text(errors="replace") for path in new)]
        if any(attack.secret in text for text in texts):
            problem = "the secret stands in a file or in the output"
    sentence = lines[-1] if lines else ""
    return Outcome(case, problem, code, seconds, used.seconds, used.mebibytes, sentence)


@dataclass
class _Used:
    """What a command and its processes have used."""

    seconds: float = 0.0
    """Of the processor."""
    mebibytes: float = 0.0
    """The most that one of the processes has held."""
    waited: float = 0.0
    """Seconds from Ctrl-C to the end, without those in which it worked."""


def _run(case: Case, attack: Attack, directory: Path) -> tuple[int | None, float, _Used]:
    """Exit code (None: it had to be killed), seconds by the clock and what was used."""
    environment = {**os.environ, "VLMBENCH_CACHE": str(directory / "cache"), **attack.environment}
    printed = directory / "stdout.txt"
    printed.touch()
    with (attack.stdout or printed).open("wb") as out, (directory / "stderr.txt").open("wb") as err:
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "vlmbench", *attack.arguments],
            cwd=directory,
            stdout=out,
            stderr=err,
            env=environment,
            start_new_session=True,
            preexec_fn=_hear_ctrl_c,
        )
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        used, late = _watched(process, case, attack.interrupt)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        # Exact, where looking at it now and then has missed the end.
        whole = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        used.seconds = max(used.seconds, whole)
    return None if late else process.returncode, time.monotonic() - began, used


def _peak_mebibytes(pid: int) -> float:
    """The most that a process has held until now; 0 of one that has ended."""
    with contextlib.suppress(OSError):
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
        if found := re.search(r"VmHWM:\s+(\d+) kB", status):
            return int(found[1]) / 1024
    return 0.0


def _hear_ctrl_c() -> None:
    """A shell that starts these tests in the background has SIGINT ignored for all below it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _watched(
    process: subprocess.Popen[bytes], case: Case, interrupt: Callable[[], bool] | None
) -> tuple[_Used, bool]:
    """Wait for its end, or end it where it uses far more than the case allows.

    Not by wait4, whose maximum begins with what this process held when it started the other.
    """
    root, used = psutil.Process(process.pid), _Used()
    seconds: dict[int, float] = {}
    pressed: tuple[float, float] | None = None
    until = time.monotonic() + PATIENCE * case.seconds
    while process.poll() is None:
        with contextlib.suppress(psutil.Error):
            for one in (root, *root.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    used.mebibytes = max(used.mebibytes, _peak_mebibytes(one.pid))
                    times = one.cpu_times()
                    seconds[one.pid] = times.user + times.system
        used.seconds = sum(seconds.values())
        if interrupt is not None and interrupt():
            interrupt = None
            process.send_signal(signal.SIGINT)
            pressed = time.monotonic(), used.seconds
        greedy = used.mebibytes > MEMORY_PATIENCE * case.mebibytes
        if used.seconds > case.seconds or greedy or time.monotonic() > until:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return used, True
        time.sleep(0.05)
    if pressed is not None:
        # What it does meanwhile takes longer where the machine has other things to do.
        busy = PATIENCE * (used.seconds - pressed[1])
        used.waited = max(0.0, time.monotonic() - pressed[0] - busy)
    return used, False


def _problem(case: Case, attack: Attack, code: int | None, used: _Used, errors: str) -> str:
    if code is None:
        return f"it was ended ({used.seconds:.0f} s of the processor, {used.mebibytes:,.0f} MiB)"
    if "Traceback (most recent call last)" in errors:
        return "a traceback"
    if code not in attack.codes:
        return f"exit code {code}"
    if "--help'" in errors:
        return "the attack itself is mistyped"
    if used.waited > CTRL_C_SECONDS:
        return f"it ended {used.waited:.1f} s after Ctrl-C"
    if used.mebibytes > case.mebibytes:
        return f"{used.mebibytes:,.0f} MiB of memory"
    if attack.says and attack.says not in errors:
        return f"it does not say '{attack.says}'"
    if any(path.exists() for path in attack.absent):
        return "code out of the input was run"
    return ""


@contextlib.contextmanager
def nothing() -> Iterator[None]:
    """No server."""
    yield


Server = AbstractContextManager[str]
"""Gives its base URL."""
