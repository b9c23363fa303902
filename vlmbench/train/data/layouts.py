"""The known layouts of rows, and a reader each.

    cauldron           texts [{user, assistant}], images        The Cauldron, FineVision
    llava              image, conversations [{from, value}]     LLaVA, `<image>` in the texts
    messages           messages [{role, content}], images       TRL, and OpenAI with image_url
    marked-messages    the same, with `<image>` in the texts    ms-swift; has to be named
    prompt-completion  prompt, completion, images               TRL
    captions           image, caption | captions | text         pairs
    task               rows of a vlmbench task                  the path is task:NAME

A reader returns conversations in which slots stand for the row's images; formats.py puts the images
in and checks them. Nothing that a row says is code, an address to fetch, or a file outside its
data's folder.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias, cast

from vlmbench.errors import DataError
from vlmbench.records import Image
from vlmbench.tasks.prompt import IMAGE_PLACEHOLDER
from vlmbench.tasks.row_files import Row
from vlmbench.tasks.samples import image_file
from vlmbench.text.visible import visible_line
from vlmbench.train.data.examples import Role

ROLES: Mapping[str, Role] = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
}

ID_COLUMNS = ("id", "ids", "image_id", "coco_id", "flickr_id", "coco_url", "question_id")
IMAGE_COLUMNS = ("images", "image")


@dataclass(frozen=True, slots=True)
class RowPlace:
    """Where a row stands, for messages and for the image files that it names."""

    file: str
    number: int
    """From 0."""
    folder: Path | None
    """None where files cannot be named, as on the Hub."""
    source: str
    prompt: str = ""
    """What the user asks in layouts without a question."""

    def __str__(self) -> str:
        return f"row {self.number} of {self.file}"

    def image(self, value: Any, column: str = "images") -> Image:
        """An image of a row: bytes, a struct {bytes, path}, a data URL or a file name."""
        location = f"'{column}' of {self}"
        keys = ("bytes", "url", "path", "image", "image_url")
        for _ in range(2):  # {"image": {"bytes": ...}} at most
            if isinstance(value, Mapping):
                value = next((value[key] for key in keys if value.get(key)), None)
        if isinstance(value, bytes) and value:
            return Image(value, source=location)
        if not isinstance(value, str) or not value:
            raise DataError(
                f"There is no image in {location}; it should hold bytes, a struct {{bytes, path}}, "
                "a data URL or a file name."
            )
        if value.startswith("data:"):
            return _from_data_url(value, location)
        if re.match(r"[a-z][a-z0-9+.-]*://", value, re.IGNORECASE):
            raise DataError(
                f"The image in {location} is an address, {visible_line(value[:80])}; fetch it and "
                "name the file, as training does not depend on a network."
            )
        if self.folder is None:
            raise DataError(
                f"The image in {location} is a file name, {visible_line(value[:80])}, and the file "
                "is not here; fetch data and images into a folder and name that."
            )
        image = image_file(value, location, self.folder)
        if not image.data:
            raise DataError(f"The image in {image.source} cannot be read; add the file.")
        return image


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one of the row's images: the next one, or the one of this number."""

    index: int | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A turn whose images are still to be put in."""

    role: Role
    parts: tuple[str | Image | Slot, ...]
    learn: bool = True


Conversation: TypeAlias = Sequence[Message]
Reader: TypeAlias = Callable[[Row, RowPlace], list[Conversation]]
"""The conversations of a row: one, or one for each of a picture's captions."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A known form of rows."""

    required: tuple[tuple[str, ...], ...]
    """Columns; of each group one must be there."""
    optional: tuple[str, ...]
    read: Reader
    marked: bool = False
    """Whether texts mark every image; otherwise images may stand before the first question."""
    guessed: bool = True

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that may be read."""
        required = (name for group in self.required for name in group)
        return (*required, *self.optional, *ID_COLUMNS)

    def fits(self, columns: Collection[str]) -> bool:
        """Whether rows with these columns have the layout."""
        return all(any(name in columns for name in group) for group in self.required)


def _cauldron(row: Row, place: RowPlace) -> list[Conversation]:
    messages = []
    for pair in _listed(row, "texts", place):
        messages.append(Message("user", (_text(pair, "user", place),)))
        messages.append(Message("assistant", (_text(pair, "assistant", place),)))
    return [messages]


def _llava(row: Row, place: RowPlace) -> list[Conversation]:
    system = row.get("system") or row.get("system_prompt")
    messages = [Message("system", (str(system),))] if system else []
    for entry in _listed(row, "conversations", place):
        role = _role(_text(entry, "from", place), place)
        messages.append(Message(role, _marked(_text(entry, "value", place)), _learn(entry)))
    return [messages]


def _messages(row: Row, place: RowPlace) -> list[Conversation]:
    return [_message_list(row, "messages", place)]


def _marked_messages(row: Row, place: RowPlace) -> list[Conversation]:
    return [
        [
            Message(one.role, tuple(chain.from_iterable(map(_marked, one.parts))), one.learn)
            for one in _message_list(row, "messages", place)
        ]
    ]


def _prompt_completion(row: Row, place: RowPlace) -> list[Conversation]:
    sides: list[list[Message]] = []
    for column, role in (("prompt", "user"), ("completion", "assistant")):
        if isinstance(row[column], str):
            sides.append([Message(cast(Role, role), (row[column],))])
        else:
            sides.append(_message_list(row, column, place))
    prompt = [Message(one.role, one.parts, learn=False) for one in sides[0]]
    return [[*prompt, *sides[1]]]


def _captions(row: Row, place: RowPlace) -> list[Conversation]:
    column = next(name for name in ("captions", "caption", "text") if name in row)
    captions = row[column] if isinstance(row[column], list) else [row[column]]
    if not captions or not all(isinstance(caption, str) for caption in captions):
        raise DataError(f"The column '{column}' in {place} is no text; correct it.")
    question = Message("user", (place.prompt,))
    return [[question, Message("assistant", (caption,))] for caption in captions]


def _message_list(row: Row, column: str, place: RowPlace) -> list[Message]:
    messages = []
    for entry in _listed(row, column, place):
        role = _role(_text(entry, "role", place), place)
        content = entry.get("content", "")
        parts = [content] if isinstance(content, str) else content
        if not isinstance(parts, list):
            raise DataError(f"A message in {place} has no content; write a text or parts.")
        read = tuple(_part(part, place) for part in parts)
        messages.append(Message(role, read, _learn(entry)))
    return messages


def _part(part: Any, place: RowPlace) -> str | Image | Slot:
    """A part of a message's content, as TRL or OpenAI writes it."""
    if isinstance(part, str):
        return part
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "text":
        return _text(part, "text", place)
    if kind == "image_url":
        return place.image(part.get("image_url"), "image_url")
    if kind == "image":
        inline = {key: part[key] for key in ("image", "url", "path") if key in part}
        if inline:
            return place.image(inline, "image")
        index = part.get("index")
        if index is not None and not isinstance(index, int):
            raise DataError(f"An image's index in {place} is no number; correct it.")
        return Slot(index)
    raise DataError(
        f"A message in {place} has a part of the type '{kind}', where text, image and image_url "
        "are known; leave the row out."
    )


