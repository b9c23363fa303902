"""`vlmbench demo`: the whole loop on the embedded suite, offline, in a few minutes.

Baselines and the embedded model answer the four tasks; the trainer then fine-tunes the model on
something it is weak at; the fresh checkpoint answers too and is gated against the model it came
from; the report shows them all. Each step is a command, printed and carried out as a user would
type it. Called again, the demo continues where it stopped.
"""

from __future__ import annotations

import argparse
import shlex
import time
from pathlib import Path

from vlmbench.cli.main import main

TASKS = "ja-caption,ja-vqa,ja-chart,ja-multi-image"
MODELS = "baseline:majority,baseline:blind-majority,tiny-ja"


def demo_command(options: argparse.Namespace) -> int:
    """Carry out the steps; the exit code of the first that fails, else 0."""
    started = time.monotonic()
    runs, tuned, baseline, site = (
        str(options.out / name) for name in ("runs", "tiny-ja-tune", "baseline.json", "report")
    )
    answer = ["--tasks", TASKS, "--out", runs, "--no-cache"]
    resume = ["--resume"] if any(Path(tuned).glob("checkpoint-*")) else []
    finished = Path(tuned, "checkpoint.json").exists()
    steps = [
        ("Two baselines and tiny-ja answer four tasks", ["run", "--model", MODELS, *answer]),
        (
            "tiny-ja is fine-tuned for a minute or two",
            [] if finished else ["train", "run", "tiny-ja-tune", "--out", tuned, *resume],
        ),
        ("The fresh checkpoint answers the same tasks", ["run", "--model", tuned, *answer]),
        (
            "Better than what it came from, and what did it forget?",
            ["compare", f"{runs}/tiny-ja", f"{runs}/tiny-ja-tune"],
        ),
        (
            "The answers of tiny-ja become a baseline",
            ["gate", "save", f"{runs}/tiny-ja", "-o", baseline],
        ),
        (
            "Would the gate let the fresh checkpoint pass?",
            ["gate", "check", f"{runs}/tiny-ja-tune", "--baseline", baseline],
        ),
        ("A leaderboard of all of them", ["report", runs, "--out", site]),
    ]
    for position, (title, command) in enumerate(steps, 1):
        print(f"\n{position}. {title}", flush=True)
        if not command:
            print(f"{tuned} is there already; delete it to train again.")
            continue
        print(f"$ vlmbench {shlex.join(command)}", flush=True)
        code = main(command)
        if command[:2] == ["gate", "check"]:
            print(f"Exit code {code}: 0 fine, 1 regression, 3 incomplete, 4 undecided.")
        elif code:
            return code
    print(f"\nDone in {(time.monotonic() - started) / 60:.1f} minutes.")
    print("Next: vlmbench run --model YOUR_MODEL --tasks ja-vqa")
    return 0
