"""What a recipe's generated sources give a training: feeds, validation, all of it for the guard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vlmbench.errors import DataError
from vlmbench.train.data.examples import Example
from vlmbench.train.encode import ExampleEncoder
from vlmbench.train.feed import Feed, Group
from vlmbench.train.mixed_feed import MixedFeed
from vlmbench.train.pairs import shown_alone
from vlmbench.train.recipe import Recipe
from vlmbench.train.synthetic_feed import SyntheticFeed

SIZED_PICTURES = 64
"""Pictures of each generated source that are measured before step 0."""


def synthetic_feeds(recipe: Recipe, per_update: int | None = None) -> list[SyntheticFeed]:
    """A feed for each generated source of a recipe.

    Args:
        per_update: Groups of an update; those of one process unless given.
    """
    size = per_update or recipe.examples_per_step
    return [
        SyntheticFeed(source, size, recipe.seed, number=number)
        for number, source in enumerate(recipe.synthetic_sources)
    ]


def mixed(recipe: Recipe, rows: Feed | None, per_update: int) -> Feed:
    """The feed of all sources of a recipe.

    Args:
        rows: Of the sources that are rows, if there are any. Together they come as often as the
            sum of their weights says.
        per_update: Groups of an update.
    """
    feeds: list[Feed] = list(synthetic_feeds(recipe, per_update))
    weights = [source.weight for source in recipe.synthetic_sources]
    if rows is not None:
        feeds.append(rows)
        weights.append(sum(source.weight for source in recipe.row_sources))
    return feeds[0] if len(feeds) == 1 else MixedFeed(feeds, weights, recipe.seed)


def generated_validation(recipe: Recipe) -> list[Example]:
    """The validation examples of the generated sources: of pictures that are never trained on."""
    rows = recipe.validation.rows if recipe.validation else None
    return [one for feed in synthetic_feeds(recipe) for one in feed.held_out(rows or 0)]


def generated_examples(recipe: Recipe, per_update: int) -> Iterator[list[Example]]:
    """All that the generated sources will give to a training, update by update.

    A contrastive stage keeps the first pictures of its updates, which come in one list.

    Args:
        per_update: Groups of an update, of all processes.
    """
    if not recipe.synthetic_sources:
        return
    feed = mixed(recipe, _RowsElsewhere() if recipe.row_sources else None, per_update)
    if recipe.objective == "contrastive":
        chosen = recipe.contrastive
        yield shown_alone(feed, chosen.pictures, regions=chosen.regions)
        return
    for step in range(recipe.max_steps or 0):  # without it the loop refuses data without an end
        yield [one for group in feed.update(step) for one in group]


class _RowsElsewhere:
    """Stands for the rows of a recipe, so that the other sources get their own updates."""

    @property
    def steps_per_epoch(self) -> int | None:
        return None

    def update(self, step: int) -> list[Group]:
        return []

    def some(self, count: int) -> list[Example]:
        return []


def check_sizes(recipe: Recipe, encoder: ExampleEncoder, *, longest: int) -> None:
    """Sees whether the model can take what is generated.

    Args:
        longest: Tokens that the model has positions for.

    Raises:
        DataError: An example does not fit.
    """
    limit = min(recipe.max_length or longest, longest)
    examples: Sequence[Example] = [
        one for feed in synthetic_feeds(recipe) for one in feed.some(SIZED_PICTURES)
    ]
    for example in examples:
        tokens = encoder.size(example).tokens
        if tokens > limit:
            raise DataError(
                f"Generated pictures take up to {tokens} tokens ('{example.id}') and {limit} are "
                "allowed; raise 'max_length' or leave that family out of the mixture."
            )
