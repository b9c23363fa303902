"""A model made ready for training: its parts frozen or trained, or an adapter added.

Parts that are trained in full beside an adapter are trained in place and saved in the adapter's
file under their own names. So an output head that is tied, a bare parameter (BLIP-2's queries) and
a module that is never called (a list of mergers) are kept as any other weight is, which peft's
`modules_to_save` could not do; peft and transformers both put them where they belong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from vlmbench.models.families import ModelFamily, PartName
from vlmbench.train.adapter import ADAPTER_WEIGHTS, add_lora, add_tensors, go_on_from
from vlmbench.train.parts import Parts, partition, train_beside, train_only, trainable
from vlmbench.train.recipe import Recipe
from vlmbench.train.sharding import state_to_save


@dataclass(frozen=True, slots=True)
class Trainable:
    """A model that is ready to be trained."""

    model: Any
    """Runs forward and generates, an adapter included."""
    adapter: Any | None
    """peft's wrapper around it, for saving; None without an adapter."""
    parts: Parts
    full_parts: tuple[PartName, ...]
    """Parts whose own weights are trained."""
    dtype: torch.dtype
    """In which a loader will have the model's own weights; trained ones are float32."""
    saved_dtype: torch.dtype | None = None
    """In which all weights are saved; None for as they are."""
    carried: Mapping[str, torch.Tensor] = field(default_factory=dict)
    """Weights that an earlier training, which this one goes on from, left beside its adapter."""

    def trained(self) -> Iterator[tuple[str, PartName, torch.nn.Parameter]]:
        """Name, part and values of what is trained; a tied weight comes once."""
        for name, parameter in trainable(self.model).items():
            part = self.parts.part_of(name)
            assert part is not None and part != "other", name  # `train_only` takes no such
            yield name, part, parameter

    @contextmanager
    def as_loaded(self) -> Iterator[None]:
        """Weights as whoever loads the checkpoint has them, for as long as answers are generated.

        Under an adapter the base may be in half precision; then what is trained is rounded to
        that, as transformers does, and exact again afterwards. So is what is saved in less.
        """
        with self._in(self.saved_dtype, self.dtype):
            yield

    def save(self, folder: Path) -> None:
        """Writes the model, or the adapter with what is trained in full beside it."""
        if self.adapter is None:
            declared = self.model.config.dtype
            with self._in(self.saved_dtype):
                # It declares the weights' type in the configuration, which is the live model's too.
                self.model.save_pretrained(folder, state_dict=state_to_save(self.model))
            self.model.config.dtype = declared
            return
        # peft would look for the base's configuration, to see whether its vocabulary grew.
        state = state_to_save(self.adapter)
        self.adapter.save_pretrained(folder, save_embedding_layers=False, state_dict=state)
        if self.beside:
            add_tensors(folder / ADAPTER_WEIGHTS, self.beside)

    @contextmanager
    def _in(self, *dtypes: torch.dtype | None) -> Iterator[None]:
        """Rounds weights to one type after the other for a while; None leaves them.

        All are where all are saved in another type, otherwise those that are trained.
        """
        chosen = [parameter for *_, parameter in self.trained()]
        if self.saved_dtype is not None:
            chosen = [one for one in self.model.parameters() if one.is_floating_point()]
        exact = {parameter: parameter.data for parameter in chosen}
        for parameter, values in exact.items():
            for dtype in filter(None, dtypes):
                values = values.to(dtype)
            parameter.data = values
        try:
            yield
        finally:
            for parameter, values in exact.items():
                parameter.data = values

    @property
    def beside(self) -> dict[str, torch.Tensor]:
        """The model's own weights that the adapter's file holds too, by name."""
        if self.adapter is None:
            return {}
        now = {
            name: parameter.detach()
            for name, part, parameter in self.trained()
            if part in self.full_parts
        }
        return {**self.carried, **now}


def make_trainable(
    model: Any,
    family: ModelFamily,
    recipe: Recipe,
    location: str,
    *,
    revision: str | None = None,
    start: str | None = None,
) -> Trainable:
    """Freezes all but what the recipe trains, or adds the adapter.

    Args:
        model: It is changed in place.
        location: Where the model came from, which the adapter will name as its base.
        revision: That of the Hub which the model has.
        start: Directory of the adapter on this model that the training goes on with.

    Raises:
        ModelError: The family's parts are not known, a part holds nothing to train, or the adapter
            to start from has another form.
        DependencyError: An adapter is wanted, and peft is not installed.
    """
    parts, dtype = partition(model, family), model.dtype
    if recipe.method == "full":
        train_only(model, parts, recipe.full_parts)
        saved = torch.bfloat16 if recipe.save_dtype == "bfloat16" else None
        return Trainable(model, None, parts, recipe.full_parts, dtype, saved)
    adapter = add_lora(model, parts, recipe, location, revision)
    if recipe.full_parts:
        train_beside(model, parts, recipe.full_parts)
    carried = {} if start is None else go_on_from(adapter, Path(start))
    return Trainable(model, adapter, parts, recipe.full_parts, dtype, carried=carried)
