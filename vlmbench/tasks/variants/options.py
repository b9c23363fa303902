"""Options of a multiple-choice question in another order, with everything that goes by it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import TypeVar

from vlmbench.records import Image, Sample
from vlmbench.text.choices import choice_index
from vlmbench.text.japanese import surface_form
from vlmbench.text.option_mentions import LETTERS

_Item = TypeVar("_Item")

_MARK = re.compile(r"<image>")
_NUMBERED = re.compile(r"<image \d{1,3}>")


def rotated(sample: Sample, by: int) -> Sample:
    """The sample with its options moved `by` places to the front, the first ones to the end.

    A reference that is a label (a letter, or a kana or number) becomes the letter of the same
    option's new place; one that is the option's text stays. Images that options mark by
    `<image>` move with them; they are the last images of the sample, as the question comes
    before its options.
    """
    if not sample.choices:
        return sample
    return dataclasses.replace(
        sample,
        choices=_turned(sample.choices, by),
        references=tuple(_reference(one, sample.choices, by) for one in sample.references),
        images=_images(sample, by),
    )


def original_position(position: int, *, by: int, count: int) -> int:
    """Where an option that stands at `position` after a rotation stood before it."""
    return (position + by) % count


def _turned(items: Sequence[_Item], by: int) -> tuple[_Item, ...]:
    places = by % len(items)
    return (*items[places:], *items[:places])


def _reference(reference: str, choices: Sequence[str], by: int) -> str:
    position = choice_index(reference, choices)
    if position is None:
        return reference
    form = surface_form(reference)
    named_by_letter = len(form) == 1 and form.upper() in LETTERS
    if form == surface_form(choices[position]) and not named_by_letter:
        return reference
    return LETTERS[(position - by) % len(choices)]


def _images(sample: Sample, by: int) -> tuple[Image, ...]:
    counts = [len(_MARK.findall(choice)) for choice in sample.choices]
    own = sum(counts)
    numbered = any(_NUMBERED.search(choice) for choice in sample.choices)
    if not own or numbered or own > len(sample.images):
        return sample.images
    first = len(sample.images) - own
    groups: list[tuple[Image, ...]] = []
    start = first
    for count in counts:
        groups.append(sample.images[start : start + count])
        start += count
    return (*sample.images[:first], *(image for group in _turned(groups, by) for image in group))
