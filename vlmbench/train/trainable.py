"""A model made ready for training: its parts frozen or trained, or an adapter added."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from vlmbench.models.families import ModelFamily, PartName
from vlmbench.runners.hf.adapt import import_peft
from vlmbench.train.parts import Parts, lora_targets, partition, train_only, trainable
from vlmbench.train.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Trainable:
    """A model that is ready to be trained."""

    model: Any
    """Runs forward and generates, an adapter included."""
    adapter: Any | None
    """peft's wrapper around it, for saving; None without an adapter."""
    parts: Parts

    def trained(self) -> Iterator[tuple[str, PartName, torch.nn.Parameter]]:
        """Name, part and values of what is trained; a tied weight comes once."""
        for name, parameter in trainable(self.model).items():
            part = self.parts.part_of(name)
            assert part is not None and part != "other", name  # `train_only` takes no such
            yield name, part, parameter


def make_trainable(model: Any, family: ModelFamily, recipe: Recipe, location: str) -> Trainable:
    """Freezes all but what the recipe trains, or adds the adapter.

    Args:
        model: It is changed in place.
        location: Where the model came from, which the adapter will name as its base.

    Raises:
        ModelError: The family's parts are not known, or a part holds nothing to train.
        DependencyError: An adapter is wanted, and peft is not installed.
    """
    parts = partition(model, family)
    if recipe.method == "full":
        train_only(model, parts, recipe.trained_parts)
        return Trainable(model, None, parts)
    return Trainable(model, _add_lora(model, parts, recipe, location), parts)


def _add_lora(model: Any, parts: Parts, recipe: Recipe, location: str) -> Any:
    peft = import_peft("LoRA adapters need")
    chosen = recipe.lora
    config = peft.LoraConfig(
        r=chosen.r,
        lora_alpha=chosen.alpha,
        lora_dropout=chosen.dropout,
        target_modules=lora_targets(model, parts, chosen.parts, chosen.modules or "all-linear"),
    )
    model.name_or_path = location  # the adapter will name it as its base
    with without_peft_warnings():
        adapter: Any = peft.get_peft_model(model, config)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return adapter


@contextmanager
def without_peft_warnings() -> Iterator[None]:
    """Leaves out that peft asks transformers by a name that is getting old."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        yield
