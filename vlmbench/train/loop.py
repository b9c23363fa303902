"""The training loop: updates in a fixed order, each by the mean loss of its answer tokens."""

from __future__ import annotations

import contextlib
import math
import time
from collections import defaultdict
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import torch

from vlmbench.errors import ConfigError, ModelError
from vlmbench.executors.local import prefetched
from vlmbench.models.families import PartName
from vlmbench.train.average import Average
from vlmbench.train.batch import Batch
from vlmbench.train.distributed import ALONE, Processes
from vlmbench.train.encode import ExampleEncoder
from vlmbench.train.feed import Feed
from vlmbench.train.losses import token_losses
from vlmbench.train.packing_check import PackingResult, check_packing
from vlmbench.train.parts import freeze_unreached
from vlmbench.train.recipe import Recipe
from vlmbench.train.schedule import rate_schedule
from vlmbench.train.sharding import shard, whole, whole_weights
from vlmbench.train.step_check import StepCheck
from vlmbench.train.step_report import StepReport, Sums
from vlmbench.train.trainable import Trainable
from vlmbench.train.updates import Updates


def total_steps(recipe: Recipe, feed: Feed) -> int:
    """Updates of the whole training.

    Raises:
        ConfigError: The data have no end, and the recipe counts epochs.
    """
    if recipe.max_steps is not None:
        return recipe.max_steps
    if feed.steps_per_epoch is None:
        raise ConfigError("These data have no end; give 'max_steps' instead of 'num_train_epochs'.")
    return max(1, math.ceil((recipe.num_train_epochs or 1) * feed.steps_per_epoch))


