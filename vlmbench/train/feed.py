"""What each update learns from: a pure function of the seed and the number of the update.

So a resumed training sees what an unbroken one would have seen.
"""

from __future__ import annotations

import random
from typing import Protocol, TypeAlias

from vlmbench.errors import DataError
from vlmbench.train.data.examples import Example
from vlmbench.train.sources import Rows

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
    """Rows that are in memory.

    A source's weight says how often its rows come in an epoch: whole times for certain, the rest
    by lot.
    """

    def __init__(self, rows: Rows, per_update: int, seed: int) -> None:
        self._rows, self._per_update, self._seed = rows, per_update, seed
        self._epochs: list[int] = [0]
        """Number of the first update of each epoch that was looked at."""
        self._drawn: tuple[int, list[list[int]]] | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Updates of the first epoch."""
        return len(self._updates(0))

    def update(self, step: int) -> list[Group]:
        """See `Feed`."""
        epoch = max(at for at, first in enumerate(self._epochs) if first <= step)
        while step >= self._epochs[epoch] + len(self._updates(epoch)):
            if not self._updates(epoch):
                raise DataError("No row is drawn in an epoch; raise the 'weight' of the data.")
            if epoch + 1 == len(self._epochs):
                self._epochs.append(self._epochs[epoch] + len(self._updates(epoch)))
            epoch += 1
        numbers = self._updates(epoch)[step - self._epochs[epoch]]
        return [(self._rows.training[number],) for number in numbers]

    def some(self, count: int) -> list[Example]:
        """See `Feed`."""
        rows = self._rows.training
        return ([one for one in rows if one.images] or rows)[:count]

    def _updates(self, epoch: int) -> list[list[int]]:
        """The rows of each update of an epoch, by number."""
        if self._drawn is None or self._drawn[0] != epoch:
            self._drawn = (epoch, self._draw(epoch))
        return self._drawn[1]

    def _draw(self, epoch: int) -> list[list[int]]:
        rng = random.Random(f"{self._seed}:{epoch}")
        kinds: dict[bool, list[int]] = {True: [], False: []}
        for number, example in enumerate(self._rows.training):
            weight = self._rows.weights.get(example.source, 1.0)
            times = int(weight) + (rng.random() < weight % 1)
            kinds[bool(example.images)] += [number] * times
        size, found = self._per_update, list[list[int]]()
        for numbers in kinds.values():
            rng.shuffle(numbers)
            found += [numbers[at : at + size] for at in range(0, len(numbers), size)]
        rng.shuffle(found)
        return found
