"""A row in any known layout -> examples, every one checked; see layouts.py for the layouts.

What Arrow fills in (None for keys that a row lacks) is gone before a layout's reader looks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from vlmbench.errors import DataError
from vlmbench.records import Image
from vlmbench.tasks.row_files import Row
from vlmbench.tasks.samples import is_missing
from vlmbench.train.data.examples import Example, Turn
from vlmbench.train.data.layouts import (
    ID_COLUMNS,
    IMAGE_COLUMNS,
    LAYOUTS,
    Conversation,
    Layout,
    Message,
    RowPlace,
    Slot,
)

_IMAGE_TOKEN = re.compile(
    r"<(image|video|image_soft_token|(start|end)_of_image|IMG_CONTEXT|fake_token_around_image)>"
    r"|<\|(image|video|vision)(_pad|_start|_end)?\|>|\[IMG(_BREAK|_END)?\]"
)
"""What a model's processor may take for an image's place where it stands in a text."""


def detect_format(columns: Collection[str], location: str) -> str:
    """The name of the layout that has these columns.

    Raises:
        DataError: None has, or none of the columns is known.
    """
    for name, layout in LAYOUTS.items():
        if layout.guessed and layout.fits(columns):
            return name
    known = "; ".join(
        f"{name}: {', '.join('|'.join(group) for group in layout.required)}"
        for name, layout in LAYOUTS.items()
    )
    raise DataError(
        f"{location} has the columns {', '.join(columns) or '(none)'}, which is no layout known "
        f"here ({known}); rename the columns or say which 'format' it is."
    )


def row_examples(layout: Layout, row: Row, place: RowPlace) -> list[Example]:
    """What a row teaches: one example, or one for each of a picture's captions.

    Raises:
        DataError: An image is missing or outside the folder, images and places for them differ in
            number, a text holds an image token, or there is nothing to learn.
    """
    row = {name: value for name, value in _without_none(row).items() if name in layout.columns}
    for group in layout.required:
        if not any(name in row for name in group):
            raise DataError(f"There is no column '{'|'.join(group)}' in {place}; add it.")
    images = [
        place.image(value, name)
        for name in IMAGE_COLUMNS
        for value in (row[name] if isinstance(row.get(name), list) else [row.get(name)])
        if not is_missing(value)
    ]
    conversations = layout.read(row, place)
    ids = shared_ids(row)
    row_id = ids.get("id") or f"{place.file}#{place.number}"
    return [
        Example(
            id=row_id if len(conversations) == 1 else f"{row_id}#{number}",
            turns=checked_turns(conversation, images, place, marked=layout.marked),
            source=place.source,
            ids=ids,
        )
        for number, conversation in enumerate(conversations)
    ]


def checked_turns(
    messages: Conversation, images: Sequence[Image], place: RowPlace, *, marked: bool = False
) -> tuple[Turn, ...]:
    """The turns of a conversation, with the row's images in their places.

    Args:
        marked: Whether all images have a mark; else those of a row without marks come first.

    Raises:
        DataError: See `row_examples`.
    """
    slots = [part for one in messages for part in one.parts if isinstance(part, Slot)]
    order = [slot.index for slot in slots if slot.index is not None]
    first = () if slots or marked else tuple(images)
    if order and len(order) == len(slots):
        fits = set(order) == set(range(len(images)))
    else:
        fits = not order and len(slots) + len(first) == len(images)
    if not fits:
        raise DataError(
            f"The {place} has {len(images)} images and {len(slots)} places for them; correct it."
        )
    following = iter(images)
    turns = []
    for message in messages:
        if message.role == "user":
            message, first = Message("user", (*first, *message.parts)), ()
        parts = [_filled(part, images, following) for part in message.parts]
        if message.role == "assistant" and any(isinstance(part, Image) for part in parts):
            raise DataError(f"There is an image in an answer in {place}; leave the row out.")
        for part in parts:
            if isinstance(part, str):
                _check_text(part, place)
        turns.append(Turn(message.role, tuple(filter(None, parts)), message.learn))
    if first:
        raise DataError(f"The {place} has images and no user's turn to show them in; correct it.")
    if not any(turn.role == "assistant" and turn.learn and turn.text.strip() for turn in turns):
        raise DataError(f"There is nothing to learn in {place}: no answer; leave the row out.")
    return tuple(turns)


def _check_text(text: str, place: RowPlace) -> None:
    if found := _IMAGE_TOKEN.search(text):
        raise DataError(
            f"A text in {place} holds '{found[0]}', which a model may take for an image; take it "
            "out, or write 'format: marked-messages' if <image> marks an image."
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"A text in {place} holds half a character ({error}); correct it."
        ) from error


def _filled(part: str | Image | Slot, images: Sequence[Image], following: Any) -> str | Image:
    if not isinstance(part, Slot):
        return part
    return images[part.index] if part.index is not None else cast(Image, next(following))


def _without_none(value: Any, depth: int = 8) -> Any:
    """Without the keys of None, as deep as any layout goes."""
    if depth and isinstance(value, dict):
        kept = ((key, one) for key, one in value.items() if one is not None)
        return {key: _without_none(one, depth - 1) for key, one in kept}
    if depth and isinstance(value, list):
        return [_without_none(one, depth - 1) for one in value]
    return value


def shared_ids(row: Mapping[str, Any]) -> dict[str, str]:
    """A row's ids that other data sets may share, and the names of image files."""
    names = [name for name in ID_COLUMNS if name != "ids"]
    found = {name: str(row[name]) for name in names if isinstance(row.get(name), str | int)}
    if isinstance(row.get("image"), str) and not row["image"].startswith("data:"):
        found["image_file"] = row["image"]
    if isinstance(row.get("ids"), str):  # as `data convert` keeps them
        try:
            kept = json.loads(row["ids"])
        except (ValueError, RecursionError):
            kept = None
        if isinstance(kept, dict):
            found |= {name: value for name, value in kept.items() if isinstance(value, str)}
    return found
