"""families.yaml -> what a family of models needs that transformers does not say by itself."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from vlmbench.schema import Strict, parse, read_yaml

WIDEST = 100
"""Most times longer than wide; Qwen2-VL refuses 200, other families fail without a word."""


class ImageLimits(Strict):
    """Which images a family takes."""

    min: int = Field(default=0, ge=0)
    """Fewest in a prompt."""
    max: int | None = Field(default=None, ge=1)
    """Most in a prompt; None for any number."""
    widest: int = Field(default=WIDEST, ge=1)
    least_side: int = Field(default=1, ge=1)

    def refusal(self, count: int) -> str | None:
        """Why so many images cannot be shown, or None."""
        if self.min <= count and (self.max is None or count <= self.max):
            return None
        wanted = (
            f"at least {self.min}"
            if self.max is None
            else f"exactly {self.min}"
            if self.min == self.max
            else f"{self.min} to {self.max}"
        )
        plural = "" if wanted.endswith(" 1") else "s"
        return f"it takes {wanted} image{plural} a prompt, and this one has {count}"


class PixelBound(Strict):
    """An attribute of the processor that bounds the pixels of an image."""

    attribute: str
    """Path from the processor, such as `image_processor.size.longest_edge`."""
    measure: Literal["area", "side", "tiles", "tokens"]
    unit: tuple[str, ...] = ()
    """Paths of what makes up one tile (its size), or the side of one token (their product)."""
    step: str | None = None
    """Path of a side that `side` must be a multiple of."""
    choices: tuple[int, ...] = ()
    """The only values that the attribute takes."""


class Pixels(Strict):
    """How --min-pixels and --max-pixels reach the processor; None where the family has no such."""

    min: PixelBound | None = None
    max: PixelBound | None = None


PartName = Literal["vision", "connector", "language"]
"""What a recipe may train of a vision-language model."""


class PartPrefixes(Strict):
    """Where a family keeps its parts: names of modules or parameters, as transformers has them.

    Each stands for itself and all that is below it. The longest that fits a parameter decides, so
    a connector may live inside the vision encoder.
    """

    vision: tuple[str, ...]
    connector: tuple[str, ...]
    language: tuple[str, ...]
    """With embeddings and output head."""
    other: tuple[str, ...] = ()
    """Encoders of what is no image, such as sound; never trained."""
    connector_classes: tuple[str, ...] = ()
    """Classes of layers that are the connector's wherever they stand: Mllama's cross-attention is
    between the layers of its language model, at places that the config says."""


class ModelFamily(Strict):
    """An entry of families.yaml; the file says what the keys mean."""

    title: str = ""
    text_only: bool = False
    attention: dict[str, str] = Field(default_factory=dict)
    template: str | None = None
    images: ImageLimits = Field(default_factory=ImageLimits)
    pixels: Pixels = Field(default_factory=Pixels)
    recipe: str | None = None
    parts: PartPrefixes | None = None
    """None if it cannot be trained by parts."""

    def quirks(self) -> dict[str, Any]:
        """What changes how it answers, as plain values."""
        return self.model_dump(mode="json", exclude={"title", "parts"}, exclude_defaults=True)


class _FamiliesFile(Strict):
    families: dict[str, ModelFamily]


@cache
def known_families() -> Mapping[str, ModelFamily]:
    """The families of families.yaml, in its order."""
    path = Path(__file__).with_name("families.yaml")
    return parse(_FamiliesFile, read_yaml(path), location=str(path)).families


def family_key(config: Mapping[str, Any]) -> str:
    """The key of families.yaml that a config.json belongs to; its model type if there is none."""
    model_type = str(config.get("model_type", ""))
    vision = config.get("vision_config")
    inner = vision.get("model_type") if isinstance(vision, Mapping) else None
    whole = f"{model_type}/{inner}"
    return whole if whole in known_families() else model_type


def family(key: str) -> ModelFamily:
    """What is known of a family; nothing but defaults for an unknown one."""
    return known_families().get(key, ModelFamily())
