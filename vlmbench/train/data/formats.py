"""Data in any known layout -> examples; see layouts.py for the layouts.

What Arrow fills in (None for keys that a row lacks) is gone before a layout's reader looks.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, islice
from pathlib import Path
from typing import Any, cast

from vlmbench.errors import DataError, UsageError, unknown_name
from vlmbench.records import Image, Sample, TextPart
from vlmbench.tasks.prompt import build_parts
from vlmbench.tasks.registry import load_task
from vlmbench.tasks.samples import build_sample, is_missing, read_samples
from vlmbench.tasks.sources import local_files
from vlmbench.tasks.spec import TaskSpec
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
from vlmbench.train.data.rows import Row, RowFile, Rows, find_files

TASK_PREFIX = "task:"

_IMAGE_TOKEN = re.compile(
    r"<(image|video|image_soft_token|(start|end)_of_image|IMG_CONTEXT|fake_token_around_image)>"
    r"|<\|(image|video|vision)(_pad|_start|_end)?\|>|\[IMG(_BREAK|_END)?\]"
)
"""What a model's processor may take for an image's place where it stands in a text."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where rows come from, and how they are read."""

    path: str
    """A file, a folder, a pattern, "org/name" on the Hub, or "task:NAME"."""
    name: str = ""
    """In messages and losses per source; the path by default."""
    format: str = "auto"
    """A name of LAYOUTS."""
    split: str | None = None
    """See `rows.find_files`; of a task on the Hub, in place of the one that it evaluates."""
    config: str | None = None
    """Name of a Hub data set's configuration."""
    prompt: str = ""
    """The user's words in layouts without a question: captions."""
    image_dir: Path | None = None
    """Where image files are that rows name; beside the data by default."""
    streaming: bool = False
    """Whether Parquet files of the Hub are read over the network and not kept."""
    weight: float = 1.0
    """In a mixture: how often each row comes in an epoch."""
    limit: int | None = None
    """In a mixture: only so many rows, drawn evenly with the seed."""


def read_examples(
    path: str,
    *,
    format: str = "auto",
    split: str | None = None,
    config: str | None = None,
    limit: int | None = None,
    source: str | None = None,
    prompt: str = "",
    image_dir: Path | None = None,
    streaming: bool = False,
    on_error: Callable[[DataError], None] | None = None,
) -> Iterator[Example]:
    """All examples of a source in the order of its data, streamed; see `Source`.

    Args:
        limit: Only so many from the start.
        source: Name of the source.
        on_error: Is called for each row that cannot be used, which is then left out.

    Raises:
        DataError: There is no data, its layout is not known, or a row cannot be used.
        UsageError: There is no such layout or task.
    """
    opened = Source(
        path,
        name=source or "",
        format=format,
        split=split,
        config=config,
        prompt=prompt,
        image_dir=image_dir,
        streaming=streaming,
    )
    if path.startswith(TASK_PREFIX):
        examples = _task_examples(opened)
    else:
        examples = ExampleSource(opened).examples(on_error=on_error)
    yield from islice(examples, limit)


