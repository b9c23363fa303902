"""The training loop: updates in a fixed order, each by the mean loss of its answer tokens."""

from __future__ import annotations

import contextlib
import math
import time
from collections import defaultdict
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import torch

from vlmbench.errors import ConfigError, ModelError
from vlmbench.executors.local import prefetched
from vlmbench.models.families import PartName
from vlmbench.train.average import Average
from vlmbench.train.batch import Batch
from vlmbench.train.encode import ExampleEncoder
from vlmbench.train.feed import Feed
from vlmbench.train.losses import token_losses
from vlmbench.train.optimizer import MuonAdamW, Rates, build_optimizer
from vlmbench.train.packing_check import PackingResult, check_packing
from vlmbench.train.parts import freeze_unreached
from vlmbench.train.recipe import Recipe
from vlmbench.train.schedule import rate_schedule
from vlmbench.train.step_check import StepCheck
from vlmbench.train.trainable import Trainable


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one update was like."""

    step: int
    """Updates so far, this one included."""
    loss: float
    """Mean over the answer tokens of the update, in nats."""
    loss_by_source: dict[str, float]
    grad_norm: dict[PartName, float]
    """Of each trained part, before clipping; of none where `fp16` passed over the update."""
    learning_rate: dict[str, float]
    tokens: int
    """Of all rows of the update."""
    learned: int
    """Answer tokens, which the loss falls on."""
    seconds: float
    wait: float
    """Of these, seconds in which the loop waited for data."""


@dataclass(slots=True)
class _Sums:
    """Losses of an update, summed over tokens."""

    loss: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    tokens: dict[str, int] = field(default_factory=lambda: defaultdict(int))


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


def make_optimizer(trainable: Trainable, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW with a group for each part and decay, or Muon with AdamW for what is no matrix.

    Each group says by `peak` how high its learning rate gets, and by `part` what is in it.
    """
    if recipe.optim == "muon":
        rate = recipe.rate(recipe.trained_parts[0])
        rest = recipe.optim_args.adamw_learning_rate or rate
        muon: MuonAdamW = build_optimizer(trainable.model, Rates(rate, rest, recipe.weight_decay))
        for group in muon.param_groups:
            group["peak"] = group["lr"]
        return muon
    grouped: dict[tuple[PartName, bool], list[torch.nn.Parameter]] = defaultdict(list)
    for _, part, parameter in trainable.trained():
        grouped[part, parameter.ndim > 1].append(parameter)
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "lr": recipe.rate(part),
                "weight_decay": recipe.weight_decay if decays else 0.0,
                "peak": recipe.rate(part),
                "part": part,
            }
            for (part, decays), parameters in grouped.items()
        ],
        betas=(recipe.adam_beta1, recipe.adam_beta2),
        eps=recipe.adam_epsilon,
    )