class Loop:
    """Carries out the updates of a recipe, one at a time."""

    def __init__(
        self,
        recipe: Recipe,
        trainable: Trainable,
        encoder: ExampleEncoder,
        feed: Feed,
        processes: Processes = ALONE,
    ) -> None:
        self.recipe, self.trainable, self.feed = recipe, trainable, feed
        self.processes = processes
        self.steps = total_steps(recipe, feed)
        self._encoder = encoder
        self.packing: PackingResult = "nothing to pack"
        """Whether the examples of a group share a row; known once there is such a group."""
        if recipe.gradient_checkpointing:
            _enable_checkpointing(trainable.model)
        if processes.shards:
            shard(trainable.model)
        self._device = next(trainable.model.parameters()).device
        self._replicated = None
        """Runs the model such that all processes get the mean of their gradients."""
        self.unreached = self._freeze_unreached()
        """Names of what was to be trained and gets no gradient from the data."""
        # Rows without images leave out what looks at them.
        sees = set(recipe.trained_parts) != {"language"}
        self._replicated = processes.replicated(trainable.model, find_unused=sees)
        self.updates = _updates(trainable, recipe, processes)
        self._rate = rate_schedule(recipe, self.steps)
        self._average = Average(trainable, recipe.ema.decay) if recipe.ema else None

    def averaged(self) -> AbstractContextManager[None]:
        """The model with the weights that are evaluated and saved: by `ema` the averaged ones."""
        return self._average.in_place() if self._average else contextlib.nullcontext()

    def state_dict(self) -> dict[str, Any]:
        """What the next updates depend on, beside weights and optimizer."""
        average = self._average.weights if self._average else {}
        return {"average": average, "scaler": self.updates.scaler_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restores what `state_dict` gave.

        Raises:
            ModelError: It is of another training.
        """
        if self._average is not None:
            self._average.load(state["average"])
        self.updates.load_scaler_state(state["scaler"])

    def _freeze_unreached(self) -> list[str]:
        """Sees by a few rows what the loss reaches, of those with images if there are any."""
        some = self.feed.some(self.recipe.per_device_train_batch_size)
        batch = self._encoder.batch([(example,) for example in some])
        self.trainable.model.train()
        torch.manual_seed(self.recipe.seed)
        torch.autograd.backward(self.token_losses(batch).mean())
        trained = self.recipe.trained_parts
        return freeze_unreached(self.trainable.model, self.trainable.parts, trained)

    def run(self, start: int = 0) -> Generator[StepReport, None, None]:
        """The updates after the first `start`; a report of each once it is done.

        Raises:
            ModelError: The loss is no number, or the first updates did not change what they should.
        """
        trained = self.recipe.trained_parts
        model, parts = self.trainable.model, self.trainable.parts
        check = None
        if start == 0:
            check = StepCheck(model, parts, trained, self.updates, reached=self.updates.reached)
        numbered = iter(range(start, self.steps))
        encode = self._micro_batches
        with contextlib.closing(prefetched(encode, numbered, threads=1)) as ready:
            began = time.perf_counter()
            for step, batches in ready:
                wait = time.perf_counter() - began
                report = self._update(step, batches, check, began, wait)
                yield report
                began = time.perf_counter()

    def token_losses(self, batch: Batch) -> torch.Tensor:
        """Cross-entropy of each learned token of a batch, in nats, in the order of the labels."""
        half = torch.float16 if self.recipe.fp16 else torch.bfloat16
        enabled = self.recipe.fp16 or self.recipe.bf16
        with torch.autocast(self._device.type, half, enabled=enabled):
            # One process may evaluate alone, so only what is learned from goes through all.
            through = self._replicated if torch.is_grad_enabled() else None
            return token_losses(self.trainable.model, batch, through=through)

    def _micro_batches(self, step: int) -> tuple[int, list[Batch]]:
        groups, count = self.feed.update(step), self.processes.count
        # Processes may learn of it at different updates, and have to divide each alike.
        if self.packing == "not exact for this family" and count == 1:
            groups = [(example,) for group in groups for example in group]
        size = self.recipe.per_device_train_batch_size
        own = self.processes.share(groups)
        batches = [self._encoder.batch(own[at : at + size]) for at in range(0, len(own), size)]
        if len(batches) < math.ceil(math.ceil(len(groups) / count) / size):
            batches.append(_idle(self._encoder.batch([groups[0][:1]])))
        return step, batches

    def _check_packing(self, batches: Sequence[Batch]) -> None:
        """Sees by the first rows of several examples whether sharing one changes their loss."""
        if self.packing != "nothing to pack":
            return
        packed = next((batch for batch in batches if batch.segments is not None), None)
        if not any(self.processes.gather(packed is not None)):
            return
        model = self.trainable.model
        with whole_weights(model):
            own = check_packing(model, self._encoder, packed) if packed else self.packing
            found = set(self.processes.gather(own)) - {"nothing to pack"}
        self.packing = max(found, default=self.packing)  # of the two, "not exact ..." comes last

    def _kept_apart(self, batch: Batch) -> Batch:
        """The batch, with a row for each example where sharing one would change its loss."""
        if batch.segments is None or self.packing == "exact":
            return batch
        return self._encoder.batch([(example,) for example in batch.examples])

    def _update(
        self,
        step: int,
        batches: Sequence[Batch],
        check: StepCheck | None,
        began: float,
        wait: float,
    ) -> StepReport:
        self._check_packing(batches)
        batches = [self._kept_apart(batch) for batch in batches]
        learned = sum(self.processes.gather(sum(batch.learned for batch in batches)))
        sums = Sums(wait=wait)
        for found in self.processes.gather(self._backward(step, batches, learned)):
            sums.add(found)
        loss = sum(sums.loss.values()) / learned
        norms = self._gradient_norms()
        wrong = next((one for one in (loss, *norms.values()) if not math.isfinite(one)), None)
        # A scaled gradient may leave float16's range; then the scaler passes over the update.
        skipped = wrong is not None and math.isfinite(loss) and self.updates.may_pass_over
        if wrong is not None and not skipped:
            raise ModelError(
                f"The loss or a gradient of step {step + 1} is {wrong}; lower "
                "'learning_rate' and go on from the last checkpoint with --resume."
            )
        self.updates.set_rates(self._rate(step))
        self.updates.step()
        if self._average is not None:
            self._average.update(first=step == 0)
        if check is not None and not check.done and not skipped:
            check.after_step()
        self.updates.forget_gradients()
        return StepReport(
            step=step + 1,
            loss=loss,
            loss_by_source={name: sums.loss[name] / sums.learned[name] for name in sums.loss},
            grad_norm={} if skipped else norms,
            learning_rate={str(group["part"]): group["lr"] for group in self.updates.param_groups},
            tokens=sums.tokens,
            learned=learned,
            seconds=time.perf_counter() - began,
            wait=sums.wait,
        )

    def _backward(self, step: int, batches: Sequence[Batch], learned: int) -> Sums:
        """Gradients of the update's mean loss, however it is cut into micro-batches.

        Args:
            learned: Answer tokens of the update, in all processes.
        """
        # Dropout too depends on the seed and the step alone, and differs between processes.
        number = step + (self.processes.rank << 40)
        torch.manual_seed(self.recipe.seed * 1_000_003 + number)
        self.trainable.model.train()
        sums = Sums(tokens=sum(batch.tokens for batch in batches))
        for batch in batches:
            # Processes get the mean of their gradients, so each has to be as many times as large.
            weight = self.processes.count if batch.examples else 0
            last = batch is batches[-1]
            with self.processes.accumulating(self._replicated, last=last):
                losses = self.token_losses(batch)
                self.updates.backward(losses.sum() * weight / learned, last=last)
            if not weight:
                continue
            by_example = torch.split(losses.detach().cpu(), list(batch.learned_by_example))
            for example, part in zip(batch.examples, by_example, strict=True):
                sums.loss[example.source] += float(part.double().sum())
                sums.learned[example.source] += len(part)
        return sums

    def _gradient_norms(self) -> dict[PartName, float]:
        norms: dict[PartName, list[torch.Tensor]] = defaultdict(list)
        for part, gradient in self.updates.gradients():
            norms[part].append(torch.linalg.vector_norm(gradient))
        return {
            part: float(whole(torch.linalg.vector_norm(torch.stack(found))))
            for part, found in norms.items()
        }


def _idle(batch: Batch) -> Batch:
    """A batch that is run through and not learned from, by a process that has none of its own.

    All processes take part in each forward and backward pass.
    """
    return replace(batch, examples=(), learned_by_example=(), tokens=0)


def _enable_checkpointing(model: Any) -> None:
    """Computes activations twice instead of keeping them; transformers renames the method."""
    newer = getattr(model, "activation_checkpointing_enable", None)
    enable = newer or model.gradient_checkpointing_enable
    enable({"use_reentrant": False})


def _updates(trainable: Trainable, recipe: Recipe, processes: Processes) -> Updates:
    if processes.zero_stage is None:
        return Updates(trainable, recipe)
    from vlmbench.train.zero import ZeroUpdates

    return ZeroUpdates(trainable, recipe, processes.zero_stage)
