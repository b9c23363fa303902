"""Kills commands with signal 9 at seeded moments: `python tests/attack/kills.py [--kills 200]`.

Each command is run once undisturbed. Then, from the same state, it is killed after a part of that
time (by itself, or with all its processes), run again to its end, and what it leaves has to be the
same to the byte. Trainings have a list of their own (tests/train/killed_trainings.py).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from made_judge import colors, judge_server, judged_task, verdict

MODEL = "baseline:majority"
FOLDER = "runs/baseline-majority/ja-small"
COMPARED = (
    f"{FOLDER}/scores.jsonl",
    f"{FOLDER}/judge-made.jsonl",
    "site/index.html",
    "site/tasks",
)
"""What has to come out the same: no times stand in it but those of the journals, which are cut."""


@dataclass(frozen=True)
class Command:
    """What is typed, after what has been typed before."""

    name: str
    arguments: Sequence[str]


def commands(judge: str) -> list[Command]:
    """The commands, each of which goes on from where those before it left the directory."""
    asked = ["--judge", "openai:made", "--judge-base-url", judge, "--judge-option", "concurrency=4"]
    task = "task/ja-small.yaml"
    return [
        Command("run", ["run", "--quiet", "--model", MODEL, "--tasks", task, "--out", "runs"]),
        Command("judge", ["judge", "run", FOLDER, "--quiet", *asked]),
        Command("score", ["score", "runs"]),
        Command("report", ["report", "runs", "--out", "site"]),
    ]


def kill_commands(kills: int, *, seed: int, samples: int) -> Iterator[str]:
    """Kill so many times, in turn the commands; a sentence for each that ended badly."""
    draw = random.Random(seed)
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(
            judge_server(lambda prompt, earlier: verdict(reason="", verdict="correct"))
        )
        states = _states(directory, commands(server.url), samples)
        for number in range(kills):
            command, before, after, seconds = states[number % len(states)]
            place = directory / "killed"
            shutil.copytree(before, place)
            moment = draw.uniform(0.2, 1.0) * seconds
            killed = _kill(command, place, moment, whole=draw.random() < 0.5)
            done = _finished(command, place)
            problem = done or _difference(place, after)
            if problem:
                yield f"{command.name}, killed after {moment:.2f} s ({killed}): {problem}"
            shutil.rmtree(place)


def _states(
    directory: Path, listed: Sequence[Command], samples: int
) -> list[tuple[Command, Path, Path, float]]:
    """Each command with the directory before and after it, and the seconds it takes."""
    now = directory / "0"
    now.mkdir()
    judged_task(now / "task", ["judge.correct"], colors(samples))
    states = []
    for number, command in enumerate(listed, 1):
        after = directory / str(number)
        shutil.copytree(now, after)
        began = time.monotonic()
        problem = _finished(command, after)
        if problem:
            raise RuntimeError(f"{command.name}: {problem}")
        states.append((command, now, after, time.monotonic() - began))
        now = after
    return states


def _start(command: Command, place: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "vlmbench", *command.arguments],
        cwd=place,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "VLMBENCH_CACHE": str(place / "cache")},
        start_new_session=True,
    )


def _kill(command: Command, place: Path, seconds: float, *, whole: bool) -> str:
    process = _start(command, place)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=seconds)
        return "it had ended"
    with contextlib.suppress(ProcessLookupError):
        (os.killpg if whole else os.kill)(process.pid, signal.SIGKILL)
    process.communicate()
    return "all its processes" if whole else "alone"


def _finished(command: Command, place: Path) -> str:
    """What went wrong; empty if the command ended well."""
    process = _start(command, place)
    _, errors = process.communicate()
    if process.returncode not in (0, 3):  # 3: a judge has still to be asked
        return f"exit code {process.returncode}: {errors.decode(errors='replace')[-300:]}"
    return ""


def _difference(place: Path, expected: Path) -> str:
    """The first file that is not the same; empty if all are."""
    if left := next(place.rglob(".building-*"), None):
        return f"{left.name} is left behind"
    for name in COMPARED:
        wanted = _contents(expected / name)
        found = _contents(place / name)
        for file in sorted(wanted.keys() | found.keys()):
            if wanted.get(file) != found.get(file):
                return f"{name} {file} is another one"
    return ""


def _contents(path: Path) -> dict[str, object]:
    """What is in a file, or in those below a directory; of a judge's journal the replies."""
    if path.name.startswith("judge-") and path.is_file():
        from vlmbench.runs.journal import read_journal

        replies = read_journal(path).responses
        return {name: one.text for name, one in replies.items()}
    files = [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())
    return {str(one.relative_to(path)): one.read_bytes() for one in files}


def main() -> int:
    """Kill; 1 if anything ended badly."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--samples", type=int, default=400)
    options = parser.parse_args()
    bad = 0
    for problem in kill_commands(options.kills, seed=options.seed, samples=options.samples):
        bad += 1
        print(f"BAD {problem}", flush=True)
    print(f"{options.kills} kills, {bad} ended badly")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
