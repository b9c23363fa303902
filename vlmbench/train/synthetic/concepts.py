"""The hundred everyday things of the basic level, and the art styles that draw them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from vlmbench.train.synthetic.resources import read_content

ART_STYLES: dict[str, str] = {
    "noto": "Noto Emoji",
    "noto-v1": "Noto Emoji v1",
    "fluent-emoji-flat": "Fluent Emoji Flat",
    "fluent-emoji": "Fluent Emoji",
    "emojione": "EmojiOne 2",
    "fxemoji": "FxEmojis",
    "twemoji": "Twemoji",
}
"""Art styles by the name of their icon package."""

UNSEEN_STYLE = "twemoji"
"""The style that no training scene is drawn in. It shares no drawing with the others; Noto's two
styles and Fluent's two are related, so neither could be held out alone."""

TRAINING_STYLES: tuple[str, ...] = tuple(style for style in ART_STYLES if style != UNSEEN_STYLE)


@dataclass(frozen=True, slots=True)
class Concept:
    """A thing with a Japanese name."""

    emoji: str
    slug: str
    """Name of its icon in the packages."""
    name: str
    """What the suite calls it: the CLDR short name, where need be shortened."""
    cldr: str
    """The Unicode CLDR short name itself."""
    counter: str
    """Counter word: 匹, 台, 個 ..."""
    accept: tuple[str, ...] = ()
    """Other names that are right."""
    icons: dict[str, str] = field(default_factory=dict)
    """Icon names by style, where they differ from `slug`."""

    @property
    def answers(self) -> tuple[str, ...]:
        """Every accepted name, best first."""
        return (self.name, *self.accept)


@lru_cache(maxsize=1)
def concepts() -> tuple[Concept, ...]:
    """All concepts, in the order of the file."""
    rows: list[dict[str, Any]] = read_content("concepts")
    return tuple(
        Concept(**{**row, "accept": tuple(row.get("accept", ()))})  # the rest is plain text
        for row in rows
    )
