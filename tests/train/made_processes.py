"""Several processes that train, started as a user starts them.

As a program, this is what one of them does: "updates=RECIPE" keeps in `result.pt` beside the recipe
what the updates come to, "training=RECIPE" writes a checkpoint into `out` beside it, "resumed" does
so too after an interruption, and "no-number" has losses that are none in one process and keeps in
`told-0.txt` and `told-1.txt` what each process would say of it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from vlmbench.errors import ModelError
from vlmbench.train import reload
from vlmbench.train.distributed import Processes, launched
from vlmbench.train.encode import Batch
from vlmbench.train.loop import Loop
from vlmbench.train.prepare import Prepared, prepare
from vlmbench.train.recipe_file import parse_recipe, read_recipe
from vlmbench.train.run import train_by_recipe
from vlmbench.train.sharding import whole

TORCHRUN = ("torch.distributed.run", "--nproc_per_node", "2", "--standalone")
ACCELERATE = ("accelerate.commands.launch", "--multi_gpu", "--num_processes", "2")
"""With ACCELERATE_USE_CPU; `--cpu` would start one process without a word."""


def start(
    launcher: Sequence[str], *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """Starts two processes on the CPU."""
    return subprocess.Popen(
        [sys.executable, "-m", *launcher, *arguments],
        env={
            **os.environ,
            "CUDA_VISIBLE_DEVICES": "",
            "ACCELERATE_USE_CPU": "1",
            "OMP_NUM_THREADS": str(torch.get_num_threads()),
            **(environment or {}),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_together(*wanted: str, environment: Mapping[str, str] | None = None) -> None:
    """Runs this program in two processes."""
    running = start(TORCHRUN, __file__, *wanted, environment=environment)
    _, told = running.communicate()
    assert running.returncode == 0, told


def prepared(path: Path) -> Prepared:
    """The last stage of a recipe, ready."""
    return prepare(parse_recipe(read_recipe(path), path).stages[-1], path.parent)


def result(path: Path) -> dict[str, Any]:
    """What the updates by a recipe come to, in as many processes as there are."""
    ready = prepared(path)
    reports = list(ready.loop.run())
    return {
        "weights": {name: whole(p.detach()).clone() for name, _, p in ready.trainable.trained()},
        "losses": [report.loss for report in reports],
        "norms": [report.grad_norm for report in reports],
        "tokens": [(report.tokens, report.learned) for report in reports],
    }


class Killed(BaseException):
    """Ends a training where a kill would, without another process."""


def interrupted(path: Path, out: Path, *, before: int) -> None:
    """A training that ends before an update."""
    update = Loop._update

    def killed(self: Loop, step: int, *rest: Any) -> Any:
        if step == before:
            raise Killed
        return update(self, step, *rest)

    Loop._update = killed  # type: ignore[method-assign]
    try:
        train_by_recipe(path, out=out, quiet=True)
    except Killed:
        pass
    finally:
        Loop._update = update  # type: ignore[method-assign]


def without_numbers(path: Path, processes: Processes) -> None:
    """Updates whose losses are no numbers in the second process."""
    loop = prepared(path).loop
    losses = loop.token_losses

    def spoilt(batch: Batch) -> torch.Tensor:
        return losses(batch) * torch.nan

    if processes.rank == 1:
        loop.token_losses = spoilt  # type: ignore[method-assign]
    told = path.with_name(f"told-{processes.rank}.txt")
    try:
        with launched():
            list(loop.run())
    except ModelError as error:
        told.write_text(str(error), encoding="utf-8")
    except SystemExit as end:
        told.write_text(f"{end.code}: {end.__cause__}", encoding="utf-8")


def act(wanted: str, processes: Processes) -> None:
    """Does what the top of this file says."""
    how, _, name = wanted.partition("=")
    path = Path(name)
    out = path.with_name("out")
    match how:
        case "updates":
            found = result(path)
            if processes.is_main:
                torch.save(found, path.with_name("result.pt"))
        case "training":
            train_by_recipe(path, out=out, quiet=True)
        case "resumed":
            interrupted(path, out, before=7)
            train_by_recipe(path, out=out, resume=True, quiet=True)
        case _:
            without_numbers(path, processes)


if __name__ == "__main__":
    reload.run_process = reload.answer  # as in all tests: no process of its own for a second look
    with launched() as these:
        for argument in sys.argv[1:]:
            act(argument, these)
