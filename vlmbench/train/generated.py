"""What a recipe's generated sources give a training: feeds, validation, a sample for the guard."""

from __future__ import annotations

from collections.abc import Sequence

from vlmbench.errors import DataError
from vlmbench.train.data.examples import Example
from vlmbench.train.encode import ExampleEncoder
from vlmbench.train.feed import Feed
from vlmbench.train.mixed_feed import MixedFeed
from vlmbench.train.recipe import Recipe
from vlmbench.train.synthetic_feed import SyntheticFeed

GUARDED_PICTURES = 200
"""Pictures of each generated source that the guard looks at."""
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


def guard_sample(recipe: Recipe) -> list[Example]:
    """Some of what the generated sources will give, for the guard to report on."""
    return [one for feed in synthetic_feeds(recipe) for one in feed.sample(GUARDED_PICTURES)]


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
