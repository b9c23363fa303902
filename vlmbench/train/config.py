"""A training recipe: YAML -> TrainConfig. Every field that a recipe may set is here."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from vlmbench.errors import unknown_name
from vlmbench.schema import Strict, parse, read_yaml
from vlmbench.train.recipe import replace_value
from vlmbench.train.scratch import ScratchSpec
from vlmbench.train.synthetic.split import FAMILIES, FamilyName


class ModelSource(Strict):
    """Where training starts: exactly one of the two."""

    scratch: ScratchSpec | None = None
    """Random weights of these sizes, with a tokenizer trained on the training texts."""
    checkpoint: str | None = None
    """A checkpoint directory, an alias or a Hub id, as for `vlmbench run --model`."""

    @model_validator(mode="after")
    def _one(self) -> ModelSource:
        if (self.scratch is None) == (self.checkpoint is None):
            raise ValueError("give either 'scratch' or 'checkpoint'")
        return self


class Stage(Strict):
    """A part of training with one mixture of data."""

    share: float = Field(gt=0, le=1)
    """Part of all steps."""
    mixture: dict[FamilyName, NonNegativeFloat] = Field(min_length=1)
    """How often each family of pictures is drawn, relative to the others."""
    learning_rate: PositiveFloat = 1.0
    """Factor on the learning rates of the recipe, beside their decay over all steps."""
    groups_per_batch: PositiveInt | None = None
    """Instead of the recipe's: small pictures pay for more of them."""
    kinds: dict[str, NonNegativeFloat] = Field(default_factory=dict)
    """How often a kind of question is drawn within its family; 1 if not named."""

    @model_validator(mode="after")
    def _drawable(self) -> Stage:
        drawn = {family for family, weight in self.mixture.items() if weight > 0}
        if not drawn:
            raise ValueError("the mixture needs a family whose weight is above 0")
        known = {kind for family in self.mixture for kind in FAMILIES[family][1]}
        for kind in self.kinds:
            if kind not in known:
                next_step = f"the kinds of this mixture are {', '.join(sorted(known))}"
                raise ValueError(unknown_name("kind", kind, known, next_step=next_step))
        for family in sorted(drawn):
            if not any(self.kinds.get(kind, 1) for kind in FAMILIES[family][1]):
                raise ValueError(f"every kind of the family '{family}' has the weight 0")
        return self


class DataConfig(Strict):
    """What is learned from: the training split of the embedded suite's basic level."""

    stages: tuple[Stage, ...] = Field(min_length=1)
    groups_per_batch: PositiveInt = 24
    """Pictures (or pairs) in a micro-batch; all of one family, so that shapes agree."""
    questions_per_group: PositiveInt = 5
    """Questions that share the cost of looking at one picture."""

    @model_validator(mode="after")
    def _whole(self) -> DataConfig:
        if abs(sum(stage.share for stage in self.stages) - 1) > 1e-6:
            raise ValueError("the shares of the stages must add up to 1")
        return self


class OptimizerConfig(Strict):
    """Muon for the weight matrices, AdamW for everything else; linear warm-up and decay."""

    muon_learning_rate: PositiveFloat = 0.005
    adamw_learning_rate: PositiveFloat = 0.001
    weight_decay: NonNegativeFloat = 0.0
    warmup_steps: int = Field(default=20, ge=0)
    clip_norm: PositiveFloat = 1.0


class TrainConfig(Strict):
    """A recipe."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=80)
    """Name of the checkpoint, also on the leaderboard."""
    description: str = ""
    seed: int = 0
    model: ModelSource
    data: DataConfig
    optimizer: OptimizerConfig = Field(default_factory=OptimizerConfig)
    steps: PositiveInt
    """Updates of the weights."""
    micro_batches: PositiveInt = 2
    """Micro-batches that one update averages over."""
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    """Of the arithmetic; the weights themselves are float32."""
    weights_dtype: Literal["float32", "bfloat16"] = "bfloat16"
    """Of the saved weights."""
    check_groups: int = Field(default=48, ge=0)
    """Groups of each family, never trained on, whose answers are checked at every checkpoint."""
    save_every: PositiveInt = 500
    """Steps between checkpoints that training can resume from."""
    keep_checkpoints: PositiveInt = 2
    threads: PositiveInt | None = None
    """CPU threads for the model; all cores if not set."""


def load_config(path: Path, overrides: list[str] | None = None) -> TrainConfig:
    """The recipe in a YAML file.

    Args:
        overrides: `key=value` pairs that replace top-level or dotted keys; values are YAML.

    Raises:
        ConfigError: The file or an override does not follow the schema.
    """
    data = read_yaml(path)
    for override in overrides or []:
        replace_value(data, override)
    return parse(TrainConfig, data, location=str(path))
