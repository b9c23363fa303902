"""Weights of which each process holds a part (FSDP), and the same weights whole again.

torch's `fully_shard` gathers a layer's weights when they are needed and scatters its gradients.
Every process has to take part in what is done here. Where nothing is sharded, nothing is done.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import chain
from typing import Any

import torch
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor


def shard(model: Any) -> None:
    """Shards a model in place over all processes; its parameters become DTensors.

    The weights of a layer that transformers keeps in one piece (`_no_split_modules`) are gathered
    together. Of accelerate's FSDP configuration `fsdp_reshard_after_forward` counts.
    """
    layers = set(getattr(model, "_no_split_modules", None) or ())
    for module in reversed(list(model.modules())):  # inner ones first
        if type(module).__name__ in layers:
            fully_shard(module, reshard_after_forward=_reshards())
    fully_shard(model)
    # The class that torch makes for it has a name of its own, which peft would write down.
    type(model).__name__ = type(model).__name__.removeprefix("FSDP")


@contextlib.contextmanager
def whole_weights(model: Any) -> Iterator[None]:
    """Inside, each process holds all weights, so that one alone can run the model and save it."""
    units: list[Any] = [one for one in model.modules() if isinstance(one, FSDPModule)]
    for unit in units:
        unit.set_reshard_after_forward(False, recurse=False)
        unit.unshard()
        # torch's mark, by which transformers would have every process take part in generating.
        unit._is_fsdp_managed_module = False
    yield
    for unit in units:
        unit._is_fsdp_managed_module = True
        # torch keeps the outermost one's gathered until the backward pass, which begins with it.
        unit.set_reshard_after_forward(unit is not model and _reshards(), recurse=False)
        unit.reshard()


def _reshards() -> bool:
    from accelerate.utils import FullyShardedDataParallelPlugin

    return bool(FullyShardedDataParallelPlugin(fsdp_version=2).reshard_after_forward)


def state_to_save(model: torch.nn.Module) -> dict[str, torch.Tensor] | None:
    """What `save_pretrained` is to write, inside `whole_weights`; None to let it find out.

    Of a sharded model it would find a part: `state_dict` shards the weights again.
    """
    if not any(isinstance(module, FSDPModule) for module in model.modules()):
        return None
    named = chain(
        model.named_parameters(remove_duplicate=False), model.named_buffers(remove_duplicate=False)
    )
    left_out = {
        f"{prefix}.{name}".removeprefix(".")
        for prefix, module in model.named_modules(remove_duplicate=False)
        for name in module._non_persistent_buffers_set
    }
    return {name: value.detach() for name, value in named if name not in left_out}


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor's values from all processes."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def is_sharded(tensor: torch.Tensor) -> bool:
    """Whether this process holds a part of it only."""
    return isinstance(tensor, DTensor)


def sharded_like(value: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    """This process's part of some values, if it holds a part of the parameter."""
    if not isinstance(parameter, DTensor) or value.shape != parameter.shape:
        return value
    value = value.to(parameter.device)
    return distribute_tensor(value, parameter.device_mesh, parameter.placements)


def optimizer_state(optimizer: torch.optim.Optimizer, *, keep: bool) -> Any:
    """The state dictionary of an optimizer, its tensors whole.

    Args:
        keep: Whether this process wants the values; the others have to take part all the same.
    """
    return _whole_values(optimizer.state_dict(), keep=keep)


def _whole_values(value: Any, *, keep: bool) -> Any:
    if isinstance(value, DTensor):
        gathered = value.full_tensor()
        return gathered.cpu() if keep else None
    if isinstance(value, dict):
        return {key: _whole_values(one, keep=keep) for key, one in value.items()}
    if isinstance(value, list):
        return [_whole_values(one, keep=keep) for one in value]
    return value


def load_optimizer_state(optimizer: torch.optim.Optimizer, state: Any) -> None:
    """Restores what `optimizer_state` gave, however many processes there were then."""
    # The embedded model's optimizer is two that step together.
    parts = list(getattr(optimizer, "parts", (optimizer,)))
    for part, saved in zip(parts, state.get("parts", [state]), strict=True):
        parameters = [one for group in part.param_groups for one in group["params"]]
        for number, values in saved["state"].items():
            for name, value in values.items():
                if torch.is_tensor(value):
                    values[name] = sharded_like(value, parameters[number])
    optimizer.load_state_dict(state)
