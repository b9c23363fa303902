"""The updates of a stage, and what happens between them: checks, checkpoints, the best of these."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from vlmbench.errors import DataError, ModelError
from vlmbench.records import RunRecord
from vlmbench.train.card import checkpoint_facts, checkpoint_readme
from vlmbench.train.checkpoint import (
    CARD,
    FINAL,
    PROBE_TOLERANCE,
    Progress,
    best_folder,
    keep_best,
    keep_newest,
    prove_checkpoint,
    publish,
    read_state,
    try_checkpoint,
    write_checkpoint,
    write_state,
)
from vlmbench.train.live import validation_loss, validation_score
from vlmbench.train.prepare import Prepared
from vlmbench.train.progress import StepLog
from vlmbench.train.sharding import whole_weights
from vlmbench.train.step_report import StepReport
from vlmbench.train.task_changes import TaskChange, task_changes
from vlmbench.train.watching import StageNumber, start_facts


class Training:
    """The updates of a stage with what happens between them.

    Args:
        target: Directory of the checkpoint.
    """

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
                last,
                self._ready.trainable,
                loop.updates.load_optimizer_state,
                loop.load_state_dict,
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
                state = self._ready.loop.updates.optimizer_state(keep=is_main)
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
        checks = self._checks(step)
        # What a training that was stopped was told there came from other weights, if not the same.
        shutil.rmtree(checks, ignore_errors=True)
        self._records = ready.live.tasks(recipe.evaluate.tasks, checks, recipe.seed)
        changes = task_changes(self._checks(0), checks) if step else {}
        for record in self._records:
            row[f"eval/{record.task}"] = _headline(record, changes.get(record.task))
        row["samples"] = self._samples()
        best = recipe.evaluate.best
        if best is not None:
            row[f"eval/{best}"] = value = self._value(best, row)
            if step:  # the model as it came is no result of the training
                self._compare(best, value, step)
                row["best_step"] = self._progress.best_step
        self._log.check(step, row)

    def _checks(self, step: int) -> Path:
        """Where the runs of a check are kept."""
        return self._target / "checks" / f"step-{step}"

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


def _headline(record: RunRecord, change: TaskChange | None) -> dict[str, Any] | None:
    """A task's headline value with its interval, and its change since step 0, for the log."""
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
        **({} if change is None else {"change": asdict(change)}),
    }
