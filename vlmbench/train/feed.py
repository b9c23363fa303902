"""What each update learns from: a pure function of the seed and the number of the update.

So a resumed training sees what an unbroken one would have seen.
"""

from __future__ import annotations

from typing import Protocol, TypeAlias

import numpy
from numpy.typing import NDArray

from vlmbench.train.data.examples import Example
from vlmbench.train.data.mixture import Order
from vlmbench.train.sources import TrainingRows

Group: TypeAlias = tuple[Example, ...]
"""Examples that stand in one row of a batch, because they show the same pictures; mostly one."""
MOST_IN_ROW = 16
"""Most examples of one group; more would make an update's memory a matter of luck."""


class Feed(Protocol):
    """Where the loop gets its examples from."""

    @property
    def steps_per_epoch(self) -> int | None:
        """Updates in which every row is seen about once; None where rows have no end."""

    def update(self, step: int) -> list[Group]:
        """What update `step` (from 0) learns from: all with images, or all without.

        Raises:
            DataError: There is nothing, or a row cannot be read.
        """

    def some(self, count: int) -> list[Example]:
        """A few examples, of those with images if there are any; always the same."""


class RowFeed:
    """Rows of files, in the order of a mixture and read as they come.

    The rows of an update follow each other in the mixture, but for those of the other kind
    between them, so that they are mostly in memory together.

    Args:
        per_update: Groups that an update learns from.
        packing: Rows that show the same pictures are groups; else each row is one.
    """

    def __init__(self, rows: TrainingRows, per_update: int, *, packing: bool = False) -> None:
        self._rows, self._per_update, self._packing = rows, per_update, packing
        self._epochs: list[int] = [0]
        """Number of the first update of each epoch that was looked at."""
        self._drawn: tuple[int, list[NDArray[numpy.intp]]] | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Updates of the first epoch."""
        return len(self._updates(0))

    def update(self, step: int) -> list[Group]:
        """See `Feed`."""
        epoch = max(at for at, first in enumerate(self._epochs) if first <= step)
        while step >= self._epochs[epoch] + len(self._updates(epoch)):
            if epoch + 1 == len(self._epochs):
                self._epochs.append(self._epochs[epoch] + len(self._updates(epoch)))
            epoch += 1
        positions = self._updates(epoch)[step - self._epochs[epoch]]
        order = self._rows.mixture.order(epoch)
        found = (order.sources[positions], order.places[positions], order.passes[positions])
        examples = [
            self._rows.example(source, place, passed)
            for source, place, passed in zip(*(one.tolist() for one in found), strict=True)
        ]
        ends = numpy.append(numpy.flatnonzero(self._begins(order, positions))[1:], len(positions))
        starts = [0, *ends[:-1].tolist()]
        return [
            tuple(examples[start:end]) for start, end in zip(starts, ends.tolist(), strict=True)
        ]

    def some(self, count: int) -> list[Example]:
        """See `Feed`."""
        return self._rows.seen(count)

    def _updates(self, epoch: int) -> list[NDArray[numpy.intp]]:
        """The positions of each update in an epoch of the mixture."""
        if self._drawn is None or self._drawn[0] != epoch:
            self._drawn = (epoch, self._draw(self._rows.mixture.order(epoch)))
        return self._drawn[1]

    def _draw(self, order: Order) -> list[NDArray[numpy.intp]]:
        shown = self._shown(order, numpy.arange(len(order.sources)))
        found: list[NDArray[numpy.intp]] = []
        for kind in (shown != 0, shown == 0):
            positions = numpy.flatnonzero(kind)
            if self._packing and len(positions) and shown[positions[0]]:
                # Same pictures together, in the order in which the first of each comes.
                _, first, of = numpy.unique(
                    shown[positions], return_index=True, return_inverse=True
                )
                positions = positions[numpy.argsort(first[of], kind="stable")]
            groups = numpy.cumsum(self._begins(order, positions)) - 1
            cuts = numpy.flatnonzero(numpy.diff(groups // self._per_update)) + 1
            found += [update for update in numpy.split(positions, cuts) if len(update)]
        # Each update when its last row comes, so that the mixture's order is kept.
        return sorted(found, key=lambda positions: int(positions.max()))

    def _begins(self, order: Order, positions: NDArray[numpy.intp]) -> NDArray[numpy.bool_]:
        """Whether a group begins at each of the positions; the first always does."""
        begins = numpy.ones(len(positions), dtype=bool)
        if self._packing:
            shown = self._shown(order, positions)
            begins[1:] = (shown[1:] != shown[:-1]) | (shown[1:] == 0)
            places = numpy.arange(len(positions))
            begins |= (places - numpy.maximum.accumulate(places * begins)) % MOST_IN_ROW == 0
        return begins

    def _shown(self, order: Order, positions: NDArray[numpy.intp]) -> NDArray[numpy.uint64]:
        """Keys of the pictures that rows show; 0 where there is none."""
        shown = numpy.zeros(len(positions), dtype=numpy.uint64)
        for source in range(len(self._rows.mixture.sources)):
            here = order.sources[positions] == source
            shown[here] = self._rows.pictures(source)[order.places[positions][here]]
        return shown
