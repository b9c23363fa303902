"""The rows of a vlmbench task as training data, read by number as any other rows are.

What decides which rows a task has (subsets, `data.keep`, `data.each`) is applied to each file once,
without its images; what is remembered is the place of each row.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice

from vlmbench.errors import DataError, UsageError
from vlmbench.records import Sample, TextPart
from vlmbench.tasks.conditions import compile_condition
from vlmbench.tasks.filters import as_list
from vlmbench.tasks.hub_split import open_split
from vlmbench.tasks.prompt import build_parts
from vlmbench.tasks.registry import load_task
from vlmbench.tasks.row_files import Block, Row, RowFile, Rows
from vlmbench.tasks.sources import local_files
from vlmbench.tasks.spec import TaskSpec
from vlmbench.tasks.template import missing_column
from vlmbench.train.data.examples import Example
from vlmbench.train.data.layouts import Message, RowPlace
from vlmbench.train.data.row_examples import checked_turns, shared_ids
from vlmbench.train.data.rows import find_files

TASK_PREFIX = "task:"

_WHOLE = -1
"""In the place of an element's number: the row is not taken apart."""


def open_task(path: str, split: str | None, revision: str | None) -> TaskSpec:
    """The task of "task:NAME".

    Args:
        split: In the place of the one that the task evaluates; of the Hub, as `revision`.

    Raises:
        UsageError: There is no such task, or its rows are a file that has neither.
    """
    task = load_task(path.removeprefix(TASK_PREFIX))
    wanted = {"split": split, "revision": revision}
    changed = {key: value for key, value in wanted.items() if value is not None}
    if changed and task.data.hub is None:
        raise UsageError(
            f"The rows of task '{task.name}' are one file without splits; leave out "
            f"'{next(iter(changed))}'."
        )
    return task.model_copy(update={"data": task.data.model_copy(update=changed)})


def task_files(task: TaskSpec, *, streaming: bool = False) -> list[RowFile]:
    """The files of a task, whose rows can be read by number.

    Args:
        streaming: See `find_files`.

    Raises:
        DataError: They are not here, cannot be read, or are of no known kind.
    """
    data = task.data
    found: list[tuple[str | None, RowFile]] = []
    if (local := local_files(task)) is not None:
        for subset, paths in local.items():
            found += [(subset, file) for path in paths for file in find_files(str(path))]
    elif data.manual is not None or data.hub is None:
        raise DataError(
            f"The data of task '{task.name}' must be fetched by hand: {data.manual} Then run "
            f"'vlmbench data convert' on it and train on that."
        )
    else:
        for subset in data.subsets or (None,):
            opened = open_split(
                data.hub,
                split=data.split or "train",
                config=subset or data.config,
                revision=data.revision,
                local="download it elsewhere and name its folder",
            )
            found += [(subset, file) for file in opened.row_files(streaming=streaming)]
    if not (data.subsets or data.keep or data.each):
        return [file for _, file in found]
    return [TaskRows(file, subset, task) for subset, file in found]


class TaskRows:
    """The rows of a file that belong to a task, taken apart where `data.each` says so."""

    def __init__(self, file: RowFile, subset: str | None, task: TaskSpec) -> None:
        """Look through the file once.

        Raises:
            DataError: It cannot be read, or a column is missing that says which rows there are.
        """
        self.name, self.folder, self.columns = file.name, file.folder, file.columns
        self._file, self._subset, self._column = file, subset, task.data.each
        self._places = [_Places() for _ in file.blocks]
        self._select(task)
        self.blocks = [
            Block(len(places), block.bytes if len(places) else 0)
            for places, block in zip(self._places, file.blocks, strict=True)
        ]

    def read(self, columns: Collection[str]) -> Iterator[Row]:
        """All rows in order, with no more than these columns."""
        rows = self._file.read(columns)
        for places, block in zip(self._places, self._file.blocks, strict=True):
            following = enumerate(islice(rows, block.rows))
            at, row = next(following, (0, None))
            for place, element in places:
                while at < place:
                    at, row = next(following)
                assert row is not None
                yield self._part(row, element)
            for _ in following:  # what stands behind the block's last row of the task
                pass

    def block(self, number: int, columns: Collection[str]) -> Rows:
        """The rows of a block."""
        return _TaskBlock(self, self._file.block(number, columns), self._places[number])

    def _part(self, row: Row, element: int) -> Row:
        if self._subset is not None:
            row = {**row, "subset": self._subset}
        if self._column is None or element == _WHOLE:
            return row
        return {**row, self._column: as_list(row[self._column])[element]}

    def _select(self, task: TaskSpec) -> None:
        keep = compile_condition(task.data.keep, "row") if task.data.keep else None
        texts = [name for name in self.columns if name not in task.fields.images]
        rows = self._file.read(texts)
        for places, block in zip(self._places, self._file.blocks, strict=True):
            for place, row in enumerate(islice(rows, block.rows)):
                if self._subset is not None:
                    row["subset"] = self._subset
                if keep is not None and not keep(row):
                    continue
                if self._column is None:
                    places.add(place, _WHOLE)
                    continue
                if self._column not in row:
                    raise DataError(missing_column(self._column, row, self.name))
                for element in range(len(as_list(row[self._column]))):
                    places.add(place, element)


class _Places:
    """Row of the block and element of each row of the task."""

    def __init__(self) -> None:
        self._rows, self._elements = array("q"), array("q")

    def add(self, row: int, element: int) -> None:
        self._rows.append(row)
        self._elements.append(element)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._rows, self._elements, strict=True)

    def __getitem__(self, number: int) -> tuple[int, int]:
        return self._rows[number], self._elements[number]


@dataclass(frozen=True, slots=True)
class _TaskBlock:
    """A block's rows of the task by number."""

    file: TaskRows
    rows: Rows
    places: _Places

    def __getitem__(self, number: int) -> Row:
        place, element = self.places[number]
        return self.file._part(self.rows[place], element)


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
    ids = shared_ids({**sample.row, "id": sample.id})
    return Example(sample.id, checked_turns(turns, [], place), place.source, ids)
