"""Updates of several feeds, such as a user's rows and generated pictures."""

from __future__ import annotations

import random
from collections.abc import Sequence

from vlmbench.train.data.examples import Example
from vlmbench.train.feed import Feed, Group


class MixedFeed:
    """Draws for each update by lot which feed it is of.

    A feed's own updates come in their order, none left out, so that its epochs stay whole.

    Args:
        weights: How often each feed is drawn, relative to the others.
        seed: Of the recipe.
    """

    def __init__(self, feeds: Sequence[Feed], weights: Sequence[float], seed: int) -> None:
        self._feeds, self._weights, self._seed = feeds, weights, seed
        self._before: list[tuple[int, ...]] = [(0,) * len(feeds)]
        """For each update looked at, how many each feed has given before it."""

    @property
    def steps_per_epoch(self) -> int | None:
        """None: how many updates show every row depends on the lot."""
        return None

    def update(self, step: int) -> list[Group]:
        """See `Feed`."""
        while len(self._before) <= step:
            last = self._before[-1]
            drawn = self._chosen(len(self._before) - 1)
            self._before.append(tuple(n + (at == drawn) for at, n in enumerate(last)))
        chosen = self._chosen(step)
        return self._feeds[chosen].update(self._before[step][chosen])

    def some(self, number: int) -> list[Example]:
        """See `Feed`; of all feeds in turn."""
        found = [feed.some(number) for feed in self._feeds]
        turns = [few[at] for at in range(number) for few in found if at < len(few)]
        return ([one for one in turns if one.images] or turns)[:number]

    def _chosen(self, step: int) -> int:
        rng = random.Random(f"{self._seed}:feed:{step}")
        return rng.choices(range(len(self._feeds)), self._weights)[0]
