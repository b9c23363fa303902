"""The keys of a recipe that hold keys of their own: model, data, lora, validation, evaluate ..."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    Discriminator,
    Field,
    PositiveFloat,
    PositiveInt,
    Tag,
    model_validator,
)

from vlmbench.models.families import PartName
from vlmbench.schema import Strict
from vlmbench.train.scratch import ScratchSpec
from vlmbench.train.synthetic.spec import SyntheticSource


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

    r: int = Field(default=8, ge=1, le=8192)
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
    revision: str | None = None
    """Commit, tag or branch of a data set of the Hub; the newest commit unless given."""
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
    """Samples of each task that are drawn, as by `--limit`, and answered; for curves, never for
    choosing a checkpoint."""
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
