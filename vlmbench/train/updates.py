"""From the losses of an update to new weights: backward passes, gradients, clipping, a step.

    for each micro-batch: updates.backward(loss, last=...)
    updates.gradients()           what came of them, before clipping
    updates.step()
    updates.forget_gradients()

`ZeroUpdates` (zero.py) does the same where DeepSpeed shares out optimizer and gradients.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from vlmbench.models.families import PartName
from vlmbench.train.optimizer import MuonAdamW, Rates, build_optimizer
from vlmbench.train.parts import has_gradient
from vlmbench.train.recipe import Recipe
from vlmbench.train.sharding import load_optimizer_state, optimizer_state
from vlmbench.train.trainable import Trainable


class Updates:
    """Of weights that this process holds whole, or a part of (FSDP)."""

    def __init__(self, trainable: Trainable, recipe: Recipe) -> None:
        self.optimizer = make_optimizer(trainable, recipe)
        self._trainable, self._norm = trainable, recipe.max_grad_norm
        device = next(trainable.model.parameters()).device
        self._scaler = torch.amp.GradScaler(device.type, enabled=recipe.fp16)

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Weights with their learning rates; see `make_optimizer`."""
        return self.optimizer.param_groups

    def set_rates(self, factor: float) -> None:
        """Sets each group's learning rate to this share of its highest."""
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * factor

    def backward(self, loss: torch.Tensor, *, last: bool) -> None:
        """Adds the gradients of a micro-batch.

        Args:
            last: Whether it is the update's last.
        """
        torch.autograd.backward(self._scaler.scale(loss))

    def gradients(self) -> Iterator[tuple[PartName, torch.Tensor]]:
        """Part and gradient of each weight that has one; to be called once an update."""
        self._scaler.unscale_(self.optimizer)
        for _, part, parameter in self._trainable.trained():
            if parameter.grad is not None:
                yield part, parameter.grad

    def reached(self, parameter: torch.nn.Parameter) -> bool:
        """Whether the last update had a gradient for a weight that was not zero everywhere."""
        return has_gradient(parameter)

    @property
    def may_pass_over(self) -> bool:
        """Whether a gradient that is no number may come of a loss that was scaled too far."""
        return self._scaler.is_enabled() and self._scaler.get_scale() > 1

    def step(self) -> None:
        """Clips the gradients and changes the weights by them."""
        parameters = [parameter for *_, parameter in self._trainable.trained()]
        torch.nn.utils.clip_grad_norm_(parameters, self._norm)
        self._scaler.step(self.optimizer)
        self._scaler.update()

    def forget_gradients(self) -> None:
        """Ends the update."""
        self.optimizer.zero_grad(set_to_none=True)

    def optimizer_state(self, *, keep: bool) -> Any:
        """The optimizer's state, whole; every process has to take part.

        Args:
            keep: Whether this process wants it.
        """
        return optimizer_state(self.optimizer, keep=keep)

    def load_optimizer_state(self, state: Any) -> None:
        """Restores it, the weights having been restored before."""
        load_optimizer_state(self.optimizer, state)

    def scaler_state(self) -> dict[str, Any]:
        """Of the scale of the loss; empty without `fp16`."""
        return self._scaler.state_dict()

    def load_scaler_state(self, state: Mapping[str, Any]) -> None:
        """Restores it."""
        self._scaler.load_state_dict(dict(state))


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
