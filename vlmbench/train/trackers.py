"""`report_to`: what is logged passed on to the libraries that people watch trainings with.

accelerate knows how each of them is called; here is only what they are told.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vlmbench.errors import DependencyError, UsageError

PROJECT = "vlmbench"
"""What trackio and wandb call all trainings together, unless WANDB_PROJECT or TRACKIO_PROJECT says
otherwise."""
_TOLD = ("train/", "eval/")


def check_trackers(names: Sequence[str]) -> None:
    """Sees before anything else is done whether the packages are there.

    Raises:
        DependencyError: One is not installed.
    """
    from accelerate.tracking import get_available_trackers

    available = {str(one) for one in get_available_trackers()}
    for name in names:
        if name not in available:
            raise DependencyError(
                f"'report_to: {name}' needs the package {name}, which is not installed; run "
                f"'pip install {name}' or leave it out of the recipe."
            )


class Trackers:
    """Passes each line of a training's log on.

    Args:
        names: As accelerate spells them: tensorboard, trackio, wandb.
        run: Name of the training.
        folder: Where files go that a library writes for itself.

    Raises:
        UsageError: A library does not start.
    """

    def __init__(self, names: Sequence[str], run: str, folder: Path) -> None:
        from accelerate import PartialState
        from accelerate.tracking import LOGGER_TYPE_TO_CLASS

        PartialState()  # which accelerate's trackers want to be there
        self._trackers: list[Any] = []
        for name in names:
            kind = LOGGER_TYPE_TO_CLASS[name]
            if kind.requires_logging_directory:
                tracker = kind(run, logging_dir=str(folder / name))
            else:
                project = os.environ.get(f"{name.upper()}_PROJECT", PROJECT)
                tracker = kind(project, name=run)
            try:
                tracker.start()
            except Exception as error:  # each library has errors of its own, such as for logging in
                reason = (str(error).splitlines() or [type(error).__name__])[0]
                raise UsageError(
                    f"'report_to: {name}' cannot begin ({reason}); correct that, or leave it out "
                    "of the recipe."
                ) from error
            self._trackers.append(tracker)

    def __call__(self, row: Mapping[str, Any]) -> None:
        """Passes the numbers of a line on."""
        values = dict(numbers(row))
        for tracker in self._trackers if values else ():
            tracker.log(values, step=row["step"])
        if "end" in row:
            for tracker in self._trackers:
                tracker.finish()


def numbers(row: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The numbers of a log's line by name, those inside a value with a slash before their own."""
    for name, value in row.items():
        if name.startswith(_TOLD):
            yield from _numbers(name, value)


def _numbers(name: str, value: Any) -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _numbers(f"{name}/{key}", one)
    elif isinstance(value, int | float) and math.isfinite(value):
        yield name, value
