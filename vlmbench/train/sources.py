"""The rows of a recipe's data: read, checked, split into training and validation."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vlmbench.errors import DataError
from vlmbench.train.data.examples import Example
from vlmbench.train.data.formats import read_examples
from vlmbench.train.encode import ExampleEncoder
from vlmbench.train.recipe import DataSource, Recipe, Validation

MOST_LEFT_OUT = 0.05
"""Part of the rows that may be too long before the training stops."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What is learned from, and what is kept from it."""

    training: list[Example]
    validation: list[Example]
    too_long: list[str]
    """Ids of the rows that were left out."""
    weights: dict[str, float]
    """Of each source."""


def load_examples(sources: Sequence[DataSource], folder: Path) -> list[Example]:
    """All rows of some sources.

    Args:
        folder: Where the recipe lies.

    Raises:
        DataError: A source cannot be read.
    """
    return [example for source in sources for example in _read_source(source, folder)]


def _read_source(source: DataSource, folder: Path) -> Iterator[Example]:
    beside = folder / source.path
    is_here = beside.exists() or any(folder.glob(source.path.removeprefix("/")))
    return read_examples(
        str(beside) if is_here else source.path,
        format=source.format,
        split=source.split,
        config=source.config,
        limit=source.limit,
        source=source.name or source.path,
        prompt=source.prompt,
    )


def prepare_rows(
    recipe: Recipe, examples: list[Example], encoder: ExampleEncoder, *, longest: int
) -> Rows:
    """Checks every row, leaves out those that are too long and sets the validation rows apart.

    Args:
        longest: Tokens that the model has positions for.

    Raises:
        DataError: A row cannot be learned from, too many are too long, or none is left.
    """
    limit = min(recipe.max_length or longest, longest)
    fits = [encoder.size(example).tokens <= limit for example in examples]
    kept = [example for example, fit in zip(examples, fits, strict=True) if fit]
    too_long = [example.id for example, fit in zip(examples, fits, strict=True) if not fit]
    if len(too_long) > MOST_LEFT_OUT * len(examples):
        raise DataError(
            f"{len(too_long)} of {len(examples)} rows are longer than {limit} tokens (such as "
            f"'{too_long[0]}'); raise 'max_length', lower 'model.max_pixels' or shorten them."
        )
    training, validation = kept, list[Example]()
    if recipe.validation is not None:
        training, validation = split_rows(kept, recipe.validation, recipe.seed)
    if not training and recipe.row_sources:
        raise DataError("There is no row left to train on; check 'data' in the recipe.")
    weights = {source.name or source.path: source.weight for source in recipe.row_sources}
    return Rows(training, validation, too_long, weights)


def split_rows(
    examples: Sequence[Example], validation: Validation, seed: int
) -> tuple[list[Example], list[Example]]:
    """Training and validation rows; those that share a picture are on the same side."""
    groups = _by_picture(examples) if validation.by == "picture" else [[one] for one in examples]
    wanted = validation.rows or max(1, round((validation.fraction or 0) * len(examples)))
    random.Random(f"{seed}:validation").shuffle(groups)
    held: set[int] = set()
    for group in groups:
        if len(held) >= wanted or len(held) + len(group) >= len(examples):
            break
        held |= {id(example) for example in group}
    training = [example for example in examples if id(example) not in held]
    return training, [example for example in examples if id(example) in held]


def _by_picture(examples: Sequence[Example]) -> list[list[Example]]:
    """Groups that share no picture with one another; a row without any stands alone."""
    leader: dict[str, str] = {}

    def find(name: str) -> str:
        while leader.setdefault(name, name) != name:
            name = leader[name]
        return name

    names = [[image.digest for image in one.images] or [f"row {id(one)}"] for one in examples]
    for digests in names:
        for digest in digests[1:]:
            leader[find(digest)] = find(digests[0])
    groups: dict[str, list[Example]] = defaultdict(list)
    for example, digests in zip(examples, names, strict=True):
        groups[find(digests[0])].append(example)
    return list(groups.values())
