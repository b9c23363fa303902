"""One stage of a recipe, from its rows to a checkpoint."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from vlmbench.errors import UsageError
from vlmbench.train.checkpoint import (
    CARD,
    is_almost_finished,
    is_unfinished,
    last_whole,
    publish,
)
from vlmbench.train.contrastive_stage import ContrastiveStage
from vlmbench.train.distributed import Processes, join
from vlmbench.train.output import explained_write_errors, keep_values
from vlmbench.train.prepare import Prepared, prepare
from vlmbench.train.progress import Listener, StepLog
from vlmbench.train.recipe import Recipe
from vlmbench.train.trackers import Trackers, check_trackers
from vlmbench.train.training import Training
from vlmbench.train.watching import ONLY_STAGE, PageUpdates, StageNumber

FREE_TO_CHANGE = ("description", "save_steps", "save_total_limit", "report_to")
"""What a resumed training may do otherwise: it changes no weight."""
_DIVISION = ("per_device_train_batch_size", "gradient_accumulation_steps", "processes")
"""Their product says what an update learns from; it may be divided otherwise."""


def train_stage(
    recipe: Recipe,
    folder: Path,
    target: Path,
    *,
    resume: bool = False,
    quiet: bool = False,
    stage: StageNumber = ONLY_STAGE,
    watch: Callable[[], object] | None = None,
) -> Path:
    """Trains by one stage of a recipe into a directory, which `vlmbench run` then loads.

    Args:
        folder: Where the recipe lies.
        resume: Go on from the last checkpoint of an interrupted training in `target`.
        watch: Called when there is something new to see in `target`.

    Raises:
        VlmbenchError: See `prepare`; the directory holds a training already, or the loss is no
            number. The last good checkpoint stays.
    """
    check_trackers(recipe.trackers)
    processes = join()
    finished, last = processes.by_main(lambda: _claim(recipe, target, processes, resume=resume))
    if finished:
        return target
    quiet = quiet or not processes.is_main
    ready = prepare(recipe, folder, quiet=quiet)
    log = _log(ready, target, watch, quiet=quiet)
    with explained_write_errors(target), log if processes.is_main else contextlib.nullcontext():
        if recipe.objective == "contrastive":
            ContrastiveStage(ready).run(target, log, stage, resume=resume)
        else:
            Training(ready, target, log, stage).run(last)
    return target


def _log(
    ready: Prepared, target: Path, watch: Callable[[], object] | None, *, quiet: bool
) -> StepLog:
    recipe, loop = ready.recipe, ready.loop
    listeners: list[Listener] = [PageUpdates(watch)] if watch else []
    if recipe.trackers and loop.processes.is_main:
        listeners.append(Trackers(recipe.trackers, recipe.name, target))
    of_epoch = loop.feed.steps_per_epoch
    return StepLog(target, loop.steps, of_epoch=of_epoch, quiet=quiet, listeners=listeners)


def _claim(
    recipe: Recipe, target: Path, processes: Processes, *, resume: bool
) -> tuple[bool, Path | None]:
    """Whether all is done already, and where to go on; None to begin."""
    last = _last_checkpoint(target, resume=resume)
    if is_almost_finished(target):
        publish(target)
    if (target / CARD).is_file():
        return True, None
    values = recipe.model_dump(mode="json", exclude={*FREE_TO_CHANGE, *_DIVISION})
    values[" * ".join(_DIVISION)] = recipe.examples_per_step * processes.count
    keep_values(values, target, resume=resume)
    return False, last


def _last_checkpoint(target: Path, *, resume: bool) -> Path | None:
    """Where to go on; None to begin."""
    finished = (target / CARD).is_file()
    unfinished = is_unfinished(target)
    if not resume and unfinished:
        raise UsageError(
            f"{target} holds a training that is not finished; add --resume to go on with it, "
            "or choose another directory with --out."
        )
    if not resume and (finished or (target / "config.json").exists()):
        raise UsageError(f"{target} holds a model already; choose another directory with --out.")
    if resume and not finished and not unfinished:
        raise UsageError(f"There is no checkpoint to resume from in {target}; leave out --resume.")
    return last_whole(target) if unfinished else None
