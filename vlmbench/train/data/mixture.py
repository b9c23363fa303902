"""Several sources with weights -> an endless order of examples that depends on the seed alone.

A source's rows come in passes: each pass has every row once, in an order of its own. An epoch takes
`weight` passes of each source (0.5: every other epoch continues the pass of the one before) and
mixes them. So what stands at a position of an epoch can be computed without going through those
before it, and a resumed training sees exactly what an unbroken one would have seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from vlmbench.errors import DataError, UsageError
from vlmbench.train.data.examples import Example
from vlmbench.train.data.formats import ExampleSource, Source

if TYPE_CHECKING:
    import numpy

MEMORY = 256 << 20
"""Bytes of rows that all sources together hold."""


class _Row(NamedTuple):
    source: int
    number: int
    passed: int
    """How often the source has been gone through before."""


class Mixture:
    """Examples by epoch and position.

    Rows of Parquet are shuffled within windows of row groups that fit into memory, the row groups
    before that, so that each row group is read about once a pass; rows of JSON files are shuffled
    as a whole.
    """

    def __init__(self, sources: Sequence[Source], *, seed: int, memory: int = MEMORY) -> None:
        """Find and index the data of all sources.

        Args:
            seed: From 0 up.
            memory: Bytes of rows to hold, shared by the sources. It decides about the windows, and
                so about the order.

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
        share = memory // max(1, len(sources))
        self.sources = [ExampleSource(source, memory=share) for source in sources]
        self.seed = seed
        names = [source.name for source in self.sources]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise UsageError(f"Two sources are called '{twice}'; give one another 'name'.")
        self._limits = [source.limit for source in sources]
        self._rows = [self._chosen(number) for number in range(len(sources))]
        self._share = [
            round(len(rows) * source.weight)
            for rows, source in zip(self._rows, sources, strict=True)
        ]
        if sum(self._share) == 0:
            raise DataError("The mixture has no row; name a source or raise a weight.")
        self._epoch: tuple[int, numpy.ndarray, numpy.ndarray] | None = None
        self._passes: dict[int, tuple[int, numpy.ndarray]] = {}

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
        row = self._row_at(epoch, position)
        examples = self.sources[row.source].row_examples(row.number)
        return examples[row.passed % len(examples)]

    def examples(self) -> Iterator[Example]:
        """Every example that may come, once, in the order of the data: to check and compare them.

        Raises:
            DataError: A row cannot be used.
        """
        for source, rows, limit in zip(self.sources, self._rows, self._limits, strict=True):
            if limit is None:
                yield from source.examples()
            else:
                for number in rows.tolist():
                    yield from source.row_examples(number)

    def _row_at(self, epoch: int, position: int) -> _Row:
        if not 0 <= position < len(self):
            raise IndexError(f"position {position} of an epoch of {len(self)}")
        if self._epoch is None or self._epoch[0] != epoch:
            self._epoch = (epoch, *self._mixed(epoch))
        _, labels, ranks = self._epoch
        source = int(labels[position])
        count = epoch * self._share[source] + int(ranks[position])
        passed, within = divmod(count, len(self._rows[source]))
        if self._passes.get(source, (-1,))[0] != passed:
            self._passes[source] = (passed, self._shuffled(source, passed))
        return _Row(source, int(self._passes[source][1][within]), passed)

    def _mixed(self, epoch: int) -> tuple[numpy.ndarray, numpy.ndarray]:
        """For each position its source, and how many of the source stand before it."""
        import numpy

        labels = numpy.repeat(numpy.arange(len(self.sources), dtype=numpy.int16), self._share)
        numpy.random.default_rng([self.seed, 0, epoch]).shuffle(labels)
        ranks = numpy.empty(len(labels), dtype=numpy.int64)
        for source, share in enumerate(self._share):
            ranks[labels == source] = numpy.arange(share)
        return labels, ranks

    def _chosen(self, source: int) -> numpy.ndarray:
        """Numbers of the rows that the limit leaves, ascending."""
        import numpy

        count, limit = len(self.sources[source]), self._limits[source]
        if limit is None or limit >= count:
            return numpy.arange(count)
        random = numpy.random.default_rng([self.seed, 1, source])
        return numpy.sort(random.choice(count, limit, replace=False))

    def _shuffled(self, source: int, passed: int) -> numpy.ndarray:
        """Numbers of the source's rows in the order of a pass."""
        import numpy

        data, rows = self.sources[source], self._rows[source]
        random = numpy.random.default_rng([self.seed, 2, source, passed])
        blocks = random.permutation(len(data.blocks))
        sizes = numpy.array([data.block_bytes(int(block)) for block in blocks])
        window = numpy.empty(len(blocks), dtype=numpy.int64)
        window[blocks] = _windows(sizes.tolist(), data.memory)
        block_of_row = numpy.searchsorted(numpy.array(data.starts), rows, side="right") - 1
        mixed = random.permutation(len(rows))
        order = numpy.argsort(window[block_of_row[mixed]], kind="stable")
        shuffled: numpy.ndarray = rows[mixed[order]]
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
