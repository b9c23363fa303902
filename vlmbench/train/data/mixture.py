"""Several sources with weights -> an endless order of examples that depends on the seed alone.

A source's rows come in passes: each pass has every row once, in an order of its own. An epoch takes
`weight` passes of each source (0.5: every other epoch continues the pass of the one before) and
mixes them. So what stands at a position of an epoch can be computed without going through those
before it, and a resumed training sees exactly what an unbroken one would have seen.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Self

from vlmbench.errors import DataError, UsageError
from vlmbench.train.data.examples import Example
from vlmbench.train.data.formats import ExampleSource, Source

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

MEMORY = 256 << 20
"""Bytes of rows that all sources together hold."""


class Order(NamedTuple):
    """What stands at each position of an epoch."""

    sources: NDArray[numpy.int16]
    places: NDArray[numpy.int64]
    """Of the row among those of its source that are mixed, see `Mixture.rows`."""
    passes: NDArray[numpy.int32]
    """How often the source has been gone through before."""


class Mixture:
    """Examples by epoch and position.

    Rows of Parquet are shuffled within windows of row groups that fit into memory, the row groups
    before that, so that each row group is read about once a pass; rows of JSON files are shuffled
    as a whole.
    """

    def __init__(self, sources: Sequence[Source], *, seed: int, memory: int | None = None) -> None:
        """Find and index the data of all sources.

        Args:
            seed: From 0 up.
            memory: Bytes of rows to hold, shared by the sources; MEMORY unless given. It decides
                about the windows, and so about the order.

        Raises:
            DataError: A source has no data or no known layout, or no example is left.
            UsageError: A weight or limit is impossible, or two sources have one name.
        """
        for source in sources:
            if not source.weight > 0 or (source.limit is not None and source.limit < 1):
                raise UsageError(
                    f"The source {source.path} has a weight or limit that is not above 0; "
                    "leave the source out instead."
                )
        share = (memory or MEMORY) // max(1, len(sources))
        self.sources = [ExampleSource(source, memory=share) for source in sources]
        self.seed = seed
        names = [source.name for source in self.sources]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise UsageError(f"Two sources are called '{twice}'; give one another 'name'.")
        self._weights = [source.weight for source in sources]
        self._use([self._chosen(at, source.limit) for at, source in enumerate(sources)])

    def _use(self, rows: Sequence[NDArray[numpy.int64]]) -> None:
        self.rows = tuple(rows)
        """Numbers of the rows of each source that are mixed, ascending."""
        self._share = [
            round(len(numbers) * weight)
            for numbers, weight in zip(rows, self._weights, strict=True)
        ]
        if sum(self._share) == 0:
            raise DataError("The mixture has no row; name a source or raise a weight.")
        self._epoch: tuple[int, Order] | None = None
        self._passes: dict[int, tuple[int, NDArray[numpy.int64]]] = {}

    def keeping(self, rows: Sequence[NDArray[numpy.int64]]) -> Self:
        """The mixture of some of its rows, which shares the rows in memory with this one.

        Args:
            rows: Numbers for each source, ascending.

        Raises:
            DataError: No row is left.
        """
        kept = copy.copy(self)
        kept._use(rows)
        return kept

    def __len__(self) -> int:
        """Examples an epoch."""
        return sum(self._share)

    @property
    def examples_per_epoch(self) -> dict[str, int]:
        """By source."""
        return {source.name: share for source, share in zip(self.sources, self._share, strict=True)}

    def example_at(self, epoch: int, position: int) -> Example:
        """The example at a position (0 to `len` - 1) of an epoch (from 0).

        A picture with several captions shows another one in each pass.

        Raises:
            DataError: The row cannot be used.
            IndexError: There is no such position.
        """
        if not 0 <= position < len(self):
            raise IndexError(f"position {position} of an epoch of {len(self)}")
        order = self.order(epoch)
        examples = self.row_examples(int(order.sources[position]), int(order.places[position]))
        return examples[int(order.passes[position]) % len(examples)]

    def row_examples(self, source: int, place: int) -> list[Example]:
        """What the row at a place of `rows[source]` teaches; several are captions of one picture.

        Raises:
            DataError: The row cannot be used.
        """
        return self.sources[source].row_examples(int(self.rows[source][place]))

    def read(self) -> Iterator[tuple[int, int, list[Example]]]:
        """Source, number and examples of every row that is mixed, once, in the order of the data.

        Raises:
            DataError: A row cannot be used.
        """
        for at, (source, numbers) in enumerate(zip(self.sources, self.rows, strict=True)):
            if len(numbers) == len(source):
                yield from ((at, number, examples) for number, examples in source.read())
            else:
                for number in numbers.tolist():
                    yield at, number, source.row_examples(number)

    def order(self, epoch: int) -> Order:
        """The rows of an epoch (from 0) by position."""
        if self._epoch is None or self._epoch[0] != epoch:
            self._epoch = (epoch, self._mixed(epoch))
        return self._epoch[1]

    def _mixed(self, epoch: int) -> Order:
        import numpy

        labels = numpy.repeat(numpy.arange(len(self.sources), dtype=numpy.int16), self._share)
        numpy.random.default_rng([self.seed, 0, epoch]).shuffle(labels)
        places = numpy.empty(len(labels), dtype=numpy.int64)
        passes = numpy.empty(len(labels), dtype=numpy.int32)
        for source, share in enumerate(self._share):
            if not share:
                continue
            # The epochs before had as many rows each; how often has the source been gone through?
            counts = epoch * share + numpy.arange(share)
            passed, within = numpy.divmod(counts, len(self.rows[source]))
            found = numpy.empty(share, dtype=numpy.int64)
            for one in range(int(passed[0]), int(passed[-1]) + 1):
                found[passed == one] = self._shuffled(source, one)[within[passed == one]]
            places[labels == source], passes[labels == source] = found, passed
        return Order(labels, places, passes)

    def _chosen(self, source: int, limit: int | None) -> NDArray[numpy.int64]:
        """Numbers of the rows that the limit leaves, ascending."""
        import numpy

        count = len(self.sources[source])
        if limit is None or limit >= count:
            return numpy.arange(count)
        random = numpy.random.default_rng([self.seed, 1, source])
        return numpy.sort(random.choice(count, limit, replace=False))

    def _shuffled(self, source: int, passed: int) -> NDArray[numpy.int64]:
        """Places of the source's rows in the order of a pass; the last one is remembered."""
        if self._passes.get(source, (-1,))[0] != passed:
            self._passes[source] = (passed, self._shuffle(source, passed))
        return self._passes[source][1]

    def _shuffle(self, source: int, passed: int) -> NDArray[numpy.int64]:
        import numpy

        data, rows = self.sources[source], self.rows[source]
        random = numpy.random.default_rng([self.seed, 2, source, passed])
        blocks = random.permutation(len(data.blocks))
        sizes = numpy.array([data.block_bytes(int(block)) for block in blocks])
        window = numpy.empty(len(blocks), dtype=numpy.int64)
        window[blocks] = _windows(sizes.tolist(), data.memory)
        block_of_row = numpy.searchsorted(numpy.array(data.starts), rows, side="right") - 1
        mixed = random.permutation(len(rows))
        order = numpy.argsort(window[block_of_row[mixed]], kind="stable")
        shuffled: NDArray[numpy.int64] = mixed[order]
        return shuffled


def _windows(sizes: Sequence[int], room: int) -> list[int]:
    """The window of each block: following ones that fit into memory together."""
    windows, window, used = [], 0, 0
    for size in sizes:
        if used and used + size > room:
            window, used = window + 1, 0
        used += size
        windows.append(window)
    return windows
