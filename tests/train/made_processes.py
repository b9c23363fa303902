"""Several processes that train, started as a user starts them.

As a program, it is what one of them does: it trains by the recipes of a folder, and the main
process keeps what came of each in `result.pt` beside the recipe.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

TORCHRUN = ("torch.distributed.run", "--standalone", "--nproc_per_node", "2")
ACCELERATE = (
    "accelerate.commands.launch",
    "--multi_gpu",
    "--num_processes",
    "2",
    "--num_machines",
    "1",
    "--mixed_precision",
    "no",
    "--dynamo_backend",
    "no",
)


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
            "OMP_NUM_THREADS": "1",
            **(environment or {}),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def train_together(*recipes: Path, environment: Mapping[str, str] | None = None) -> None:
    """Runs this program in two processes, for the recipes of some folders."""
    names = [str(path) for path in recipes]
    done = start(TORCHRUN, __file__, *names, environment=environment)
    _, told = done.communicate()
    assert done.returncode == 0, told


def result(path: Path) -> dict[str, Any]:
    """What the updates of a recipe came to, in as many processes as there are."""
    from vlmbench.train.prepare import prepare
    from vlmbench.train.recipe import parse_recipe, read_recipe
    from vlmbench.train.sharding import whole

    ready = prepare(parse_recipe(read_recipe(path), path).stages[-1], path.parent)
    reports = list(ready.loop.run())
    return {
        "weights": {name: whole(p.detach()).clone() for name, _, p in ready.trainable.trained()},
        "losses": [report.loss for report in reports],
        "by_source": [report.loss_by_source for report in reports],
        "norms": [report.grad_norm for report in reports],
        "counts": [(report.tokens, report.learned) for report in reports],
    }


def main() -> None:
    """Trains by each recipe that is named."""
    from vlmbench.train.distributed import launched

    with launched() as processes:
        for name in sys.argv[1:]:
            found = result(Path(name))
            if processes.is_main:
                torch.save(found, Path(name).with_name("result.pt"))


if __name__ == "__main__":
    main()
