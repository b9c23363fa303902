"""Where training data is and how it is read: a source's examples, streamed or by number."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, islice
from pathlib import Path

from vlmbench.errors import DataError, UsageError, unknown_name
from vlmbench.tasks.row_files import Row, RowFile, Rows
from vlmbench.tasks.samples import build_sample, read_samples
from vlmbench.train.data.examples import Example
from vlmbench.train.data.layouts import LAYOUTS, RowPlace
from vlmbench.train.data.row_examples import detect_format, row_examples
from vlmbench.train.data.rows import find_files
from vlmbench.train.data.task_rows import (
    TASK_PREFIX,
    open_task,
    task_example,
    task_files,
)


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
    revision: str | None = None
    """Commit, tag or branch of a Hub data set; the newest commit of its main branch if None."""
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
    revision: str | None = None,
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
        revision=revision,
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
        self.task = None
        self.files: Sequence[RowFile]
        if source.path.startswith(TASK_PREFIX):
            self.task = open_task(source.path, source.split, source.revision)
            self.files = task_files(self.task, streaming=source.streaming)
        else:
            self.files = find_files(
                source.path,
                split=source.split,
                config=source.config,
                revision=source.revision,
                streaming=source.streaming,
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


def _task_examples(source: Source) -> Iterator[Example]:
    task = open_task(source.path, source.split, source.revision)
    name = source.name or source.path
    for number, sample in enumerate(read_samples(task)):
        yield task_example(task, sample, RowPlace(task.name, number, None, name))
