"""Kills commands with signal 9 at seeded moments: `python tests/attack/kills.py [--kills 200]`.

Each command is run once undisturbed. Then, from the same state, it is killed after a part of the
processor's time that this took: alone, with all its processes, or one of those (a worker, a
server). It is run again to its end, and what it leaves has to be the same to the byte, with none
of its processes left. Trainings are also killed at each of their writes, by
tests/train/killed_trainings.py.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import multiprocessing.context
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, get_args

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "runners" / "hf"))

import psutil
from made_judge import colors, judge_server, judged_task, verdict

from vlmbench.cli.main import main as main_of_vlmbench

MODEL = "baseline:majority"
TASK = "task/ja-small.yaml"
FOLDER = "runs/baseline-majority/ja-small"
COMPARED = ("runs", "site/index.html", "site/tasks", "trained", "seen.html")
"""What has to come out the same, but for the times in it."""
IMPORTED = (
    *("vlmbench.cli.run", "vlmbench.cli.judge", "vlmbench.cli.imports", "vlmbench.cli.build"),
    *("vlmbench.judges.judging", "vlmbench.report.html", "vlmbench.report.serve", "openai"),
    *("vlmbench.runners.baseline", "vlmbench.runners.api.runner", "pyarrow.parquet", "plotly.io"),
)
"""What commands would import again each time."""
LEFT_SECONDS = 30.0
"""How long a process may outlive the one that started it, on a machine that is busy."""
Whom = Literal["alone", "all", "another"]
WHOM: tuple[Whom, ...] = get_args(Whom)


@dataclass(frozen=True)
class Command:
    """What is typed, after what has been typed before."""

    name: str
    arguments: Sequence[str]
    weight: int
    """How often it is killed, against the others."""
    again: Sequence[str] = ()
    """What is added after it was killed."""
    quick: bool = True
    """Whether it belongs to the short form."""


def commands(judge: str) -> list[Command]:
    """The commands, each of which goes on from where those before it left the directory."""
    asked = ["--judge", "openai:made", "--judge-base-url", judge, "--judge-option", "concurrency=4"]
    run = ["run", "--quiet", "--no-cache", "--tasks", TASK, "--out", "runs", "--model"]
    small = ["model", "--limit", "40", "--batch-size", "2", "--dtype", "float32"]
    served = ["served:transformers:model", "--limit", "20", "--dtype", "float32"]
    answers = ["import", "jsonl", "answers.jsonl", "--task", TASK, "--name", "other"]
    return [
        Command("run", [*run, MODEL], 45),
        Command("workers", [*run, *small, "--replicas", "2"], 12, quick=False),
        Command("server", [*run, *served, "--device", "cpu"], 4, quick=False),
        Command("judge", ["judge", "run", FOLDER, "--quiet", *asked], 45),
        Command("import", [*answers, "--out", "runs"], 30),
        Command("score", ["score", "runs"], 15),
        Command("report", ["report", "runs", "--out", "site"], 24),
        Command("view", ["view", "runs", "--no-open"], 15),
        Command(
            "train",
            ["train", "run", "recipe.yaml", "--out", "trained", "--quiet"],
            10,
            again=["--resume"],
            quick=False,
        ),
    ]


def kill_commands(
    kills: int,
    *,
    seed: int,
    samples: int,
    chosen: Callable[[Command], bool] = lambda command: True,
    tell: Callable[[str], object] = lambda line: None,
) -> Iterator[str]:
    """Kill so many times, commands by their weight; a sentence for each that ended badly.

    Args:
        chosen: Which commands are killed.
        tell: Given a line about each kill.
    """
    draw = random.Random(seed)
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(
            judge_server(lambda prompt, earlier: verdict(reason="", verdict="correct"))
        )
        listed = commands(server.url)
        if not any(chosen(one) for one in listed if not one.quick):
            listed = [one for one in listed if one.quick]
        states = _states(directory, listed, samples)
        weights = [state.command.weight * chosen(state.command) for state in states]
        for state in draw.choices(states, weights, k=kills):
            part, whom = draw.uniform(0.2, 1.0), draw.choice(WHOM)
            place = directory / "killed"
            shutil.copytree(state.before, place)
            killed, problem = _kill(state.command, place, part * state.seconds, whom)
            problem = (
                problem
                or _finish(state.command, place, again=True)
                or _difference(place, state.after)
                or _left(place)
            )
            line = f"{state.command.name}, {killed}"
            tell(line)
            if problem:
                yield f"{line}, at {part:.0%} of its time: {problem}"
            shutil.rmtree(place)


@dataclass(frozen=True)
class _State:
    """A command, the directory before and after it, and the processor's time it takes."""

    command: Command
    before: Path
    after: Path
    seconds: float


