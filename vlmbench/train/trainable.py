"""What of a model is trained: its parts, an adapter's layers, and whether a step kept to that."""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from vlmbench.errors import DependencyError, ModelError
from vlmbench.train.recipe import PARTS, PartName, Recipe


@dataclass(frozen=True, slots=True)
class Trainable:
    """A model that is ready to be trained."""

    model: Any
    """Runs forward and generates, an adapter included."""
    adapter: Any | None
    """peft's wrapper around it, for saving; None without an adapter."""
    parts: Mapping[str, PartName]
    """The part of each parameter, by name."""

    def trained(self) -> Iterator[tuple[str, torch.nn.Parameter]]:
        """What is trained, by name; a tied weight comes once."""
        return ((name, p) for name, p in self.model.named_parameters() if p.requires_grad)

    def counts(self) -> dict[PartName, tuple[int, int]]:
        """Numbers in each part, and how many of them are trained."""
        found = dict.fromkeys(PARTS, (0, 0))
        for name, parameter in self.model.named_parameters():
            whole, trained = found[self.parts[name]]
            size = parameter.numel()
            found[self.parts[name]] = (whole + size, trained + size * parameter.requires_grad)
        return found


def part_of(name: str) -> PartName:
    """The part of a Qwen2-VL that a parameter's name belongs to."""
    if ".merger." in name:
        return "connector"
    return "vision" if "visual." in name else "language"


def make_trainable(model: Any, recipe: Recipe, location: str) -> Trainable:
    """Freezes all but what the recipe trains, or adds the adapter.

    Args:
        model: In evaluation mode or not; it is changed in place.
        location: Where the model came from, which the adapter will name as its base.

    Raises:
        ModelError: The family's parts are not known, or a part holds nothing to train.
    """
    _check_family(model)
    adapter = None
    if recipe.method == "lora":
        adapter = _add_lora(model, recipe, location)
    else:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(part_of(name) in recipe.train)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    parts = {name: part_of(name) for name, _ in model.named_parameters()}
    found = Trainable(model, adapter, parts)
    for part in recipe.trained_parts:
        if not found.counts()[part][1]:
            raise ModelError(f"The model has nothing to train in its part '{part}'.")
    return found


def _check_family(model: Any) -> None:
    family = model.config.model_type
    if family != "qwen2_vl":
        raise ModelError(
            f"Where a {family} keeps its vision encoder, connector and language model is not known "
            "to the trainer; choose a Qwen2-VL."
        )


def _add_lora(model: Any, recipe: Recipe, location: str) -> Any:
    if importlib.util.find_spec("peft") is None:
        raise DependencyError(
            "'method: lora' needs peft; install it with pip install 'vlmbench-ja[adapters]'."
        )
    # It would tell which of its kernels this machine lacks, needed or not.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    import peft

    chosen = recipe.lora
    targets = lora_targets(model, recipe)
    if not targets:
        raise ModelError(
            f"No linear layer of the parts {', '.join(chosen.parts)} has a name in 'lora.modules'."
        )
    config = peft.LoraConfig(
        r=chosen.r,
        lora_alpha=chosen.alpha,
        lora_dropout=chosen.dropout,
        target_modules=targets,
    )
    model.name_or_path = location  # the adapter will name it as its base
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers by an old name
        return peft.get_peft_model(model, config)


def lora_targets(model: Any, recipe: Recipe) -> list[str]:
    """Full names of the linear layers that get an adapter; never the output layer.

    A list of last names alone would reach the vision encoder of most families too.
    """
    head = model.get_output_embeddings()
    wanted = recipe.lora.modules
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear)
        and module is not head
        and part_of(f"{name}.weight") in recipe.lora.parts
        and (wanted is None or name.rpartition(".")[2] in wanted)
    ]


class StepCheck:
    """Sees whether the first updates changed what is trained, and nothing else.

    Bytes are compared by a sum over their bits, which costs one pass and no memory.
    """

    def __init__(self, trainable: Trainable) -> None:
        self._trainable = trainable
        self._before = _bit_sums(trainable.model)
        self._moved: set[str] = set()

    def gradients(self) -> None:
        """To be called after the first backward pass; leaves alone what the loss cannot reach.

        Raises:
            ModelError: A part that is trained got no gradient.
        """
        reached: set[str] = set()
        trained: set[str] = set()
        for name, parameter in self._trainable.trained():
            part = self._trainable.parts[name]
            trained.add(part)
            if parameter.grad is None:
                parameter.requires_grad_(False)
            elif bool(parameter.grad.any()):
                reached.add(part)
        if missing := sorted(trained - reached):
            raise ModelError(
                f"The part '{missing[0]}' is to be trained and gets no gradient; take it out of "
                "'train' or 'lora.parts', or give rows with images."
            )

    def step(self, *, last: bool) -> None:
        """To be called after each of the first updates.

        Args:
            last: By now everything must have moved. The first half of a new adapter waits for its
                second half, which is zero at first.

        Raises:
            ModelError: A frozen tensor changed, or a trained one did not.
        """
        now = _bit_sums(self._trainable.model)
        trained = {name for name, _ in self._trainable.trained()}
        self._moved |= {name for name in now if now[name] != self._before[name]}
        if wrong := sorted(self._moved - trained):
            raise ModelError(f"The update changed {wrong[0]}, which is not trained.")
        if last and (still := sorted(trained - self._moved)):
            raise ModelError(
                f"The updates left {still[0]} as it was, which is trained; raise 'learning_rate'."
            )


def _bit_sums(model: torch.nn.Module) -> dict[str, int]:
    integers = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    return {
        name: int(p.detach().contiguous().view(integers[p.element_size()]).sum(dtype=torch.int64))
        for name, p in model.named_parameters()
    }
