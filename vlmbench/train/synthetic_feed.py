"""Updates of generated pictures, which are drawn when they are needed and never stored."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import chain, zip_longest

from vlmbench.train.data.examples import Example
from vlmbench.train.feed import Group
from vlmbench.train.synthetic.examples import group_examples
from vlmbench.train.synthetic.spec import SyntheticSource


class SyntheticFeed:
    """A `Feed` whose groups are the questions on one picture, or one pair of pictures.

    Args:
        per_update: Groups of an update.
        seed: Of the recipe.
        number: Tells the generated sources of a recipe apart, which draw different pictures.
    """

    def __init__(
        self, source: SyntheticSource, per_update: int, seed: int, *, number: int = 0
    ) -> None:
        self._source, self._spec = source, source.synthetic
        self._per_update = per_update
        self._seed = f"{seed}:{number}"

    @property
    def steps_per_epoch(self) -> int | None:
        """None: there is no end."""
        return None

    def update(self, step: int) -> list[Group]:
        """See `Feed`; groups of one size stand together, so that little of a batch is padding."""
        return sorted(self._drawn(str(step), self._per_update), key=_size)

    def some(self, number: int) -> list[Example]:
        """See `Feed`; of different pictures."""
        return [group[0] for group in self._drawn("0", number)]

    def held_out(self, number: int) -> list[Example]:
        """The questions on pictures that no update draws; the first question of each comes first.

        Args:
            number: Of pictures, or pairs.
        """
        by_question = zip_longest(*self._drawn("validation", number))
        return [one for one in chain.from_iterable(by_question) if one is not None]

    def _drawn(self, name: str, number: int) -> Iterator[Group]:
        rng = random.Random(f"{self._seed}:{name}")
        families, weights = zip(*self._spec.mixture.items(), strict=True)
        for at, family in enumerate(rng.choices(families, weights, k=number)):
            yield group_examples(
                family,
                f"{self._seed}:{name}:{at}",
                questions=self._spec.questions,
                kinds=self._spec.kinds,
                source="/".join(filter(None, (self._source.name, family))),
            )


def _size(group: Group) -> tuple[int, str]:
    """Bytes of the pictures, and the family: of one family all prompts look alike."""
    return sum(len(image.data) for image in group[0].images), group[0].source
