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
Numbers: TypeAlias = tuple[int, ...]
"""Rows of a group, by their number."""
MOST_IN_ROW = 16
"""Most rows of one group; more would make an update's memory a matter of luck."""


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

    Args:
        per_update: Groups that an update learns from.
        packing: Rows that show the same pictures are groups; else each row is one.
    """

    def __init__(self, rows: Rows, per_update: int, seed: int, *, packing: bool = False) -> None:
        self._rows, self._per_update, self._seed = rows, per_update, seed
        self._packing = packing
        self._epochs: list[int] = [0]
        """Number of the first update of each epoch that was looked at."""
        self._drawn: tuple[int, list[list[Numbers]]] | None = None

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
        groups = self._updates(epoch)[step - self._epochs[epoch]]
        return [tuple(self._rows.training[number] for number in group) for group in groups]

    def some(self, count: int) -> list[Example]:
        """See `Feed`."""
        rows = self._rows.training
        return ([one for one in rows if one.images] or rows)[:count]

    def _updates(self, epoch: int) -> list[list[Numbers]]:
        """The groups of each update of an epoch."""
        if self._drawn is None or self._drawn[0] != epoch:
            self._drawn = (epoch, self._draw(epoch))
        return self._drawn[1]

    def _draw(self, epoch: int) -> list[list[Numbers]]:
        rng = random.Random(f"{self._seed}:{epoch}")
        kinds: dict[bool, list[int]] = {True: [], False: []}
        for number, example in enumerate(self._rows.training):
            weight = self._rows.weights.get(example.source, 1.0)
            times = int(weight) + (rng.random() < weight % 1)
            kinds[bool(example.images)] += [number] * times
        size, found = self._per_update, list[list[Numbers]]()
        for numbers in kinds.values():
            rng.shuffle(numbers)
            groups = self._grouped(numbers)
            found += [groups[at : at + size] for at in range(0, len(groups), size)]
        rng.shuffle(found)
        return found

    def _grouped(self, numbers: list[int]) -> list[Numbers]:
        """Rows with the same pictures together, in the order in which the first of each comes."""
        if not self._packing:
            return [(number,) for number in numbers]
        groups: dict[object, list[int]] = {}
        for number in numbers:
            shown = tuple(image.digest for image in self._rows.training[number].images)
            groups.setdefault(shown or number, []).append(number)
        return [
            tuple(group[at : at + MOST_IN_ROW])
            for group in groups.values()
            for at in range(0, len(group), MOST_IN_ROW)
        ]
