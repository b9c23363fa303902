"""DeepSpeed's ZeRO: each process holds all weights, and a part of the optimizer (stage 1) and of
the gradients (stage 2).

DeepSpeed adds the gradients up, clips them by their norm over all processes, and steps; the forward
pass, the arithmetic's precision and the learning rates stay with the loop.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator
from typing import Any

import torch

from vlmbench.errors import ConfigError, DependencyError, ModelError, UsageError
from vlmbench.models.families import PartName
from vlmbench.train.recipe import Recipe
from vlmbench.train.trainable import Trainable
from vlmbench.train.updates import Updates


def zero_stage() -> int:
    """The stage that accelerate's configuration asks for: 1 or 2.

    Raises:
        DependencyError: DeepSpeed is not installed.
        UsageError: The configuration asks for what is not done here.
    """
    if importlib.util.find_spec("deepspeed") is None:
        raise DependencyError(
            "The launcher asks for DeepSpeed, which is not installed; install it with pip install "
            "'vlmbench-ja[deepspeed]', or use FSDP (docs/training.md, 'Several processes')."
        )
    from accelerate import DeepSpeedPlugin

    values = DeepSpeedPlugin().deepspeed_config["zero_optimization"]
    stage = int(values["stage"])
    if stage not in (1, 2):
        raise UsageError(
            f"DeepSpeed is used with 'zero_stage: 1' or 2 here, not {stage}; what stage 3 shards, "
            "FSDP shards too (docs/training.md, 'Several processes')."
        )
    for key in ("offload_optimizer", "offload_param"):
        if (values.get(key) or {}).get("device") not in (None, "none"):
            raise UsageError(
                f"Nothing is moved to the CPU here; set '{key}_device: none' in accelerate's "
                "configuration."
            )
    return stage


class ZeroUpdates(Updates):
    """Of weights that every process holds, by an optimizer of which each holds a part."""

    def __init__(self, trainable: Trainable, recipe: Recipe, stage: int) -> None:
        """Hand the optimizer to DeepSpeed; every process has to take part.

        Raises:
            ConfigError: The recipe asks for what does not go with it.
        """
        for key, is_set in {
            "optim: muon": recipe.optim == "muon",
            "method: qlora": recipe.method == "qlora",
            "fp16": recipe.fp16,
        }.items():
            if is_set:
                raise ConfigError(
                    f"'{key}' does not go with DeepSpeed; leave it out, or train without DeepSpeed."
                )
        super().__init__(trainable, recipe)
        self._own = [list(group["params"]) for group in self.optimizer.param_groups]
        self._reached: set[int] = set()
        self._engine, self._shared = _engine(trainable.model, self.optimizer, recipe, stage)

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """As without DeepSpeed, whose groups hold one flat piece of the weights each."""
        groups = zip(self.optimizer.param_groups, self._own, strict=True)
        return [{**group, "params": own} for group, own in groups]

    def backward(self, loss: torch.Tensor, *, last: bool) -> None:
        """See `Updates`; the last one adds the processes' gradients up."""
        self._engine.set_gradient_accumulation_boundary(last)
        self._engine.backward(loss)

    def gradients(self) -> Iterator[tuple[PartName, torch.Tensor]]:
        """See `Updates`; gathered a weight at a time. What no loss reached has zeros."""
        from deepspeed.utils import safe_get_full_grad

        self._reached.clear()
        for _, part, parameter in self._trainable.trained():
            gradient = safe_get_full_grad(parameter)
            if gradient is not None:
                if bool(gradient.any()):
                    self._reached.add(id(parameter))
                yield part, gradient

    def reached(self, parameter: torch.nn.Parameter) -> bool:
        """See `Updates`."""
        return id(parameter) in self._reached

    def step(self) -> None:
        """See `Updates`."""
        self._engine.step()

    def forget_gradients(self) -> None:
        """Nothing: DeepSpeed's step did."""

    def optimizer_state(self, *, keep: bool) -> Any:
        """What each process holds, in their order."""
        from accelerate.utils import gather_object

        parts = gather_object([self.optimizer.state_dict()])
        return {"processes": parts} if keep else None

    def load_optimizer_state(self, state: Any) -> None:
        """Restores this process's part.

        Raises:
            ModelError: It was saved by another number of processes, or without DeepSpeed.
        """
        parts = state.get("processes", [])
        count = torch.distributed.get_world_size()
        if len(parts) != count:
            how = f"by {len(parts)} processes" if parts else "without DeepSpeed"
            raise ModelError(
                f"The optimizer was saved {how}, and DeepSpeed shares it out to {count} here; go "
                "on as the training began."
            )
        self._shared.refresh_fp32_params()
        self.optimizer.load_state_dict(parts[torch.distributed.get_rank()])


def _engine(
    model: Any, optimizer: torch.optim.Optimizer, recipe: Recipe, stage: int
) -> tuple[Any, Any]:
    logging.getLogger("DeepSpeed").setLevel(logging.ERROR)
    import deepspeed

    deepspeed.utils.logger.setLevel(logging.ERROR)
    engine, shared, *_ = deepspeed.initialize(
        model=model,
        optimizer=optimizer,
        config={
            "train_micro_batch_size_per_gpu": recipe.per_device_train_batch_size,
            "gradient_accumulation_steps": 1,  # the loop divides each loss as it should be
            "gradient_clipping": recipe.max_grad_norm,
            "zero_optimization": {"stage": stage},
        },
    )
    return engine, shared
