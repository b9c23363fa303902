"""A recipe for training: YAML -> Recipe, a stage each.

Scalars are spelled as Hugging Face's TrainingArguments spell them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    Discriminator,
    Field,
    JsonValue,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Tag,
    model_validator,
)

from vlmbench.errors import ConfigError, UsageError
from vlmbench.models.families import PartName
from vlmbench.schema import Strict, parse, read_pair, read_yaml
from vlmbench.train.data.contamination import Guard
from vlmbench.train.parts import PART_NAMES
from vlmbench.train.scratch import ScratchSpec
from vlmbench.train.synthetic.spec import SyntheticSource

CALLED_HERE = {
    "model_name_or_path": "model",
    "base_model": "model",
    "checkpoint": "model",
    "dataset": "data",
    "datasets": "data",
    "dataset_dir": "data",
    "train_file": "data",
    "val_set_size": "validation.fraction",
    "split_dataset_ratio": "validation.fraction",
    "finetuning_type": "method",
    "train_type": "method",
    "adapter": "method",
    "use_peft": "method: lora",
    "load_in_4bit": "method: qlora",
    "quantization_bit": "method: qlora",
    "lora_r": "lora.r",
    "lora_rank": "lora.r",
    "rank": "lora.r",
    "lora_alpha": "lora.alpha",
    "lora_dropout": "lora.dropout",
    "lora_target": "lora.parts or lora.modules",
    "lora_target_modules": "lora.parts or lora.modules",
    "target_modules": "lora.parts or lora.modules",
    "lora_target_linear": "lora.parts",
    "freeze_vit": "train, the list of the parts that are trained",
    "freeze_llm": "train, the list of the parts that are trained",
    "freeze_aligner": "train, the list of the parts that are trained",
    "freeze_vision_tower": "train, the list of the parts that are trained",
    "freeze_multi_modal_projector": "train, the list of the parts that are trained",
    "freeze_language_model": "train, the list of the parts that are trained",
    "freeze_mm_modules": "train, the list of the parts that are trained",
    "finetune_vision_layers": "train, the list of the parts that are trained",
    "tune_mm_mlp_adapter": "train, the list of the parts that are trained",
    "vit_lr": "learning_rate: {vision: ...}",
    "aligner_lr": "learning_rate: {connector: ...}",
    "mm_projector_lr": "learning_rate: {connector: ...}",
    "vision_lr": "learning_rate: {vision: ...}",
    "lr": "learning_rate",
    "micro_batch_size": "per_device_train_batch_size",
    "batch_size": "per_device_train_batch_size",
    "num_epochs": "num_train_epochs",
    "epochs": "num_train_epochs",
    "lr_scheduler": "lr_scheduler_type",
    "optimizer": "optim",
    "ema_decay": "ema.decay",
    "cutoff_len": "max_length",
    "sequence_len": "max_length",
    "max_seq_length": "max_length",
    "model_max_length": "max_length",
    "eval_steps": "evaluate.every_steps",
    "metric_for_best_model": "evaluate.best",
    "load_best_model_at_end": "evaluate.best",
    "early_stopping_patience": "evaluate.patience",
    "output_dir": "--out of 'vlmbench train run'",
    "resume_from_checkpoint": "--resume of 'vlmbench train run'",
}
"""Keys of other trainers. An alias that means almost the same would be worse than an error."""

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

_EXPONENT = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")


Tracker: TypeAlias = Literal["trackio", "wandb", "tensorboard"]


class Assemble(Strict):
    """A start that is put together of an image encoder and a language model first."""

    parts: str | None = None
    """Both, by a name that `vlmbench train fetch-parts` knows."""
    vision: str | None = None
    """A checkpoint directory or Hub id; see `vlmbench train init`."""
    language: str | None = None
    connector: Literal["mlp", "qformer", "resampler", "cross-attention"] = "mlp"
    image_size: PositiveInt | None = None
    """Side of what the image encoder sees, in pixels; its own unless given."""
    image_tokens: PositiveInt | None = None
    """Tokens of an image in the prompt; the connector's usual number unless given."""

    @model_validator(mode="after")
    def _both_parts(self) -> Assemble:
        named = (self.vision is not None, self.language is not None)
        if named != ((self.parts is None,) * 2):
            raise ValueError("give either 'parts' or both 'vision' and 'language'")
        return self


