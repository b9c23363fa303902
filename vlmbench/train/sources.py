"""The rows of a recipe's data: where they are, and which of them are learned from."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, overload

from vlmbench.errors import DataError
from vlmbench.records import stable_hash
from vlmbench.train.data.examples import Example
from vlmbench.train.data.formats import Source
from vlmbench.train.data.mixture import Mixture
from vlmbench.train.recipe_sections import DataSource

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class SourceRows:
    """What is remembered of the rows of a source, in the order of their numbers."""

    numbers: NDArray[numpy.int64]
    content: NDArray[numpy.uint64]
    """See `content_key`."""
    pictures: NDArray[numpy.uint64]
    """The same for rows that show the same pictures in the same order; 0 where there is none."""

    def at(self, places: NDArray[numpy.intp] | NDArray[numpy.bool_]) -> SourceRows:
        """Some of them."""
        return SourceRows(self.numbers[places], self.content[places], self.pictures[places])


class TrainingRows(Sequence[Example]):
    """The rows that are learned from, each read when it is asked for.

    As a sequence it has every row once in the order of the data, by the first of its captions if
    there are several.
    """

    def __init__(self, mixture: Mixture, rows: Sequence[SourceRows]) -> None:
        """Keep some rows of a mixture.

        Raises:
            DataError: There is none.
        """
        self.mixture = mixture.keeping([one.numbers for one in rows])
        self._rows = rows
        self._starts = [0, *accumulate(len(one.numbers) for one in rows)]

    def __len__(self) -> int:
        """Number of rows."""
        return self._starts[-1]

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> list[Example]: ...
    def __getitem__(self, index: int | slice) -> Example | list[Example]:
        """A row, or several.

        Raises:
            DataError: It cannot be read, or is another than when it was checked.
        """
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        source = bisect_right(self._starts, index) - 1
        return self.example(source, index - self._starts[source])

    def example(self, source: int, place: int, passed: int = 0) -> Example:
        """What the row at a place among those of a source teaches in a pass.

        Raises:
            DataError: It cannot be read, or is another than when it was checked.
        """
        examples = self.mixture.row_examples(source, place)
        if content_key(examples) != int(self._rows[source].content[place]):
            raise DataError(
                f"Row '{examples[0].id}' of {examples[0].source} is another than before the first "
                "step, when all rows were checked; put the data back, then go on with --resume."
            )
        return examples[passed % len(examples)]

    def pictures(self, source: int) -> NDArray[numpy.uint64]:
        """What the rows of a source show, by place; see `SourceRows.pictures`."""
        return self._rows[source].pictures

    def counts(self) -> dict[str, int]:
        """Number of rows by the name of their source."""
        names = (source.name for source in self.mixture.sources)
        return {name: len(rows.numbers) for name, rows in zip(names, self._rows, strict=True)}

    def seen(self, count: int) -> list[Example]:
        """The first rows with pictures; the first of all if there are none."""
        import numpy

        found = [
            (source, place)
            for source, rows in enumerate(self._rows)
            for place in numpy.flatnonzero(rows.pictures)[:count].tolist()
        ]
        return [self.example(*one) for one in found[:count]] or self[:count]

    def digests(self) -> list[str]:
        """A hash of all rows for each source: texts and image digests, in their order."""
        return [hashlib.sha256(rows.content.tobytes()).hexdigest() for rows in self._rows]


@dataclass(frozen=True, slots=True)
class Rows:
    """What is learned from, and what is kept from it."""

    training: TrainingRows | tuple[()]
    """Empty where all that is learned is generated."""
    validation: list[Example]
    too_long: list[str]
    """Ids of the rows that were left out."""

    @property
    def counts(self) -> dict[str, int]:
        """Number of training rows by source."""
        return self.training.counts() if self.training else {}

    @property
    def digest(self) -> str:
        """Hash of what is learned: texts and image digests of every row, in their order."""
        return stable_hash(self.training.digests() if self.training else [])


@dataclass(frozen=True, slots=True)
class CheckedRows:
    """Which rows are learned from, by number, so that a process can tell others."""

    training: tuple[SourceRows, ...]
    """Of each source."""
    validation: tuple[tuple[int, int], ...]
    """Source and number of each row."""
    too_long: list[str]
    """Ids of the rows that were left out."""

    def of(self, mixture: Mixture | None) -> Rows:
        """The rows of the mixture that was checked; None where the recipe has no rows.

        Raises:
            DataError: One cannot be read.
        """
        if mixture is None:
            return Rows((), [], [])
        validation = [
            example
            for source, number in self.validation
            for example in mixture.sources[source].row_examples(number)
        ]
        return Rows(TrainingRows(mixture, self.training), validation, self.too_long)


def open_sources(sources: Sequence[DataSource], folder: Path) -> list[Source]:
    """The sources of a recipe as they are read.

    Args:
        folder: Where the recipe lies.
    """
    return [
        Source(
            path=_beside(source.path, folder),
            name=source.name or ":".join(filter(None, (source.path, source.config, source.split))),
            format=source.format,
            split=source.split,
            config=source.config,
            revision=source.revision,
            prompt=source.prompt,
            image_dir=None if source.image_dir is None else folder / source.image_dir,
            streaming=source.streaming,
            weight=source.weight,
            limit=source.limit,
        )
        for source in sources
    ]


def _beside(path: str, folder: Path) -> str:
    """The path from the recipe's folder if there is something, otherwise as it is."""
    is_here = (folder / path).exists() or any(folder.glob(path.removeprefix("/")))
    return str(folder / path) if is_here else path


def content_key(examples: Sequence[Example]) -> int:
    """A number of 64 bits that changes with any text or picture of a row."""
    parts = [
        [turn.role, turn.learn, *(p if isinstance(p, str) else [p.digest] for p in turn.parts)]
        for example in examples
        for turn in example.turns
    ]
    return int(stable_hash(parts), 16)
