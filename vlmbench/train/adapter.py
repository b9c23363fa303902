"""A LoRA adapter on a model that is trained: a new one, or an earlier one to go on with.

Its file holds what is trained in full beside it, too, under the weights' own names.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from vlmbench.errors import ModelError
from vlmbench.runners.hf.adapters import import_peft, without_peft_warnings
from vlmbench.train.parts import ADAPTER_PREFIX, Parts, lora_targets
from vlmbench.train.recipe import Recipe

ADAPTER_WEIGHTS = "adapter_model.safetensors"

_CHOSEN = {"r": "lora.r", "lora_alpha": "lora.alpha"}
"""Keys of peft's configuration that a recipe sets, and their names there."""
_FREE = (
    "auto_mapping",
    "base_model_name_or_path",
    "inference_mode",
    "lora_dropout",
    "peft_version",
    "revision",
    "target_modules",  # the names in the file say it better
    "task_type",
)
"""Keys in which an adapter may differ from the one that it goes on from."""


def add_lora(model: Any, parts: Parts, recipe: Recipe, location: str, revision: str | None) -> Any:
    """Adds a new adapter, whose weights are float32, and returns peft's wrapper of the model.

    Args:
        location: What the adapter will name as its base.
        revision: The base's commit or branch, if it is of the Hub.

    Raises:
        ModelError: A part has nothing that LoRA can adapt.
        DependencyError: peft is not installed.
    """
    peft = import_peft("LoRA adapters need")
    chosen = recipe.lora
    config = peft.LoraConfig(
        r=chosen.r,
        lora_alpha=chosen.alpha,
        lora_dropout=chosen.dropout,
        target_modules=lora_targets(model, parts, chosen.parts, chosen.modules or "all-linear"),
        revision=revision,
    )
    model.name_or_path = location
    with without_peft_warnings():
        adapter: Any = peft.get_peft_model(model, config)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return adapter


def go_on_from(adapter: Any, folder: Path) -> dict[str, torch.Tensor]:
    """Gives an adapter, and what stands beside it in the model, the values of an earlier one.

    Args:
        adapter: A new one, by the recipe.
        folder: The earlier one's.

    Returns:
        What the file holds beside the adapter, by the names of the model.

    Raises:
        ModelError: The recipe's adapter has another form.
    """
    peft = import_peft("LoRA adapters need")
    _check_configuration(peft.PeftConfig.from_pretrained(folder), adapter, folder)
    held = _read(folder)
    own = peft.get_peft_model_state_dict(adapter, save_embedding_layers=False)
    model = dict(adapter.base_model.model.named_parameters(remove_duplicate=False))
    beside = {
        name.removeprefix(ADAPTER_PREFIX): value for name, value in held.items() if name not in own
    }
    for name in own:
        _check_tensor(folder, name, held.get(name), own[name])
    for name, value in beside.items():
        _check_tensor(folder, name, value, model.get(name))
    with torch.no_grad():
        for name, value in own.items():
            value.copy_(held[name])
        for name, value in beside.items():
            model[name].copy_(value)
    return beside


def add_tensors(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Adds weights of the model to the file of its adapter."""
    from safetensors.torch import load_file, save_file

    named = {f"{ADAPTER_PREFIX}{name}": one.contiguous() for name, one in tensors.items()}
    save_file(load_file(path) | named, path, metadata={"format": "pt"})


def _check_configuration(earlier: Any, adapter: Any, folder: Path) -> None:
    now, before = adapter.peft_config["default"].to_dict(), earlier.to_dict()
    for key in sorted(now):
        if key not in _FREE and before.get(key) != now[key]:
            raise _another_form(
                folder, f"its {_CHOSEN.get(key, key)} is {before.get(key)}, not {now[key]}"
            )


def _check_tensor(
    folder: Path, name: str, held: torch.Tensor | None, own: torch.Tensor | None
) -> None:
    short = name.removeprefix(ADAPTER_PREFIX)
    if held is None:
        raise _another_form(folder, f"it has no {short}")
    if own is None:
        raise _another_form(folder, f"it has {short} too")
    if held.shape != own.shape:
        raise _another_form(folder, f"its {short} has another shape")


def _another_form(folder: Path, reason: str) -> ModelError:
    return ModelError(
        f"The training cannot go on with the adapter {folder}, which has another form than the "
        f"recipe's ({reason}); give 'lora' as it was trained, or merge it first with 'vlmbench "
        f"train export {folder} -o DIR'."
    )


def _read(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / ADAPTER_WEIGHTS
    try:
        return dict(load_file(path))
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"The adapter's weights {path} cannot be read ({error}); restore that file."
        ) from error