class ModelChoice(Strict):
    """The model to start from, where its name does not say it all."""

    checkpoint: str | None = None
    """An alias, a checkpoint directory or hf:org/name, as for `vlmbench run --model`."""
    scratch: ScratchSpec | None = None
    """Instead of a checkpoint: random weights of these sizes, and a tokenizer that is trained on
    what the embedded tasks say."""
    assemble: Assemble | None = None
    max_pixels: PositiveInt | None = None
    """Larger images are shrunk, in training and by the checkpoint's own processor."""
    attention: str | None = None
    """How attention is computed, as `vlmbench run --attention` has it; on a CPU, `eager` is the
    faster one for Gemma 3, whose heads are 256 wide."""

    @model_validator(mode="after")
    def _one_start(self) -> ModelChoice:
        starts = (self.checkpoint, self.scratch, self.assemble)
        if sum(one is not None for one in starts) != 1:
            raise ValueError("give one of 'checkpoint', 'scratch' and 'assemble'")
        if self.scratch is not None and self.max_pixels is not None:
            raise ValueError("'max_pixels' of a model from nothing stands under 'scratch'")
        return self


def _model_form(value: Any) -> str:
    return "ModelChoice" if isinstance(value, Mapping | ModelChoice) else "str"


Model: TypeAlias = Annotated[
    Annotated[str, Tag("str")] | Annotated[ModelChoice, Tag("ModelChoice")],
    Discriminator(_model_form),
]
"""A name as for `vlmbench run --model`, or more than that."""


class LoraConfig(Strict):
    """A low-rank adapter (Hu et al. 2021, arXiv:2106.09685)."""

    r: PositiveInt = 8
    alpha: PositiveInt = 16
    """The adapter's effect is scaled by alpha / r."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    parts: tuple[PartName, ...] = Field(default=("language",), min_length=1)
    """Parts of the model whose linear layers get an adapter."""
    modules: tuple[str, ...] | None = None
    """Only layers whose last name is one of these, such as q_proj; None for all in the parts."""


class Contrastive(Strict):
    """How a stage with `objective: contrastive` compares images and texts."""

    loss: Literal["softmax", "sigmoid"] = "softmax"
    """CLIP's, or SigLIP's."""
    regions: bool = False
    """Compare the named regions of each image with their names, not the image with an answer."""
    largest_scale: PositiveFloat = 100.0
    """What similarities are multiplied by at most; the smaller, the nearer to the words themselves
    image tokens have to come."""
    pictures: PositiveInt = 2000
    """Pairs that it takes from the data at most, all of which are in memory as features."""


class DataSource(Strict):
    """Rows to learn from."""

    path: str
    """A file, a folder, a glob, a Hub name or task:NAME; see docs/data.md. Relative to the recipe's
    folder if it is there."""
    format: str = "auto"
    name: str | None = None
    """What messages and losses call it; path, config and split unless given."""
    split: str | None = None
    config: str | None = None
    weight: PositiveFloat = 1.0
    """How often each of its rows is seen in an epoch."""
    limit: PositiveInt | None = None
    """Only so many rows, drawn evenly with the seed."""
    prompt: str = ""
    """What the user says in layouts that have captions and no question."""
    image_dir: str | None = None
    """Where image files are that rows name; beside the data unless given. Relative to the recipe's
    folder."""
    streaming: bool = False
    """Read a Hub data set's Parquet files over the network and keep no copy."""


def _form(entry: Any) -> str:
    """Which of the two kinds of source an entry of `data` is, by the name of its class."""
    is_drawn = isinstance(entry, SyntheticSource) or (
        isinstance(entry, Mapping) and "synthetic" in entry
    )
    return "SyntheticSource" if is_drawn else "DataSource"


AnySource: TypeAlias = Annotated[
    Annotated[DataSource, Tag("DataSource")] | Annotated[SyntheticSource, Tag("SyntheticSource")],
    Discriminator(_form),
]
"""Rows to learn from, or pictures that are drawn for it."""


