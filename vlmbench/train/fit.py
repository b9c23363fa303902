"""One stage of a recipe, from its rows to a checkpoint."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from vlmbench.errors import DataError, ModelError, UsageError
from vlmbench.records import RunRecord
from vlmbench.train.card import checkpoint_facts, checkpoint_readme
from vlmbench.train.checkpoint import (
    CARD,
    PROBE_TOLERANCE,
    Progress,
    best_folder,
    keep_best,
    keep_newest,
    last_whole,
    publish,
    read_state,
    try_checkpoint,
    write_checkpoint,
    write_state,
)
from vlmbench.train.contrastive import STATE as CONTRASTIVE_STATE
from vlmbench.train.contrastive_stage import ContrastiveStage
from vlmbench.train.live import validation_loss, validation_score
from vlmbench.train.loop import StepReport
from vlmbench.train.output import explained_write_errors, keep_values
from vlmbench.train.prepare import Prepared, prepare
from vlmbench.train.progress import StepLog
from vlmbench.train.recipe import Recipe

FREE_TO_CHANGE = ("description", "save_steps", "save_total_limit")
"""What a resumed training may do otherwise: it changes no weight."""


def train_stage(
    recipe: Recipe, folder: Path, target: Path, *, resume: bool = False, quiet: bool = False
) -> Path:
    """Trains by one stage of a recipe into a directory, which `vlmbench run` then loads.

    Args:
        folder: Where the recipe lies.
        resume: Go on from the last checkpoint of an interrupted training in `target`.

    Raises:
        VlmbenchError: See `prepare`; the directory holds a training already, or the loss is no
            number. The last good checkpoint stays.
    """
    last = _claim(target, resume=resume)
    keep_values(recipe.model_dump(mode="json", exclude=set(FREE_TO_CHANGE)), target, resume=resume)
    if (target / CARD).is_file():
        return target
    ready = prepare(recipe, folder, quiet=quiet)
    with explained_write_errors(target), StepLog(target, ready.loop.steps, quiet=quiet) as log:
        if recipe.objective == "contrastive":
            ContrastiveStage(ready).run(target, log, resume=resume)
            return target
        _Training(ready, target, log).run(last)
    return target


def _claim(target: Path, *, resume: bool) -> Path | None:
    """Where to go on; None to begin."""
    finished = (target / CARD).is_file()
    unfinished = any(target.glob("checkpoint-*")) or (target / CONTRASTIVE_STATE).exists()
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


class _Training:
    """The updates of a stage with what happens between them."""

    def __init__(self, ready: Prepared, target: Path, log: StepLog) -> None:
        self._ready, self._recipe, self._target, self._log = ready, ready.recipe, target, log
        self._progress = Progress(0, None, 0, 0, {}, 0.0, 0.0)
        self._records: list[RunRecord] = []
        self._began = time.monotonic()
        self._probes = [*ready.rows.validation, *ready.loop.feed.some(8)][:8]

    def run(self, last: Path | None) -> None:
        """Trains to the end, from a checkpoint if there is one."""
        ready = self._ready
        if last is None:
            try_checkpoint(self._target, ready.trainable, ready.live, self._probes[0])
            self._log.begin(0)
        else:
            self._resume(last)
        with contextlib.closing(ready.loop.run(self._progress.step)) as reports:
            self._steps(reports)
        self._finish()

    def _steps(self, reports: Iterator[StepReport]) -> None:
        evaluate = self._recipe.evaluate
        for report in reports:
            self._log.step(report)
            self._progress = replace(self._progress, step=report.step)
            last = report.step == self._ready.loop.steps
            if evaluate is not None and (last or report.step % evaluate.every_steps == 0):
                with self._ready.loop.averaged():
                    self._check(report.step)
            if not last and report.step % self._recipe.save_steps == 0:
                self._save(self._target / f"checkpoint-{report.step}", state=True)
                keep_newest(self._target, self._recipe.save_total_limit)
            patience = evaluate.patience if evaluate else None
            if patience is not None and self._progress.checks_without_gain >= patience:
                break

    def _check(self, step: int) -> None:
        """Loss and answers on validation rows, answers to tasks, fixed samples."""
        ready, recipe = self._ready, self._recipe
        assert recipe.evaluate is not None
        row: dict[str, Any] = {}
        validation = ready.rows.validation
        if validation:
            row["eval/loss"] = validation_loss(ready.loop, ready.encoder, validation)
        checks = self._target / "checks" / f"step-{step}"
        self._records = ready.live.tasks(recipe.evaluate.tasks, checks, recipe.seed)
        for record in self._records:
            row[f"eval/{record.task}"] = _headline(record)
        row["samples"] = self._samples()
        best = recipe.evaluate.best
        if best is not None:
            row[f"eval/{best}"] = value = self._value(best, row)
            self._compare(best, value, step)
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
            self._save(best_folder(self._target, step), state=False)
        keep_best(self._target, self._progress.kept)

    def _save(self, folder: Path, *, state: bool) -> None:
        ready = self._ready
        with ready.loop.averaged():
            facts = checkpoint_facts(ready, self._now(), self._records)
            readme = checkpoint_readme(self._recipe, facts)
            write_checkpoint(folder, ready.trainable, ready.live, facts, readme, self._probes)
        if state:
            loop = ready.loop
            write_state(folder, ready.trainable, loop.optimizer, self._now(), loop.state_dict())

    def _now(self) -> Progress:
        seconds = time.monotonic() - self._began
        return replace(self._progress, probe_loss=self._probe_loss(), seconds=seconds)

    def _probe_loss(self) -> float:
        return validation_loss(self._ready.loop, self._ready.encoder, self._probes)

    def _resume(self, last: Path) -> None:
        """Restores weights, optimizer and place, and sees by a stored loss that all is there."""
        facts = json.loads((last / CARD).read_text(encoding="utf-8"))
        if facts["data"]["digest"] != self._ready.rows.digest:
            raise DataError(
                f"The rows are others than those that {last} was trained on; put the data back, or "
                "train anew into another directory with --out."
            )
        loop = self._ready.loop
        self._progress = read_state(
            last, self._ready.trainable, loop.optimizer, loop.load_state_dict
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
        self._log.begin(self._progress.step)

    def _finish(self) -> None:
        """Puts the best checkpoint, or the last, where `vlmbench run` finds it."""
        if self._progress.kept:
            final = best_folder(self._target, next(iter(self._progress.kept)))
        else:
            final = self._target / "final"
            self._save(final, state=False)
        for folder in self._target.glob("checkpoint-*"):
            shutil.rmtree(folder)
        (self._target / "recipe.json").unlink(missing_ok=True)
        publish(final, self._target)


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
