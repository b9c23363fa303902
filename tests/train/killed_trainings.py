"""Trains by a recipe again and again, and is killed each time at another point.

    python tests/train/killed_trainings.py RECIPE FOLDER EVENT...

EVENT is a part of what Python's audit hooks tell of a change to a file, such as
`os.rename .checkpoint-6.part`, and `*8` behind it means its eighth time: as soon as it is about to
happen, signal 9 ends the process. Each training is a copy of this process, which has imported all
that is needed once, and writes into FOLDER/<number of the event>. Prints what ended each.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from vlmbench.train import fit, reload
from vlmbench.train.run import train_by_recipe

IMPORTED = fit
"""What `train_by_recipe` would import in each copy again."""

WATCHED = ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree")


def kill_at(event: str, out: Path) -> None:
    """Has this process killed when a file below `out` is about to be changed so."""
    event, _, times = event.partition("*")
    left = int(times or 1)

    def look(name: str, arguments: tuple[Any, ...]) -> None:
        if name in WATCHED and arguments and str(arguments[0]).startswith(str(out)):
            inner = str(arguments[0])[len(str(out)) + 1 :]
            if event not in f"{name} {inner}":
                return
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(look)


def main(recipe: Path, folder: Path, events: list[str]) -> None:
    """Trains once for each event."""
    reload.run_process = reload.answer  # as in all tests: no process of its own for a second look
    for number, event in enumerate(events):
        out = folder / str(number)
        child = os.fork()
        if child == 0:
            kill_at(event, out)
            train_by_recipe(recipe, out=out, quiet=True)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else "no signal")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