class OptimizerArguments(Strict):
    """What an optimizer takes beside the values that all have."""

    adamw_learning_rate: PositiveFloat | None = None
    """For what Muon leaves to AdamW: all that is no inner matrix; `learning_rate` if not given."""


class Validation(Strict):
    """Rows that are kept from training; the best checkpoint is chosen by them."""

    fraction: float | None = Field(default=None, gt=0, lt=1)
    rows: PositiveInt | None = None
    """Of generated pictures, so many of each source, with all their questions."""
    by: Literal["picture", "row"] = "picture"
    """`picture`: all rows that show the same picture stay together."""

    @model_validator(mode="after")
    def _one(self) -> Validation:
        if (self.fraction is None) == (self.rows is None):
            raise ValueError("give either 'fraction' or 'rows'")
        return self


class Evaluate(Strict):
    """Generated answers of the model while it trains."""

    every_steps: PositiveInt
    tasks: dict[str, PositiveInt] = Field(default_factory=dict)
    """Samples of each task that are answered; for curves, never for choosing a checkpoint."""
    best: str | None = Field(default=None, pattern=r"^validation\.(loss|[a-z_]+\.[a-z_0-9]+)$")
    """`validation.` and a metric, or `validation.loss`: the checkpoint with the best value is kept.
    None keeps the last."""
    keep: PositiveInt = 1
    """So many of the best checkpoints are kept, the others than the best as `best-step-N`."""
    patience: PositiveInt | None = None
    """Stop after so many checks without a better value of `best`."""

    @model_validator(mode="after")
    def _best_of_something(self) -> Evaluate:
        if self.patience is not None and self.best is None:
            raise ValueError("'patience' needs 'best', the value that has to get better")
        if self.keep > 1 and self.best is None:
            raise ValueError("'keep' needs 'best', the value that says which are the best")
        return self


class Ema(Strict):
    """An exponential moving average of the trained weights."""

    decay: float = Field(default=0.999, gt=0, lt=1)
    """How much of the average an update keeps."""


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
    report_to: Tracker | Literal["none"] | tuple[Tracker, ...] = "none"
    """Libraries that losses and checks are passed on to."""
    seed: int = 0

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        if (self.max_steps is None) == (self.num_train_epochs is None):
            raise ValueError("give either 'max_steps' or 'num_train_epochs'")
        if not self.trained_parts:
            raise ValueError("'train' names no part, so nothing would be trained")
        if twice := set(self.full_parts) & set(self.adapted_parts):
            raise ValueError(
                f"the part '{min(twice)}' is in 'train' and in 'lora.parts'; an adapter adds "
                "nothing to a part that is trained in full, so leave it out of one of them"
            )
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
        if isinstance(self.learning_rate, dict):
            missing = [part for part in self.trained_parts if part not in self.learning_rate]
            if missing:
                raise ValueError(f"'learning_rate' has no value for the part '{missing[0]}'")
            if self.optim == "muon":
                raise ValueError("'optim: muon' takes one learning rate for all parts")
        if self.bf16 and self.fp16:
            raise ValueError("give either 'bf16' or 'fp16'")
        for key in ("adam_beta1", "adam_beta2", "adam_epsilon"):
            # A checkpoint writes the defaults down, too, and its recipe can be trained again.
            changed = getattr(self, key) != type(self).model_fields[key].default
            if self.optim == "muon" and changed:
                raise ValueError(f"'{key}' needs 'optim: adamw'; Muon's are fixed")
        if self.optim != "muon" and self.optim_args.adamw_learning_rate is not None:
            raise ValueError("'optim_args.adamw_learning_rate' needs 'optim: muon'")
        is_fraction = self.validation is not None and self.validation.fraction is not None
        if is_fraction and self.synthetic_sources:
            raise ValueError("'validation' of generated pictures, which have no end, needs 'rows'")
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
        if isinstance(self.model, str):
            return {}
        options = {"max_pixels": self.model.max_pixels, "attention": self.model.attention}
        return {name: value for name, value in options.items() if value is not None}

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