class ExampleSource:
    """The rows of a source by number; holds a few blocks of them in memory, and their index."""

    def __init__(self, source: Source, *, memory: int = 64 << 20) -> None:
        """Find and index the files.

        Args:
            memory: Bytes of rows to hold; a single larger row group is held all the same.

        Raises:
            DataError: There is no data, or its layout is not known.
            UsageError: There is no such layout or task.
        """
        self.name = source.name or source.path
        self.memory = memory
        self._source = source
        self.task = _task(source) if source.path.startswith(TASK_PREFIX) else None
        if self.task is not None:
            self.files = _task_files(self.task)
        else:
            self.files = find_files(
                source.path, split=source.split, config=source.config, streaming=source.streaming
            )
        self.blocks = [(file, number) for file in self.files for number in range(len(file.blocks))]
        """In order, with the block's number in its file."""
        rows = [file.blocks[number].rows for file, number in self.blocks]
        self.starts = [0, *accumulate(rows)]
        """Number of the first row of each block, and of the row after the last."""
        self._held: OrderedDict[int, Rows] = OrderedDict()
        if len(self) == 0:
            raise DataError(f"There are no rows in {self.name}; check the data.")
        self.format = "task" if self.task is not None else _format_of(source, self.files)

    def __len__(self) -> int:
        """Number of rows."""
        return self.starts[-1]

    def row_examples(self, number: int) -> list[Example]:
        """What row `number` teaches: one example, or one for each of a picture's captions.

        Raises:
            DataError: The row cannot be used.
        """
        block = bisect_right(self.starts, number) - 1
        file, part = self.blocks[block]
        row = self._block(block)[number - self.starts[block]]
        return self._read(row, file, number - self.starts[block - part])

    def examples(self, *, on_error: Callable[[DataError], None] | None = None) -> Iterator[Example]:
        """All examples in the order of the data; `on_error` as in `read_examples`."""
        return chain.from_iterable(examples for _, examples in self.read(on_error=on_error))

    def read(
        self, *, on_error: Callable[[DataError], None] | None = None
    ) -> Iterator[tuple[int, list[Example]]]:
        """The number of each row and what it teaches, in order; `on_error` as in `read_examples`.

        Raises:
            DataError: A row cannot be used.
        """
        first = 0
        for file in self.files:
            for number, row in enumerate(file.read(self._columns(file))):
                try:
                    found = self._read(row, file, number)
                except DataError as error:
                    if on_error is None:
                        raise
                    on_error(error)
                else:
                    yield first + number, found
            first += sum(block.rows for block in file.blocks)

    def _read(self, row: Row, file: RowFile, number: int) -> list[Example]:
        folder = self._source.image_dir or file.folder
        place = RowPlace(file.name, number, folder, self.name, self._source.prompt)
        if self.task is None:
            return row_examples(LAYOUTS[self.format], row, place)
        sample = build_sample(self.task, row, index=number, folder=folder, source=file.name)
        return [task_example(self.task, sample, place)]

    def _columns(self, file: RowFile) -> Collection[str]:
        return file.columns if self.task is not None else LAYOUTS[self.format].columns

    def _block(self, number: int) -> Rows:
        """The rows of a block; those used least recently make room."""
        if number in self._held:
            self._held.move_to_end(number)
            return self._held[number]
        file, part = self.blocks[number]
        sizes = {one: self.block_bytes(one) for one in (*self._held, number)}
        while self._held and sum(sizes.values()) > self.memory:
            del sizes[self._held.popitem(last=False)[0]]
        self._held[number] = file.block(part, self._columns(file))
        return self._held[number]

    def block_bytes(self, number: int) -> int:
        """What a block takes in memory."""
        file, part = self.blocks[number]
        return file.blocks[part].bytes


def _format_of(source: Source, files: Sequence[RowFile]) -> str:
    if source.format == "auto":
        file = next((file for file in files if file.columns), files[0])
        return detect_format(file.columns, file.name)
    if source.format not in LAYOUTS:
        hint = f"the layouts are {', '.join(LAYOUTS)}"
        raise UsageError(unknown_name("format", source.format, LAYOUTS, next_step=hint))
    return source.format


def _task(source: Source) -> TaskSpec:
    task = load_task(source.path.removeprefix(TASK_PREFIX))
    if source.split is None:
        return task
    if task.data.hub is None:
        raise UsageError(
            f"The rows of task '{task.name}' are one file without splits; leave out 'split'."
        )
    data = task.data.model_copy(update={"split": source.split})
    return task.model_copy(update={"data": data})


def _task_files(task: TaskSpec) -> list[RowFile]:
    """The files of a task whose rows can be read by number."""
    files = local_files(task) or {}
    if list(files) != [None] or task.data.keep or task.data.each:
        raise DataError(
            f"The rows of task '{task.name}' come from the Hub, from several subsets or a "
            f"selection, and cannot be read by number; run 'vlmbench data convert "
            f"{TASK_PREFIX}{task.name} -o DIR' and train on DIR."
        )
    return [file for path in files[None] for file in find_files(str(path))]


def _task_examples(source: Source) -> Iterator[Example]:
    task = _task(source)
    name = source.name or source.path
    for number, sample in enumerate(read_samples(task)):
        yield task_example(task, sample, RowPlace(task.name, number, None, name))


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
    ids = _shared_ids(row)
    row_id = ids.get("id") or f"{place.file}#{place.number}"
    return [
        Example(
            id=row_id if len(conversations) == 1 else f"{row_id}#{number}",
            turns=_turns(conversation, images, place, marked=layout.marked),
            source=place.source,
            ids=ids,
        )
        for number, conversation in enumerate(conversations)
    ]


def task_example(task: TaskSpec, sample: Sample, place: RowPlace) -> Example:
    """A sample of a task, asked as the task asks it, with its first reference to learn.

    Raises:
        DataError: As `row_examples`, or the task's prompt cannot be built from the row.
    """
    parts = build_parts(task, sample)
    question = tuple(part.text if isinstance(part, TextPart) else part.image for part in parts)
    turns = [Message("user", question), Message("assistant", sample.references[:1])]
    if task.system:
        turns.insert(0, Message("system", (task.system,)))
    ids = _shared_ids({**sample.row, "id": sample.id})
    return Example(sample.id, _turns(turns, [], place), place.source, ids)


def _turns(
    messages: Conversation, images: Sequence[Image], place: RowPlace, *, marked: bool = False
) -> tuple[Turn, ...]:
    """The checked turns of a conversation, with the row's images in their places."""
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


def _shared_ids(row: Mapping[str, Any]) -> dict[str, str]:
    """Ids that other data sets may share, and the names of image files."""
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
