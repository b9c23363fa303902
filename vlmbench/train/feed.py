"""What each update learns from: a pure function of the seed and the number of the update.

So a resumed training sees what an unbroken one would have seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from vlmbench.train.data.examples import Example
from vlmbench.train.data.mixture import Order
from vlmbench.train.sources import TrainingRows

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

Group: TypeAlias = tuple[Example, ...]
"""Examples that stand in one row of a batch, because they show the same pictures; mostly one."""


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
    """

    def __init__(self, rows: TrainingRows, per_update: int) -> None:
        self._rows, self._per_update = rows, per_update
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
        chosen = zip(*(one.tolist() for one in found), strict=True)
        return [(self._rows.example(*one),) for one in chosen]

    def some(self, count: int) -> list[Example]:
        """See `Feed`."""
        return self._rows.seen(count)

    def _updates(self, epoch: int) -> list[NDArray[numpy.intp]]:
        """The positions of each update in an epoch of the mixture."""
        if self._drawn is None or self._drawn[0] != epoch:
            self._drawn = (epoch, self._draw(self._rows.mixture.order(epoch)))
        return self._drawn[1]

    def _draw(self, order: Order) -> list[NDArray[numpy.intp]]:
        import numpy

        seen = numpy.empty(len(order.sources), dtype=bool)
        for source in range(len(self._rows.mixture.sources)):
            of_source = order.sources == source
            seen[of_source] = self._rows.pictures(source)[order.places[of_source]] != 0
        size = self._per_update
        found: list[NDArray[numpy.intp]] = []
        for kind in (seen, ~seen):
            positions = numpy.flatnonzero(kind)
            found += [positions[at : at + size] for at in range(0, len(positions), size)]
        # Each update when its last row comes, so that the mixture's order is kept.
        return sorted(found, key=lambda positions: int(positions[-1]))