class Loop:
    """Carries out the updates of a recipe, one at a time."""

    def __init__(
        self, recipe: Recipe, trainable: Trainable, encoder: ExampleEncoder, feed: Feed
    ) -> None:
        self.recipe, self.trainable, self.feed = recipe, trainable, feed
        self.steps = total_steps(recipe, feed)
        self._encoder = encoder
        self._device = next(trainable.model.parameters()).device
        self.packing: PackingResult = "nothing to pack"
        """Whether the examples of a group share a row; known once there is such a group."""
        if recipe.gradient_checkpointing:
            _enable_checkpointing(trainable.model)
        self.unreached = self._freeze_unreached()
        """Names of what was to be trained and gets no gradient from the data."""
        self.optimizer = make_optimizer(trainable, recipe)
        self._rate = rate_schedule(recipe, self.steps)
        self._average = Average(trainable, recipe.ema.decay) if recipe.ema else None
        self._scaler = torch.amp.GradScaler(self._device.type, enabled=recipe.fp16)

    def averaged(self) -> AbstractContextManager[None]:
        """The model with the weights that are evaluated and saved: by `ema` the averaged ones."""
        return self._average.in_place() if self._average else contextlib.nullcontext()

    def state_dict(self) -> dict[str, Any]:
        """What the next updates depend on, beside weights and optimizer."""
        average = self._average.weights if self._average else {}
        return {"average": average, "scaler": self._scaler.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restores what `state_dict` gave.

        Raises:
            ModelError: It is of another training.
        """
        if self._average is not None:
            self._average.load(state["average"])
        self._scaler.load_state_dict(state["scaler"])

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
        check = StepCheck(model, parts, trained, self.optimizer) if start == 0 else None
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
            return token_losses(self.trainable.model, batch)

    def _micro_batches(self, step: int) -> tuple[int, list[Batch]]:
        groups = self.feed.update(step)
        if self.packing == "not exact for this family":
            groups = [(example,) for group in groups for example in group]
        size = self.recipe.per_device_train_batch_size
        parts = [groups[at : at + size] for at in range(0, len(groups), size)]
        return step, [self._encoder.batch(part) for part in parts]

    def _kept_apart(self, batch: Batch) -> Batch:
        """The batch, with a row for each example where sharing one would change its loss."""
        if batch.segments is None:
            return batch
        if self.packing == "nothing to pack":
            self.packing = check_packing(self.trainable.model, self._encoder, batch)
        if self.packing == "exact":
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
        batches = [self._kept_apart(batch) for batch in batches]
        learned = sum(batch.learned for batch in batches)
        sums = self._backward(step, batches, learned)
        loss = sum(sums.loss.values()) / learned
        self._scaler.unscale_(self.optimizer)
        norms = self._gradient_norms()
        wrong = next((one for one in (loss, *norms.values()) if not math.isfinite(one)), None)
        # A scaled gradient may leave float16's range; then the scaler passes over the update.
        skipped = self._scaler.is_enabled() and math.isfinite(loss) and wrong is not None
        if wrong is not None and not (skipped and self._scaler.get_scale() > 1):
            raise ModelError(
                f"The loss or a gradient of step {step + 1} is {wrong}; lower "
                "'learning_rate' and go on from the last checkpoint with --resume."
            )
        factor = self._rate(step)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * factor
        parameters = [parameter for *_, parameter in self.trainable.trained()]
        torch.nn.utils.clip_grad_norm_(parameters, self.recipe.max_grad_norm)
        self._scaler.step(self.optimizer)
        self._scaler.update()
        if self._average is not None:
            self._average.update(first=step == 0)
        if check is not None and not check.done and not skipped:
            check.after_step()
        self.optimizer.zero_grad(set_to_none=True)
        return StepReport(
            step=step + 1,
            loss=loss,
            loss_by_source={name: sums.loss[name] / sums.tokens[name] for name in sums.loss},
            grad_norm={} if skipped else norms,
            learning_rate={
                str(group["part"]): group["lr"] for group in self.optimizer.param_groups
            },
            tokens=sum(batch.tokens for batch in batches),
            learned=learned,
            seconds=time.perf_counter() - began,
            wait=wait,
        )

    def _backward(self, step: int, batches: Sequence[Batch], learned: int) -> _Sums:
        """Gradients of the update's mean loss, however it is cut into micro-batches."""
        # Dropout too depends on the seed and the step alone.
        torch.manual_seed(self.recipe.seed * 1_000_003 + step)
        self.trainable.model.train()
        sums = _Sums()
        for batch in batches:
            losses = self.token_losses(batch)
            torch.autograd.backward(self._scaler.scale(losses.sum() / learned))
            by_example = torch.split(losses.detach().cpu(), list(batch.learned_by_example))
            for example, part in zip(batch.examples, by_example, strict=True):
                sums.loss[example.source] += float(part.double().sum())
                sums.tokens[example.source] += len(part)
        return sums

    def _gradient_norms(self) -> dict[PartName, float]:
        squares: dict[PartName, float] = defaultdict(float)
        for _, part, parameter in self.trainable.trained():
            if parameter.grad is not None:
                squares[part] += float(parameter.grad.norm()) ** 2
        return {part: math.sqrt(square) for part, square in squares.items()}


def _enable_checkpointing(model: Any) -> None:
    """Computes activations twice instead of keeping them; transformers renames the method."""
    newer = getattr(model, "activation_checkpointing_enable", None)
    enable = newer or model.gradient_checkpointing_enable
    enable({"use_reentrant": False})
