"""What a recipe for models with their own Python code takes and gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import PIL.Image


@dataclass(frozen=True, slots=True)
class Question:
    """One request, as recipes want it."""

    parts: tuple[str | PIL.Image.Image, ...]
    """Texts and pictures in order; the system prompt is part of the first text."""
    arguments: Mapping[str, Any]
    """Of transformers' generate: max_new_tokens, do_sample ..."""

    @property
    def images(self) -> list[PIL.Image.Image]:
        """The pictures in order."""
        return [part for part in self.parts if not isinstance(part, str)]

    @property
    def text(self) -> str:
        """The texts alone."""
        return "".join(part for part in self.parts if isinstance(part, str))

    def marked(self, mark: str = "<image>\n") -> str:
        """The text with a mark for each picture, in its place."""
        return "".join(part if isinstance(part, str) else mark for part in self.parts)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a recipe gives back."""

    text: str
    output_tokens: int | None = None
    prompt_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Code:
    """A model and its helpers, all made by the model's own code."""

    model: Any
    processor: Any
    """Or its tokenizer, where a recipe needs no more."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a checkpoint and its code are."""

    location: str
    """Directory or Hub id."""
    revision: str | None
    """The commit of weights and code; None for a directory."""

    @property
    def arguments(self) -> dict[str, Any]:
        """Of every `from_pretrained` that may run the code."""
        pinned = {"revision": self.revision, "code_revision": self.revision}
        return {
            "pretrained_model_name_or_path": self.location,
            "trust_remote_code": True,
            **(pinned if self.revision else {}),
        }


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one family is loaded and asked."""

    load: Callable[[Source, Mapping[str, Any]], Code]
    """Given the source, and dtype and device map for the weights."""
    ask: Callable[[Code, Question], Answer]
