"""One stage of a recipe, from its rows to a checkpoint."""

from __future__ import annotations

import contextlib
<<<<<<< HEAD
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
=======
from collections.abc import Callable
>>>>>>> hard18
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
<<<<<<< HEAD


class _Training:
    """The updates of a stage with what happens between them."""

    def __init__(self, ready: Prepared, target: Path, log: StepLog, stage: StageNumber) -> None:
        self._ready, self._recipe, self._target, self._log = ready, ready.recipe, target, log
        self._progress = Progress(0, None, 0, 0, {}, 0.0, 0.0)
        self._records: list[RunRecord] = []
        self._began = time.monotonic()
        self._probes = [*ready.rows.validation, *ready.loop.feed.some(8)][:8]
        self._start = start_facts(ready, stage, self._probes)

    def run(self, last: Path | None) -> None:
        """Trains to the end, from a checkpoint if there is one."""
        loop = self._ready.loop
        if last is None:
            self._by_main(self._begin)
        else:
            self._progress = read_state(
                last, self._ready.trainable, loop.optimizer, loop.load_state_dict
            )
            self._by_main(self._resume, last)
        if not self._is_exhausted:  # stopped after its last check, before it was finished
            with contextlib.closing(loop.run(self._progress.step)) as reports:
                self._steps(reports)
        self._by_main(self._finish)

    def _by_main(self, action: Callable[..., None], *arguments: Any) -> None:
        """Has the main process do something between two updates; the others wait for it."""

        def done() -> Progress:
            action(*arguments)
            return self._progress

        loop = self._ready.loop
        with whole_weights(self._ready.trainable.model):
            self._progress = loop.processes.by_main(done)

    def _begin(self) -> None:
        ready = self._ready
        # Those of an earlier training are not this one's.
        keep_best(self._target, ())
        shutil.rmtree(self._target / "checks", ignore_errors=True)
        try_checkpoint(self._target, ready.trainable, ready.live, self._probes[0])
        self._log.begin(0, self._start)
        if self._recipe.evaluate is not None:
            self._check(0)

    def _steps(self, reports: Iterator[StepReport]) -> None:
        evaluate = self._recipe.evaluate
        is_main = self._ready.loop.processes.is_main
        for report in reports:
            if is_main:
                self._log.step(report)
            self._progress = replace(self._progress, step=report.step)
            self._records = []  # of weights that these are no longer
            last = report.step == self._ready.loop.steps
            if evaluate is not None and (last or report.step % evaluate.every_steps == 0):
                self._by_main(self._averaged_check, report.step)
            if not last and report.step % self._recipe.save_steps == 0:
                state = optimizer_state(self._ready.loop.optimizer, keep=is_main)
                self._by_main(self._save_place, report.step, state)
            if self._is_exhausted:
                break

    @property
    def _is_exhausted(self) -> bool:
        """Whether as many checks as the recipe allows were no better than one before."""
        patience = self._recipe.evaluate.patience if self._recipe.evaluate else None
        return patience is not None and self._progress.checks_without_gain >= patience

    def _averaged_check(self, step: int) -> None:
        with self._ready.loop.averaged():
            self._check(step)

    def _check(self, step: int) -> None:
        """Loss and answers on validation rows, answers to tasks, fixed samples."""
        ready, recipe = self._ready, self._recipe
        assert recipe.evaluate is not None
        row: dict[str, Any] = {}
        validation = ready.rows.validation
        if validation:
            row["eval/loss"] = validation_loss(ready.loop, ready.encoder, validation)
        checks = self._target / "checks" / f"step-{step}"
        # What a training that was stopped was told there came from other weights, if not the same.
        shutil.rmtree(checks, ignore_errors=True)
        self._records = ready.live.tasks(recipe.evaluate.tasks, checks, recipe.seed)
        for record in self._records:
            row[f"eval/{record.task}"] = _headline(record)
        row["samples"] = self._samples()
        best = recipe.evaluate.best
        if best is not None:
            row[f"eval/{best}"] = value = self._value(best, row)
            if step:  # the model as it came is no result of the training
                self._compare(best, value, step)
                row["best_step"] = self._progress.best_step
        self._log.check(step, row)

    def _samples(self) -> list[dict[str, str]]:
        answers = self._ready.live.answers(self._probes)
        return [
            {"id": one.id, "question": one.question, "answer": answer, "reference": one.answers[0]}
            for one, answer in zip(self._probes, answers, strict=True)
        ]

    def _value(self, best: str, row: dict[str, Any]) -> float:
        metric = best.removeprefix("validation.")
        if metric == "loss":
            return float(row["eval/loss"])
        validation = self._ready.rows.validation
        return validation_score(metric, validation, self._ready.live.answers(validation))

    def _compare(self, best: str, value: float, step: int) -> None:
        """Keeps the checkpoint if it is one of the best so far."""
        assert self._recipe.evaluate is not None
        sign = 1 if best == "validation.loss" else -1  # a loss is better where it is lower
        now = self._progress
        if now.best is None or sign * value < sign * now.best:
            now = replace(now, best=value, best_step=step, checks_without_gain=0)
        else:
            now = replace(now, checks_without_gain=now.checks_without_gain + 1)
        ranked = sorted({**now.kept, step: value}.items(), key=lambda one: (sign * one[1], one[0]))
        self._progress = replace(now, kept=dict(ranked[: self._recipe.evaluate.keep]))
        if step in self._progress.kept:
            self._save(best_folder(self._target, step))
        keep_best(self._target, self._progress.kept)

    def _save_place(self, step: int, optimizer: Any) -> None:
        """A checkpoint to go on from."""
        folder = self._target / f"checkpoint-{step}"
        self._save(folder)
        loop = self._ready.loop
        write_state(folder, self._ready.trainable, optimizer, self._now(), loop.state_dict())
        keep_newest(self._target, self._recipe.save_total_limit)

    def _save(self, folder: Path) -> None:
        ready = self._ready
        with ready.loop.averaged():
            facts = checkpoint_facts(ready, self._now(), self._records)
            readme = checkpoint_readme(self._recipe, facts)
            write_checkpoint(folder, ready.trainable, ready.live, facts, readme, self._probes)

    def _now(self) -> Progress:
        seconds = time.monotonic() - self._began
        return replace(self._progress, probe_loss=self._probe_loss(), seconds=seconds)

    def _probe_loss(self) -> float:
        return validation_loss(self._ready.loop, self._ready.encoder, self._probes)

    def _resume(self, last: Path) -> None:
        """Sees by the rows and by a stored loss that all is there again."""
        facts = json.loads((last / CARD).read_text(encoding="utf-8"))
        if facts["data"]["digest"] != self._ready.rows.digest:
            raise DataError(
                f"The rows are others than those that {last} was trained on; put the data back, or "
                "train anew into another directory with --out."
            )
        # What was better later comes again; of what it then replaced, the folder is gone.
        found = {
            step: value
            for step, value in self._progress.kept.items()
            if best_folder(self._target, step).exists()
        }
        self._progress = replace(self._progress, kept=found)
        keep_best(self._target, found)
        self._began -= self._progress.seconds
        now = self._probe_loss()
        if not abs(now - self._progress.probe_loss) <= PROBE_TOLERANCE:
            raise ModelError(
                f"The checkpoint {last} gives a loss of {now:.4f} on rows where it gave "
                f"{self._progress.probe_loss:.4f} when it was saved; train anew."
            )
        self._log.begin(self._progress.step, self._start)

    def _finish(self) -> None:
        """Puts the best checkpoint, or the last, where `vlmbench run` finds it."""
        if self._progress.kept:
            chosen = best_folder(self._target, next(iter(self._progress.kept)))
        else:
            chosen = self._target / "last"
            self._save(chosen)
        prove_checkpoint(chosen, self._ready.live, self._probes)
        chosen.rename(self._target / FINAL)
        publish(self._target)


def _headline(record: RunRecord) -> dict[str, Any] | None:
    """A task's headline value with its interval, for the log."""
    found = [one for one in record.estimates if one.headline and one.slice is None]
    if not found:
        return None
    one = found[0]
    return {
        "metric": one.metric,
        "value": one.value,
        "low": one.low,
        "high": one.high,
        "n": one.n,
        "signature": one.signature,
    }
=======
>>>>>>> hard18
