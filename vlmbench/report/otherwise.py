"""What a model said when a sample was asked otherwise, short enough to stand beside its answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypedDict

from vlmbench.tasks.variants.options import original_position
from vlmbench.tasks.variants.variant import IMAGE_MODES, Variant, split_label
from vlmbench.text.choices import LETTERS

LONGEST = 240
"""Characters of an answer that are shown; a page holds every variant of every sample."""


class OtherData(TypedDict):
    """One model's answer to one sample, asked otherwise."""

    kind: str
    """image, prompt or options."""
    name: str
    """blind, shuffled or noise; the paraphrase; how many places the options were moved."""
    text: str | None
    """At most LONGEST characters; None if there is none."""
    error: str | None
    """Its kind."""
    outcome: str
    value: float | None
    option: str | None
    """The text of the option that was read, where options were moved."""


def in_order(labels: Iterable[str]) -> list[str]:
    """Labels of variants: images, then prompts by name, then options by how far they moved."""

    def key(label: str) -> tuple[int, int, str]:
        kind, name = split_label(label)
        if kind == "options":
            return 2, Variant(kind, name).places, ""
        return (1, 0, name) if kind == "prompt" else (0, IMAGE_MODES.index(name), "")

    return sorted(labels, key=key)


def kind_and_name(label: str) -> tuple[str, str]:
    """As `OtherData` holds them."""
    kind, name = split_label(label)
    return kind, str(Variant(kind, name).places) if kind == "options" else name


def shortened(text: str | None) -> str | None:
    """The text, or its beginning."""
    return text if text is None or len(text) <= LONGEST else f"{text[:LONGEST]}…"


def option_read(letter: str | None, label: str, choices: Sequence[str]) -> str | None:
    """The text of the option that stood behind a letter when the options were moved."""
    kind, name = split_label(label)
    if kind != "options" or letter is None or letter not in LETTERS[: len(choices)]:
        return None
    by, count = Variant(kind, name).places, len(choices)
    return shortened(choices[original_position(LETTERS.index(letter), by=by, count=count)])
