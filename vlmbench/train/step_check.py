"""Whether the first training steps change what is trained, and nothing else.

    check = StepCheck(model, parts, ["connector"], optimizer)
    ... forward, backward, optimizer.step(); check.after_step(); optimizer.zero_grad() ...

It costs one pass over all weights before the first step, one after it, and keeps no copy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

from vlmbench.errors import ModelError
from vlmbench.models.families import PartName
from vlmbench.train.parts import Parts, checked_parts, has_gradient, trainable

if TYPE_CHECKING:
    import torch


class _HasGroups(Protocol):
    """An optimizer, or what knows its groups."""

    @property
    def param_groups(self) -> list[dict[str, Any]]: ...


class StepCheck:
    """Sees that a step changes what is trained, and nothing else.

    Digests of all tensors are taken when it is made: before the first step, after the adapter was
    added and everything was cast and moved.

    Some tensors stand still at first for a good reason: LoRA's A while B is zero, or what lies
    behind a gate of zero. So each has `patience` steps to change in. Steps in which the learning
    rate is too small for the tensor's number format, as in a warm-up, do not count.

    Args:
        trained: The parts that are to be trained, in full or by an adapter.
        optimizer: The one that will step; its groups say the learning rates.
        reached: Whether the last step had a gradient for a weight.
        patience: Steps in which a trained tensor has to change.

    Raises:
        UsageError: There is no such part, or none was chosen.
        ModelError: Something outside these parts is trainable, one of them has nothing that is, or
            the optimizer has other tensors than the trainable ones.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        parts: Parts,
        trained: Sequence[str],
        optimizer: _HasGroups,
        *,
        reached: Callable[[torch.nn.Parameter], bool] = has_gradient,
        patience: int = 3,
    ) -> None:
        self._parts = parts
        self._optimizer, self._reached = optimizer, reached
        self._learned = trainable(model)
        self._check_trainable(checked_parts(trained))
        self._check_optimizer(model)
        frozen = {name: p for name, p in model.named_parameters() if not p.requires_grad}
        self._frozen = frozen
        self._frozen_before = _digests(frozen)
        self._still = _digests(self._learned)
        self._steps_left = dict.fromkeys(self._learned, patience)
        self._without_gradient = set(self._learned)
        self._frozen_checked = False

    @property
    def done(self) -> bool:
        """Whether every trained tensor has changed and every frozen one was found unchanged."""
        return self._frozen_checked and not self._still

    def after_step(self) -> list[str]:
        """Checks one step, and returns the trained tensors that have not changed yet.

        Call it between `optimizer.step()`, which it must not have skipped, and the next
        `scheduler.step()` and `zero_grad()`, until it is `done`. Where parts that see images are
        trained, leave out steps whose rows have none.

        Raises:
            ModelError: A frozen tensor changed, or a trained one has not in time.
        """
        if not self._frozen_checked:
            self._check_frozen()
        rates = _learning_rates(self._optimizer)
        now = _digests({name: self._learned[name] for name in self._still})
        self._still = {name: before for name, before in self._still.items() if now[name] == before}
        for name in self._still:
            parameter = self._learned[name]
            reached = self._reached(parameter)
            if reached:
                self._without_gradient.discard(name)
            if not reached or _shows(rates[id(parameter)], parameter):
                self._steps_left[name] -= 1
        late = [name for name in self._still if self._steps_left[name] <= 0]
        if late:
            raise ModelError(self._standstill(late))
        return list(self._still)

    def _check_frozen(self) -> None:
        now = _digests(self._frozen)
        for name, before in self._frozen_before.items():
            if now[name] != before:
                raise ModelError(
                    f"The training step changed {name} of {self._parts.title}, which is frozen; "
                    "this is a bug, please report it with the recipe."
                )
        self._frozen_checked = True

    def _standstill(self, late: list[str]) -> str:
        name = late[0]
        more = f" (and {len(late) - 1} more)" if len(late) > 1 else ""
        reason = "got no gradient" if name in self._without_gradient else "did not change"
        return (
            f"{name}{more} of the {self._parts.part_of(name)} part of {self._parts.title} is to be "
            f"trained but {reason} in the first steps; train other parts, or check that the "
            "data has what reaches it, such as images."
        )

    def _check_trainable(self, trained: Sequence[PartName]) -> None:
        by_part = {self._parts.part_of(name): name for name in self._learned}
        for part, name in by_part.items():
            if part not in trained:
                raise ModelError(
                    f"{name} of {self._parts.title} is trainable, but its {part} part is not to be "
                    f"trained ({', '.join(trained)}); freeze it with train_only."
                )
        for part in trained:
            if part not in by_part:
                raise ModelError(
                    f"Nothing of the {part} part of {self._parts.title} is trainable, although it "
                    "is to be trained."
                )

    def _check_optimizer(self, model: torch.nn.Module) -> None:
        held = set(_learning_rates(self._optimizer))
        for name, parameter in model.named_parameters():
            if parameter.requires_grad and id(parameter) not in held:
                raise ModelError(f"{name} is to be trained, but the optimizer does not have it.")
            if not parameter.requires_grad and id(parameter) in held:
                raise ModelError(f"{name} is frozen, but the optimizer has it.")


def _learning_rates(optimizer: _HasGroups) -> dict[int, float]:
    """The learning rate of each parameter, by its identity."""
    return {
        id(parameter): float(group["lr"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    }


def _shows(learning_rate: float, parameter: torch.nn.Parameter) -> bool:
    """Whether a step of this size is large enough to change the smallest of the weights."""
    import torch

    from vlmbench.train.sharding import whole

    smallest = float(whole(parameter.detach()).abs().min())
    return learning_rate > 10 * smallest * torch.finfo(parameter.dtype).eps


def _digests(parameters: Mapping[str, torch.nn.Parameter]) -> dict[str, bytes]:
    from vlmbench.train.sharding import is_sharded

    if any(map(is_sharded, parameters.values())):  # gathered by all processes, in one order
        return {name: _digest(parameter) for name, parameter in parameters.items()}
    # Hashing lets other threads run, so several tensors are hashed at a time.
    with ThreadPoolExecutor() as pool:
        return dict(zip(parameters, pool.map(_digest, parameters.values()), strict=True))


def _digest(parameter: torch.nn.Parameter) -> bytes:
    import torch

    from vlmbench.train.sharding import whole

    flat = whole(parameter.detach()).reshape(-1).contiguous().view(torch.uint8)
    return hashlib.sha256(flat.cpu().numpy().data).digest()
