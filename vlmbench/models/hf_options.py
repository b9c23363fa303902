"""How a checkpoint is loaded and asked, beyond which one it is: the options of `vlmbench run`.

They are checked before anything is loaded. Those that change answers are part of a model's
fingerprint; which of them a family of models takes is known only when it is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, JsonValue, field_validator, model_validator

from vlmbench.errors import UsageError, unknown_name
from vlmbench.models.checkpoints import directory_digest
from vlmbench.models.hub_kernels import OPTION
from vlmbench.records import Generation
from vlmbench.schema import Strict, parse

ADAPTER_FILE = "adapter_config.json"


class GenerationOptions(Strict):
    """What --generation may set; the meaning is that of transformers' GenerationConfig."""

    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=0)
    min_p: float | None = Field(default=None, ge=0, le=1)
    typical_p: float | None = Field(default=None, gt=0, le=1)
    repetition_penalty: float | None = Field(default=None, gt=0)
    no_repeat_ngram_size: int | None = Field(default=None, ge=0)
    min_new_tokens: int | None = Field(default=None, ge=0)
    num_beams: int | None = Field(default=None, ge=1)
    length_penalty: float | None = None
    early_stopping: bool | None = None

    @model_validator(mode="after")
    def _beams_for_what_needs_them(self) -> GenerationOptions:
        for name in ("length_penalty", "early_stopping"):
            if getattr(self, name) is not None and (self.num_beams or 1) == 1:
                raise ValueError(f"'{name}' means nothing without 'num_beams' above 1")
        return self


OF_THE_TASK = ("max_new_tokens", "temperature", "seed", "stop", "do_sample", "max_length")
"""What the task's YAML decides; two models with other lengths could not be compared."""

OF_SAMPLING = ("top_p", "top_k", "min_p", "typical_p")
"""Without effect on greedy answers."""


class HFOptions(Strict):
    """Options of the runners `hf` and `remote_code`."""

    attention: str | dict[str, str] | None = None
    """sdpa, eager, flash_attention_2 ...; of transformers."""
    quantization: Literal["4bit", "8bit"] | None = None
    """By bitsandbytes, while the weights are loaded; 4bit is NF4, of the language model alone."""
    adapter: str | None = None
    """Directory of a LoRA adapter."""
    min_pixels: int | None = Field(default=None, ge=1)
    max_pixels: int | None = Field(default=None, ge=1)
    """Bounds on what the model sees of an image, as its family counts them."""
    system: str | None = Field(default=None, min_length=1)
    """Stands before a task's own system prompt."""
    generation: dict[str, JsonValue] = Field(default_factory=dict)
    """See GenerationOptions."""
    device_map: Literal["auto"] | None = None
    """Spreads the weights over all devices; answers do not depend on it."""
    trust_remote_code: bool = False
    """Run code that the checkpoint brings or names; chooses the runner, and is kept as
    `hub_kernels` alone."""
    chat_template: str | None = None
    """Instead of the checkpoint's own; from models.yaml."""

    @field_validator("adapter")
    @classmethod
    def _is_adapter(cls, value: str | None) -> str | None:
        if value is not None and not (Path(value) / ADAPTER_FILE).is_file():
            raise ValueError(f"there is no {ADAPTER_FILE} in {value}")
        return value

    @model_validator(mode="after")
    def _bounds_in_order(self) -> HFOptions:
        if self.min_pixels and self.max_pixels and self.min_pixels > self.max_pixels:
            raise ValueError("'min_pixels' is larger than 'max_pixels'")
        return self

    def as_dict(self) -> dict[str, Any]:
        """What is set, as plain values for `ModelSpec.options`."""
        values = self.model_dump(exclude_defaults=True, exclude={"trust_remote_code"})
        return values | ({OPTION: True} if self.trust_remote_code else {})

    def identity(self) -> dict[str, Any]:
        """What is set and changes answers; an adapter by its content."""
        values = self.as_dict()
        values.pop("device_map", None)
        values.pop(OPTION, None)
        if self.quantization == "4bit":
            values["quantization"] = "nf4"  # it was FP4 of all parts once
        if self.adapter is not None:
            values["adapter"] = directory_digest(Path(self.adapter))
        return values


def hf_options(given: Mapping[str, Any]) -> HFOptions:
    """Options as the command line or models.yaml gives them.

    Raises:
        ConfigError: One is unknown or wrong.
        UsageError: `generation` sets what it may not.
    """
    options = parse(HFOptions, dict(given), location="the model's options")
    if not options.generation:
        return options
    for name in options.generation:
        if name in OF_THE_TASK:
            raise UsageError(
                f"--generation cannot set '{name}', which the task decides; change "
                "'generation:' in the task's YAML."
            )
        if name not in GenerationOptions.model_fields:
            known = GenerationOptions.model_fields
            step = f"--generation takes {', '.join(known)}"
            raise UsageError(unknown_name("generation argument", name, known, next_step=step))
    parse(GenerationOptions, options.generation, location="--generation")
    return options


def contradiction(options: Mapping[str, Any], asked: Generation) -> str | None:
    """Why --generation does not go with what a task asks for, or None."""
    chosen = options.get("generation", {})
    for name in OF_SAMPLING:
        if name in chosen and asked.temperature == 0:
            return f"--generation {name} means nothing to greedy answers, which the task asks for"
    if "top_p" in chosen and asked.top_p not in (1.0, chosen["top_p"]):
        return f"the task sets top_p to {asked.top_p:g}, --generation to {chosen['top_p']:g}"
    return None