def replace_value(data: Any, override: str) -> None:
    """Puts the value of one `key=value` into its place; stages are counted from 0.

    Raises:
        UsageError: It is no pair, goes through a value without keys, or each stage has a value of
            its own there.
    """
    key, value = read_pair(override, "--set", example="max_steps=10")
    *parents, last = key.split(".")
    stages = data.get("stages") if isinstance(data, dict) else None
    own = [at for at, one in enumerate(stages or ()) if isinstance(one, dict) and key in one]
    if own:
        raise UsageError(
            f"'--set {override}' would change nothing where a stage says otherwise; write --set "
            f"stages.{own[0]}.{override} for the first of these."
        )
    place = data
    for parent in parents:
        if isinstance(place, list) and parent.isdecimal() and int(parent) < len(place):
            place = place[int(parent)]
        else:
            place = place.setdefault(parent, {}) if isinstance(place, dict) else None
    if not isinstance(place, dict):
        raise UsageError(f"'--set {override}' goes through a value that has no keys; check it.")
    place[last] = value


def read_recipe(path: Path, overrides: list[str] | None = None) -> Any:
    """The recipe as plain values.

    Args:
        overrides: `key=value` pairs that replace top-level or dotted keys; values are YAML.

    Raises:
        ConfigError: The file is not YAML.
        UsageError: An override is no pair, or its value has no place.
    """
    values = read_yaml(path)
    for override in overrides or []:
        replace_value(values, override)
    return values


def parse_recipe(values: Any, path: Path) -> StagedRecipe:
    """The stages that the plain values of a recipe describe.

    Raises:
        ConfigError: A key is unknown or belongs to another trainer, or a value is wrong.
    """
    values = _with_numbers(values)
    if not isinstance(values, dict):
        raise ConfigError(
            f"{path} is wrong: a recipe is made of keys and values; see docs/training.md."
        )
    _refuse_foreign(values, path)
    top = {key: value for key, value in values.items() if key != "stages"}
    listed = values.get("stages")
    if listed is None:
        recipe = parse(Recipe, top, location=str(path))
        _check_start(recipe, path)
        return StagedRecipe((recipe,), path.parent)
    stages = parse(_Stages, {"stages": listed}, location=str(path)).stages
    recipes = []
    for number, stage in enumerate(stages, 1):
        _refuse_foreign(stage, path)
        location = f"stage {number} of {path}"
        recipes.append(parse(Recipe, {**top, **stage, "name": top.get("name")}, location=location))
        if number > 1:
            _check_next(recipes[-2], recipes[-1], location)
    _check_start(recipes[0], path)
    return StagedRecipe(tuple(recipes), path.parent)


def _check_next(earlier: Recipe, stage: Recipe, location: str) -> None:
    """See that a stage can start from the adapter of an earlier one, if that leaves one."""
    if not earlier.adapted_parts:
        return
    if not stage.adapted_parts:
        raise ConfigError(
            f"'method: full' of {location} cannot start from the adapter of the stage before; "
            "train that in full, or make two recipes with 'vlmbench train export' between them."
        )
    before, now = (one.lora.model_dump(exclude={"dropout"}) for one in (earlier, stage))
    for key in before:
        if before[key] != now[key]:
            raise ConfigError(
                f"'lora.{key}' of {location} is not that of the stage before, whose adapter it "
                "goes on with; give the same."
            )


def _check_start(recipe: Recipe, path: Path) -> None:
    if recipe.scratch is not None and (recipe.method, recipe.trained_parts) != ("full", PART_NAMES):
        raise ConfigError(
            f"The model of {path} starts from nothing, so all of it must be trained; write "
            "'method: full' and leave out 'train'."
        )


class _Stages(Strict):
    stages: tuple[dict[str, JsonValue], ...] = Field(min_length=1)


def _with_numbers(value: Any) -> Any:
    """YAML reads 1e-4 as a text, because it has no dot; here it is the number."""
    if isinstance(value, dict):
        return {key: _with_numbers(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_with_numbers(one) for one in value]
    is_number = isinstance(value, str) and _EXPONENT.fullmatch(value)
    return float(value) if is_number else value


def _refuse_foreign(values: Mapping[str, Any], path: Path) -> None:
    for key in values:
        if key in CALLED_HERE:
            raise ConfigError(
                f"The key '{key}' in {path} is another trainer's; that is called "
                f"{CALLED_HERE[key]} here."
            )