def _marked(part: str | Image | Slot) -> tuple[str | Image | Slot, ...]:
    """The pieces of a text between its marks, without the line breaks beside them."""
    if not isinstance(part, str) or IMAGE_PLACEHOLDER not in part:
        return (part,)
    first, *others = part.split(IMAGE_PLACEHOLDER)
    parts: list[str | Slot] = [first.rstrip("\n")]
    for other in others:
        parts += [Slot(), other.strip("\n")]
    return tuple(parts)


def _role(name: str, place: RowPlace) -> Role:
    if name not in ROLES:
        known = ", ".join(ROLES)
        raise DataError(f"A turn in {place} is by '{name}', where {known} are known; correct it.")
    return ROLES[name]


def _learn(entry: Mapping[str, Any]) -> bool:
    """Whether a message is learned: ms-swift writes `"loss": false` where it is not."""
    return entry.get("loss", True) is not False


def _listed(row: Row, column: str, place: RowPlace) -> list[dict[str, Any]]:
    value = row[column]
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise DataError(f"The column '{column}' in {place} is no list of objects; correct it.")
    return value


def _text(entry: Mapping[str, Any], key: str, place: RowPlace) -> str:
    value = entry.get(key)
    if not isinstance(value, str):
        raise DataError(f"There is no text under '{key}' in {place}; correct it.")
    return value


def _from_data_url(url: str, location: str) -> Image:
    head, _, data = url.partition(",")
    try:
        if not head.endswith(";base64"):
            raise ValueError("not base64")
        return Image(base64.b64decode(data, validate=True), source=location)
    except (binascii.Error, ValueError) as error:
        raise DataError(
            f"The data URL in {location} cannot be read ({error}); write data:image/png;base64,..."
        ) from error


LAYOUTS: Mapping[str, Layout] = {
    "messages": Layout((("messages",),), IMAGE_COLUMNS, _messages),
    "marked-messages": Layout(
        (("messages",),), IMAGE_COLUMNS, _marked_messages, marked=True, guessed=False
    ),
    "llava": Layout(
        (("conversations",),), (*IMAGE_COLUMNS, "system", "system_prompt"), _llava, marked=True
    ),
    "cauldron": Layout((("texts",),), IMAGE_COLUMNS, _cauldron),
    "prompt-completion": Layout((("prompt",), ("completion",)), IMAGE_COLUMNS, _prompt_completion),
    "captions": Layout((("image",), ("caption", "captions", "text")), (), _captions),
}
"""By name, in the order in which they are tried."""
