"""A recipe for training, a stage each.

Scalars are spelled as Hugging Face's TrainingArguments spell them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import (
    Field,
    JsonValue,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from vlmbench.models.families import PartName
from vlmbench.schema import Strict
from vlmbench.train.data.contamination import Guard
from vlmbench.train.parts import PART_NAMES
from vlmbench.train.recipe_sections import (
    AnySource,
    Assemble,
    Contrastive,
    DataSource,
    Ema,
    Evaluate,
    LoraConfig,
    Model,
    OptimizerArguments,
    Validation,
)
from vlmbench.train.scratch import ScratchSpec
from vlmbench.train.synthetic.spec import SyntheticSource

Schedule: TypeAlias = Literal[
    "linear",
    "cosine",
    "constant",
    "constant_with_warmup",
    "cosine_with_min_lr",
    "warmup_stable_decay",
    "polynomial",
]
"""Schedules of transformers."""

Tracker: TypeAlias = Literal["trackio", "wandb", "tensorboard"]


class Recipe(Strict):
    """A training, or one stage of it."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=80)
    """Name of the checkpoint, also on the leaderboard."""
    description: str = ""
    model: Model
    objective: Literal["answers", "contrastive"] = "answers"
    """What is learned: answers, or which text belongs to which image."""
    contrastive: Contrastive = Field(default_factory=Contrastive)
    method: Literal["full", "lora", "qlora"] = "lora"
    """`qlora`: an adapter on a base whose language model is in 4 bit."""
    lora: LoraConfig = Field(default_factory=LoraConfig)
    train: tuple[PartName, ...] | None = None
    """Parts that are trained in full: by default all for method `full`, and none beside an adapter.
    The others stay as they are."""
    data: tuple[AnySource, ...] = Field(min_length=1)
    validation: Validation | None = None
    guard: Guard = Field(default_factory=Guard)
    evaluate: Evaluate | None = None
    learning_rate: PositiveFloat | dict[PartName, PositiveFloat] = 1e-4
    max_steps: PositiveInt | None = None
    num_train_epochs: PositiveFloat | None = None
    per_device_train_batch_size: PositiveInt = 8
    gradient_accumulation_steps: PositiveInt = 1
    warmup_ratio: float = Field(default=0.03, ge=0, le=1)
    warmup_steps: NonNegativeInt | None = None
    """Instead of `warmup_ratio`."""
    lr_scheduler_type: Schedule = "linear"
    lr_scheduler_kwargs: dict[str, JsonValue] = Field(default_factory=dict)
    """What transformers' schedule of that name takes, such as `min_lr_rate`."""
    weight_decay: NonNegativeFloat = 0.0
    max_grad_norm: PositiveFloat = 1.0
    optim: Literal["adamw", "muon"] = "adamw"
    """`muon` takes `learning_rate` for the matrices inside the layers; see `optim_args`."""
    optim_args: OptimizerArguments = Field(default_factory=OptimizerArguments)
    adam_beta1: float = Field(default=0.9, ge=0, lt=1)
    adam_beta2: float = Field(default=0.999, ge=0, lt=1)
    adam_epsilon: PositiveFloat = 1e-8
    ema: Ema | None = None
    """Evaluate and save the average instead of the last weights."""
    bf16: bool = False
    """Arithmetic in bfloat16; weights that are trained stay float32."""
    fp16: bool = False
    """Arithmetic in float16 with a scaled loss, on a GPU; weights that are trained stay float32."""
    gradient_checkpointing: bool = False
    packing: bool = False
    """Rows that show the same pictures are learned in one, which looks at these once;
    `per_device_train_batch_size` counts them together then."""
    max_length: PositiveInt | None = None
    """Longer rows are left out and counted, never cut; None for what the model has room for."""
    save_steps: PositiveInt = 500
    save_total_limit: PositiveInt = 2
    save_dtype: Literal["float32", "bfloat16"] = "float32"
    """Of the weights in the checkpoint; what a resumed training goes on from is exact all the
    same."""
    report_to: Tracker | Literal["none"] | tuple[Tracker, ...] = "none"
    """Libraries that losses and checks are passed on to."""
    seed: int = 0

    @model_validator(mode="after")
    def _has_an_end(self) -> Recipe:
        if (self.max_steps is None) == (self.num_train_epochs is None):
            raise ValueError("give either 'max_steps' or 'num_train_epochs'")
        return self

    @model_validator(mode="after")
    def _trains_each_part_once(self) -> Recipe:
        if not self.trained_parts:
            raise ValueError("'train' names no part, so nothing would be trained")
        if twice := set(self.full_parts) & set(self.adapted_parts):
            raise ValueError(
                f"the part '{min(twice)}' is in 'train' and in 'lora.parts'; an adapter adds "
                "nothing to a part that is trained in full, so leave it out of one of them"
            )
        return self

    @model_validator(mode="after")
    def _suits_its_objective(self) -> Recipe:
        best = self.evaluate.best if self.evaluate else None
        parts = self.trained_parts
        if self.objective == "contrastive" and (
            self.method != "full" or "connector" not in parts or "language" in parts
        ):
            raise ValueError(
                "'objective: contrastive' needs 'method: full' and 'train: [connector]' or "
                "'train: [vision, connector]'"
            )
        if self.objective == "contrastive" and best is not None:
            raise ValueError("'evaluate.best' chooses by answers, so not in a contrastive stage")
        if best is not None and self.validation is None:
            raise ValueError(f"'evaluate.best: {best}' needs 'validation', the rows it is of")
        is_fraction = self.validation is not None and self.validation.fraction is not None
        if is_fraction and self.synthetic_sources:
            raise ValueError("'validation' of generated pictures, which have no end, needs 'rows'")
        return self

    @model_validator(mode="after")
    def _suits_its_optimizer(self) -> Recipe:
        if isinstance(self.learning_rate, dict):
            missing = [part for part in self.trained_parts if part not in self.learning_rate]
            if missing:
                raise ValueError(f"'learning_rate' has no value for the part '{missing[0]}'")
            if self.optim == "muon":
                raise ValueError("'optim: muon' takes one learning rate for all parts")
        for key in ("adam_beta1", "adam_beta2", "adam_epsilon"):
            # A checkpoint writes the defaults down, too, and its recipe can be trained again.
            changed = getattr(self, key) != type(self).model_fields[key].default
            if self.optim == "muon" and changed:
                raise ValueError(f"'{key}' needs 'optim: adamw'; Muon's are fixed")
        if self.optim != "muon" and self.optim_args.adamw_learning_rate is not None:
            raise ValueError("'optim_args.adamw_learning_rate' needs 'optim: muon'")
        return self

    @model_validator(mode="after")
    def _has_one_precision(self) -> Recipe:
        if self.save_dtype != "float32" and self.method != "full":
            raise ValueError(
                f"'save_dtype: {self.save_dtype}' needs 'method: full'; an adapter is small and "
                "stays float32"
            )
        if self.bf16 and self.fp16:
            raise ValueError("give either 'bf16' or 'fp16'")
        return self

    @property
    def row_sources(self) -> tuple[DataSource, ...]:
        """The sources that are rows."""
        return tuple(source for source in self.data if isinstance(source, DataSource))

    @property
    def synthetic_sources(self) -> tuple[SyntheticSource, ...]:
        """The sources that are drawn."""
        return tuple(source for source in self.data if isinstance(source, SyntheticSource))

    @property
    def scratch(self) -> ScratchSpec | None:
        """Sizes of the model, if training starts from nothing."""
        return None if isinstance(self.model, str) else self.model.scratch

    @property
    def trained_parts(self) -> tuple[PartName, ...]:
        """Parts of which something is trained, in their order."""
        chosen = {*self.full_parts, *self.adapted_parts}
        return tuple(part for part in PART_NAMES if part in chosen)

    @property
    def trackers(self) -> tuple[Tracker, ...]:
        """What `report_to` names."""
        if isinstance(self.report_to, tuple):
            return self.report_to
        return () if self.report_to == "none" else (self.report_to,)

    @property
    def full_parts(self) -> tuple[PartName, ...]:
        """Parts whose own weights are trained, alone or beside an adapter."""
        if self.train is None:
            return PART_NAMES if self.method == "full" else ()
        return tuple(part for part in PART_NAMES if part in self.train)

    @property
    def adapted_parts(self) -> tuple[PartName, ...]:
        """Parts that get an adapter."""
        return () if self.method == "full" else self.lora.parts

    def starting_from(self, checkpoint: str) -> Recipe:
        """The same training from another model, as a later stage starts from an earlier one."""
        choice = self.model
        if not isinstance(choice, str):
            return self.model_copy(
                update={
                    "model": choice.model_copy(
                        update={"checkpoint": checkpoint, "scratch": None, "assemble": None}
                    )
                }
            )
        return self.model_copy(update={"model": checkpoint})

    @property
    def checkpoint(self) -> str | None:
        """The model to start from, as `--model` names it; None to start otherwise."""
        return self.model if isinstance(self.model, str) else self.model.checkpoint

    @property
    def assembly(self) -> Assemble | None:
        """How the start is put together, if it is."""
        return None if isinstance(self.model, str) else self.model.assemble

    @property
    def model_options(self) -> dict[str, Any]:
        """Options of `resolve_model`."""
        pixels = None if isinstance(self.model, str) else self.model.max_pixels
        return {} if pixels is None else {"max_pixels": pixels}

    @property
    def examples_per_step(self) -> int:
        """Rows that one update of the weights learns from."""
        return self.per_device_train_batch_size * self.gradient_accumulation_steps

    def rate(self, part: PartName) -> float:
        """The highest learning rate of a part."""
        rates = self.learning_rate
        return rates[part] if isinstance(rates, dict) else rates


@dataclass(frozen=True, slots=True)
class StagedRecipe:
    """The stages of a recipe, in order; a flat recipe is one."""

    stages: tuple[Recipe, ...]
    folder: Path
    """Where the recipe lies; paths of data may be relative to it."""

    @property
    def name(self) -> str:
        """Name of the checkpoint."""
        return self.stages[-1].name
