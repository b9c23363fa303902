"""The typed record that every data layout becomes at the door."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from vlmbench.records import Image

Role: TypeAlias = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation."""

    role: Role
    parts: tuple[str | Image, ...]
    """Texts, with images (encoded bytes, decoded when needed) where they stand."""
    learn: bool = True
    """Whether an assistant's turn is learned; others never are."""

    @property
    def text(self) -> str:
        """The texts without the images between them."""
        return "".join(part for part in self.parts if isinstance(part, str))


@dataclass(frozen=True, slots=True)
class Region:
    """A place in an image with its name."""

    text: str
    box: tuple[float, float, float, float] | None = None
    """Left, top, right, bottom as shares of the image's width and height; None for what lies
    outside the boxes of its other regions."""


@dataclass(frozen=True, slots=True)
class Example:
    """A conversation to learn from."""

    id: str
    """Unique within its source: the row's own id, else "<file>#<row number>"."""
    turns: tuple[Turn, ...]
    source: str
    """Name of the data source, for losses per source and messages."""
    ids: Mapping[str, str] = field(default_factory=dict)
    """Ids of the row that other data sets may share (image_id, coco_id ...), for the guard."""
    regions: tuple[Region, ...] = ()
    """What is where in its only image, for a contrastive stage; empty where nobody said."""

    @property
    def images(self) -> tuple[Image, ...]:
        """The images in order of appearance."""
        return tuple(part for turn in self.turns for part in turn.parts if isinstance(part, Image))

    @property
    def question(self) -> str:
        """The texts of the user's turns, one below the other."""
        return "\n".join(turn.text for turn in self.turns if turn.role == "user")

    @property
    def answers(self) -> tuple[str, ...]:
        """The text of each of the assistant's turns."""
        return tuple(turn.text for turn in self.turns if turn.role == "assistant")