def _states(directory: Path, listed: Sequence[Command], samples: int) -> list[_State]:
    now = directory / "0"
    now.mkdir()
    _prepare(now, samples, model=not all(one.quick for one in listed))
    states = []
    for number, command in enumerate(listed, 1):
        after = directory / str(number)
        shutil.copytree(now, after)
        running = _Running(command, after)
        seconds = running.wait(float("inf"), address_in=after if command.name == "view" else None)
        problem = _ended(command, after, running)
        if problem:
            raise RuntimeError(f"{command.name}: {problem}")
        states.append(_State(command, now, after, seconds))
        now = after
    return states


def _prepare(place: Path, samples: int, *, model: bool) -> None:
    """A task, answers to import, and a small model with rows to train it on."""
    rows = colors(samples)
    judged_task(place / "task", ["judge.correct"], rows)
    lines = [json.dumps({"id": row["id"], "prediction": "赤"}) for row in rows]
    (place / "answers.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if model:
        from made_colors import color_rows, data_recipe, write_rows
        from made_families import checkpoint

        shutil.move(checkpoint("qwen2_vl", place), place / "model")
        write_rows(place / "rows.parquet", color_rows(16))
        data_recipe(place, "model", max_steps=8, save_steps=2)


class _Running:
    """A command that runs in a process of its own: a copy of one that has imported what it needs,
    so that a kill meets what the command does."""

    def __init__(self, command: Command, place: Path, *, again: bool = False) -> None:
        self.command = command
        (place / "tmp").mkdir(exist_ok=True)
        (place / "stdout.txt").unlink(missing_ok=True)  # of the one that was killed
        # A training that was killed before it made its directory is started as it was at first.
        more = command.again if again and (place / "trained").exists() else ()
        arguments = [*command.arguments, *more]
        self.process = _copies().Process(target=_obey, args=(arguments, str(place)))
        self.process.start()
        assert self.process.pid is not None
        self.pid: int = self.process.pid

    @property
    def ended(self) -> bool:
        """Whether it has."""
        return self.process.exitcode is not None

    def code(self) -> int:
        """Its exit code; waits for it."""
        self.process.join()
        assert self.process.exitcode is not None
        return self.process.exitcode

    def wait(self, seconds: float, *, address_in: Path | None = None) -> float:
        """Wait until it has used so much of the processor, with its processes, or has ended.

        Args:
            address_in: Or until it says an address, in what it prints into this directory.

        Returns:
            What it used.
        """
        used: dict[int, float] = {}
        while not self.ended:
            for one in (self.pid, *(() if self.command.quick else _children(self.pid))):
                with contextlib.suppress(OSError):
                    used[one] = _processor_seconds(one)
            if sum(used.values()) >= seconds or (address_in and _address(address_in)):
                break
            time.sleep(0.005 if self.command.quick else 0.05)
        return sum(used.values())


@cache
def _copies() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*IMPORTED])
    return context


def _obey(arguments: Sequence[str], place: str) -> None:
    """What a copy does."""
    os.setsid()
    os.nice(3)  # who watches it comes first, or it ends before it is killed
    os.chdir(place)
    for number, name in ((1, "stdout.txt"), (2, "stderr.txt")):
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, number)
    os.environ.update(VLMBENCH_CACHE=f"{place}/cache", TMPDIR=f"{place}/tmp")
    tempfile.tempdir = None
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main_of_vlmbench(arguments))


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _children(pid: int) -> list[int]:
    """All processes below it."""
    below: dict[int, list[int]] = {}
    for one in psutil.pids():
        with contextlib.suppress(OSError, ValueError):
            fields = Path(f"/proc/{one}/stat").read_text(encoding="utf-8").rpartition(")")[2]
            below.setdefault(int(fields.split()[1]), []).append(one)
    found, new = list[int](), [pid]
    while new:
        new = [child for one in new for child in below.get(one, [])]
        found += new
    return found


def _kill(command: Command, place: Path, seconds: float, whom: Whom) -> tuple[str, str]:
    """What was killed, and what went wrong where the command itself was left to end."""
    running = _Running(command, place)
    running.wait(seconds)
    if running.ended:
        return "which had ended", ""
    children = _children(running.pid)
    if whom == "another" and children:
        chosen = children[int(seconds * 1000) % len(children)]
        name = _name(chosen)
        _signal(chosen, signal.SIGKILL)
        return f"its process '{name}' killed", _ended(command, place, running)
    # All at once, or the others see the first one go and end by themselves.
    for one in (running.pid, *(children if whom == "all" else ())):
        _signal(one, signal.SIGKILL)
    running.code()
    return ("killed with its processes" if whom == "all" and children else "killed"), ""


