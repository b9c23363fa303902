"""Which samples `--limit N` leaves: a part of the task that is like the whole of it.

Every sample is about as likely as any other to be drawn, and each subset, and within it each
slice, has its share of the part, up to a sample or so (stratified sampling with proportional
allocation). With the same seed a larger limit draws the samples of a smaller one and more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from random import Random

from vlmbench.records import Sample, Scalar
from vlmbench.tasks.spec import TaskSpec


def drawn_positions(
    task: TaskSpec, samples: Sequence[Sample], *, limit: int | None, seed: int
) -> tuple[int, ...] | None:
    """Positions of the samples that are asked, ascending; None for all of them.

    Args:
        samples: All of the task, in the order of its data, with `row["subset"]` where there is one.
        limit: How many; None, or as many as there are, for all.
    """
    if limit is None or limit >= len(samples):
        return None
    strata = [
        (one.row.get("subset"), *(one.meta.get(name) for name in task.slices)) for one in samples
    ]
    return tuple(sorted(draw_order(strata, seed)[:limit]))


def draw_order(strata: Sequence[tuple[Scalar, ...]], seed: int) -> list[int]:
    """The positions of all samples in the order in which they are drawn.

    Args:
        strata: What each sample belongs to, the coarsest first; equally many for each.
    """
    return _Draw(strata, seed).spread(range(len(strata)), 0)


class _Draw:
    """Puts samples into an order of which every beginning is like the whole."""

    def __init__(self, strata: Sequence[tuple[Scalar, ...]], seed: int) -> None:
        self._strata, self._random = strata, Random(seed)
        self._starts = [self._spaced(dict.fromkeys(column)) for column in zip(*strata, strict=True)]
        self._divided: Counter[int] = Counter()

    def spread(self, positions: Sequence[int], depth: int) -> list[int]:
        """Members of one stratum, its parts spread evenly over any beginning of them."""
        if not positions or depth == len(self._strata[positions[0]]):
            return self._random.sample(positions, len(positions))
        parts: dict[Scalar, list[int]] = {}
        for position in positions:
            parts.setdefault(self._strata[position][depth], []).append(position)
        turn = self._divided[depth] * _TURN
        self._divided[depth] += 1
        places: list[tuple[float, int]] = []
        for value, part in parts.items():
            # The members of a part of size m stand 1/m apart on a line from 0 to 1, from a start
            # that is drawn: each is anywhere with the same chance, and every stretch has its share.
            # The starts turn from stratum to stratum, so that a slice that comes late in one comes
            # early in another.
            start = (self._starts[depth][value] + turn) % 1.0
            ordered = self.spread(part, depth + 1)
            places += [((rank + start) / len(part), one) for rank, one in enumerate(ordered)]
        return [position for _, position in sorted(places)]

    def _spaced(self, values: Collection[Scalar]) -> dict[Scalar, float]:
        """A start for each value, in any order, equally far from each other round the circle."""
        phase = self._random.random()
        order = self._random.sample(list(values), len(values))
        return {value: phase + rank / len(order) for rank, value in enumerate(order)}


_TURN = (5**0.5 - 1) / 2
"""The golden ratio, whose multiples fill the line from 0 to 1 evenly, however many there are."""
