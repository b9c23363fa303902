"""Prints what many samples cost each command, from the first answer to the page.

    python tests/bench/bench_load.py [COUNT ...]

Scripted answers stand for the model, with a small image a sample. Each command is a process of its
own: `run`, the same `run` again, which finds nothing to do and scores, `score`, `gate save` and
`gate check` against what was saved, and `report`. Seconds are those of the processor, of all
processes; "a sample" divides them, so that what grows faster than the samples shows.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.bench_stream import ASK, write

COUNTS = (100_000, 300_000, 1_000_000)


def commands(task: Path, script: Path, folder: Path) -> list[tuple[str, list[str]]]:
    """What is typed, one after the other."""
    out = str(folder / "runs")
    run = ["run", "--quiet", "--model", f"baseline:scripted:{script}", "--tasks", str(task)]
    baseline = str(folder / "baseline.json")
    return [
        ("run", [*run, "--out", out]),
        ("run again", [*run, "--out", out]),
        ("score", ["score", out]),
        ("gate save", ["gate", "save", out, "-o", baseline]),
        ("gate check", ["gate", "check", out, "--baseline", baseline]),
        ("report", ["report", out, "--out", str(folder / "site")]),
    ]


def measure(arguments: list[str]) -> tuple[float, float]:
    """Seconds of the processor and peak MiB of a command.

    Raises:
        RuntimeError: It did not end well.
    """
    done = subprocess.run([sys.executable, "-c", ASK, *arguments], capture_output=True, text=True)
    code, _, cpu, peak = (done.stderr.split() or ["none"] * 4)[-4:]
    if code != "0":
        raise RuntimeError(f"{arguments[0]}: {done.stderr[-2000:]}")
    return float(cpu), float(peak)


def main() -> None:
    """Prints a row for each count and command."""
    print("| samples | command | CPU seconds | a sample | peak MiB |")
    print("|---:|---|---:|---:|---:|")
    for count in [int(one) for one in sys.argv[1:]] or COUNTS:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "task"
            task, script = write(folder, count)
            for command, arguments in commands(task, script, folder):
                cpu, peak = measure(arguments)
                each = f"{1e6 * cpu / count:,.0f} µs"
                print(f"| {count:,} | {command} | {cpu:.1f} | {each} | {peak:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