def _name(pid: int) -> str:
    """The last word of its command that names a file or a function."""
    with contextlib.suppress(psutil.Error):
        words = " ".join(psutil.Process(pid).cmdline())
        known = (
            "supervise",
            "transformers serve",
            "executors.process",
            "train.reload",
            "resource_tracker",
            "spawn",
        )
        return next((one for one in known if one in words), words[:60])
    return "gone"


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _finish(command: Command, place: Path, *, again: bool) -> str:
    """Run it to its end; what went wrong, empty if it ended well."""
    running = _Running(command, place, again=again)
    problem = _ended(command, place, running)
    if not problem and running.code() == 2:
        return f"exit code 2: {_said(place)}"
    return problem


def _ended(command: Command, place: Path, running: _Running) -> str:
    """Wait for its end; what went wrong. A page is looked at and then `view` is stopped."""
    if command.name == "view":
        running.wait(float("inf"), address_in=place)
        if address := _address(place):
            with urllib.request.urlopen(address) as page:
                (place / "seen.html").write_bytes(page.read())
            _signal(running.pid, signal.SIGINT)
    if running.code() not in (0, 2, 3) or "Traceback" in _said(place):
        return f"exit code {running.code()}: {_said(place)}"
    return ""


def _said(place: Path) -> str:
    return (place / "stderr.txt").read_text(encoding="utf-8", errors="replace")[-600:]


def _address(place: Path) -> str:
    """Where `view` serves; empty until it says so."""
    with contextlib.suppress(FileNotFoundError):
        if found := re.search(r"http://\S+", (place / "stdout.txt").read_text(encoding="utf-8")):
            return found[0]
    return ""


def _left(place: Path) -> str:
    """Processes that live on; empty if there are none soon."""
    until = time.monotonic() + LEFT_SECONDS
    while left := [one for one in psutil.pids() if _belongs(one, place)]:
        if time.monotonic() > until:
            return f"left running: {', '.join(map(_name, left))}"
        time.sleep(0.1)
    return ""


def _belongs(pid: int, place: Path) -> bool:
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        mine = process.environ().get("VLMBENCH_CACHE") == str(place / "cache")
        return mine and bool(process.status() != psutil.STATUS_ZOMBIE)
    return False


def _difference(place: Path, expected: Path) -> str:
    """The first file that is not the same; empty if all are."""
    if left := next((place / "site").rglob(".building-*"), None):
        return f"{left.name} is left behind"
    for name in COMPARED:
        wanted, found = _contents(expected / name), _contents(place / name)
        for file in sorted(wanted.keys() | found.keys()):
            if wanted.get(file) != found.get(file):
                return f"{name} {file} is another one"
    return ""


def _contents(path: Path) -> dict[str, object]:
    """What is in a file, or in those below a directory, without times."""
    files = [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())
    return {str(one.relative_to(path)): _content(one) for one in files}


def _content(path: Path) -> object:
    from vlmbench.runs.journal import read_journal

    if path.suffix == ".jsonl" and path.name.startswith(("journal", "judge-")):
        replies = read_journal(path).responses
        return {name: (one.key, one.text, one.error) for name, one in sorted(replies.items())}
    if path.name == "log.jsonl":
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return [{name: row[name] for name in sorted(row) if "loss" in name} for row in lines]
    folders = {one.name for one in path.parents}
    if path.suffix in (".json", ".md", ".html") and folders & {"runs", "trained"}:
        return "with times in it"
    return path.read_bytes()


def main() -> int:
    """Kill; 1 if anything ended badly."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--only", action="append", metavar="COMMAND", help="kill only this one")
    options = parser.parse_args()
    kinds: Counter[str] = Counter()

    def tell(line: str) -> None:
        kinds[line] += 1
        print(f"    {sum(kinds.values())}: {line}", flush=True)

    bad = 0
    for problem in kill_commands(
        options.kills,
        seed=options.seed,
        samples=options.samples,
        chosen=lambda command: options.only is None or command.name in options.only,
        tell=tell,
    ):
        bad += 1
        print(f"BAD {problem}", flush=True)
    for kind, count in sorted(kinds.items()):
        print(f"{count:4} x {kind}")
    print(f"{options.kills} kills, {bad} ended badly")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
