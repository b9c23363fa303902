"""Every row before the first step, in one pass: encoded, compared with evaluation tasks, numbered.

What is remembered of a row is its number, a key of its content and keys of its pictures, some 50
bytes; the row itself is read again when it is trained on.
"""

from __future__ import annotations

import contextlib
import random
from array import array
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING, TypeAlias

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vlmbench.environment import cpu_cores
from vlmbench.errors import DataError
from vlmbench.executors.local import prefetched
from vlmbench.records import stable_hash
from vlmbench.train.data.contamination import GuardReport, check, decide, refuse_drawn
from vlmbench.train.data.evaluation_index import EvaluationIndex
from vlmbench.train.data.examples import Example
from vlmbench.train.data.mixture import Mixture
from vlmbench.train.encode import ExampleEncoder
from vlmbench.train.recipe import Recipe
from vlmbench.train.recipe_sections import Validation
from vlmbench.train.sources import CheckedRows, SourceRows, content_key

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

MOST_LEFT_OUT = 0.05
"""Part of the rows that may be too long before the training stops."""
_CHUNK = 8
"""Rows that a thread encodes at a time."""

_Row: TypeAlias = tuple[int, int, list[Example]]
"""Source, number and examples."""


@dataclass(slots=True)
class _Table:
    """What is remembered of all rows, in the order of the data."""

    sources: array[int] = field(default_factory=lambda: array("h"))
    numbers: array[int] = field(default_factory=lambda: array("q"))
    content: array[int] = field(default_factory=lambda: array("Q"))
    shown: array[int] = field(default_factory=lambda: array("Q"))
    """See `SourceRows.pictures`."""
    rows_of_pictures: array[int] = field(default_factory=lambda: array("q"))
    pictures: array[int] = field(default_factory=lambda: array("Q"))
    rows_of_examples: array[int] = field(default_factory=lambda: array("q"))
    too_long: dict[int, str] = field(default_factory=dict)
    """Ids by row."""

    def __len__(self) -> int:
        return len(self.numbers)

    def add(self, row: _Row, *, fits: bool) -> None:
        source, number, examples = row
        at = len(self)
        self.sources.append(source)
        self.numbers.append(number)
        self.content.append(content_key(examples))
        pictures = [image.digest for image in examples[0].images]
        self.shown.append(int(stable_hash(pictures), 16) if pictures else 0)
        self.pictures.extend(int(digest, 16) for digest in pictures)
        self.rows_of_pictures.extend([at] * len(pictures))
        self.rows_of_examples.extend([at] * len(examples))
        if not fits:
            self.too_long[at] = examples[0].id


def check_rows(
    recipe: Recipe,
    mixture: Mixture | None,
    encoder: ExampleEncoder,
    index: EvaluationIndex,
    generated: Iterable[Sequence[Example]] = (),
    *,
    longest: int,
    quiet: bool,
) -> tuple[CheckedRows, GuardReport]:
    """Reads every row once, and says which are trained on.

    Args:
        mixture: None where the recipe has no rows.
        index: What must not be trained on.
        generated: What is trained on beside the rows, by update; only compared with the index.
        longest: Tokens that the model has positions for.
        quiet: Show no progress.

    Returns:
        The rows without those that the guard drops and those that are too long; and what the
        guard found.

    Raises:
        DataError: A row cannot be learned from, the guard refuses one, too many are too long, or
            none is left.
    """
    limit = min(recipe.max_length or longest, longest)
    table = _Table()
    with contextlib.ExitStack() as stack:
        examples: Iterable[Example] = ()
        if mixture is not None:
            encoded = _encoded(mixture, encoder, limit, table, quiet=quiet)
            examples = stack.enter_context(contextlib.closing(encoded))
        is_drawn = bool(index.samples and recipe.synthetic_sources)
        drawn = _drawn(recipe, generated, quiet=quiet) if is_drawn else ()
        report = check(chain(examples, drawn), index)
    of_rows = len(table.rows_of_examples)
    refuse_drawn(report, of_rows, recipe.guard)
    keys = decide(report.of_first(of_rows), recipe.guard)
    if mixture is None:
        return CheckedRows((), (), []), report
    dropped = {table.rows_of_examples[one.position] for one in report.findings if one.key in keys}
    too_long = {row: name for row, name in table.too_long.items() if row not in dropped}
    compared = len(table) - len(dropped)
    if len(too_long) > MOST_LEFT_OUT * compared:
        raise DataError(
            f"{len(too_long)} of {compared} rows are longer than {limit} tokens (such as "
            f"'{next(iter(too_long.values()))}'); raise 'max_length', lower 'model.max_pixels' or "
            "shorten them."
        )
    training, validation = _split(recipe, mixture, table, dropped | too_long.keys())
    return CheckedRows(training, validation, list(too_long.values())), report.without(keys)


def _encoded(
    mixture: Mixture, encoder: ExampleEncoder, limit: int, table: _Table, *, quiet: bool
) -> Generator[Example, None, None]:
    """All examples; each is encoded as in training, and its row added to the table."""

    def sizes(rows: list[_Row]) -> list[tuple[_Row, int]]:
        return [(row, max(encoder.size(example).tokens for example in row[2])) for row in rows]

    threads = cpu_cores()
    bar = _bar("checking rows", quiet=quiet)
    task = bar.add_task("rows", total=sum(map(len, mixture.rows)))
    chunks = prefetched(sizes, _chunks(mixture.read()), threads=threads, ahead=threads + 1)
    with _one_torch_thread(), bar, contextlib.closing(chunks):
        for chunk in chunks:
            for row, tokens in chunk:
                table.add(row, fits=tokens <= limit)
                yield from row[2]
            bar.advance(task, len(chunk))


def _drawn(
    recipe: Recipe, generated: Iterable[Sequence[Example]], *, quiet: bool
) -> Iterator[Example]:
    """What is generated, one by one, with a bar of the updates that it is for."""
    bar = _bar("comparing generated pictures", quiet=quiet)
    task = bar.add_task("updates", total=recipe.max_steps)
    with bar:
        for update in generated:
            yield from update
            bar.advance(task)


def _bar(text: str, *, quiet: bool) -> Progress:
    return Progress(
        TextColumn(text),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=quiet,
    )


def _chunks(rows: Iterator[_Row]) -> Iterator[list[_Row]]:
    while chunk := list(islice(rows, _CHUNK)):
        yield chunk


@contextlib.contextmanager
def _one_torch_thread() -> Iterator[None]:
    """Rows are encoded by many threads, of which each would start as many of torch's."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _split(
    recipe: Recipe, mixture: Mixture, table: _Table, left_out: set[int]
) -> tuple[tuple[SourceRows, ...], tuple[tuple[int, int], ...]]:
    """Training and validation rows, see `CheckedRows`.

    Those that share a picture may be kept on the same side.
    """
    import numpy

    kept = numpy.ones(len(table), dtype=bool)
    kept[list(left_out)] = False
    groups = _picture_groups(table)
    held = numpy.zeros(len(table), dtype=bool)
    if recipe.validation is not None:
        held = _held(kept, groups, recipe.validation, recipe.seed)
    sources = numpy.asarray(table.sources)
    everything = SourceRows(
        numpy.asarray(table.numbers), numpy.asarray(table.content), numpy.asarray(table.shown)
    )
    if not (kept & ~held).any():
        raise DataError("There is no row left to train on; check 'data' in the recipe.")
    training = tuple(
        everything.at(kept & ~held & (sources == source)) for source in range(len(mixture.sources))
    )
    rows = numpy.flatnonzero(held).tolist()
    validation = tuple((table.sources[row], table.numbers[row]) for row in rows)
    return training, validation


def _held(
    kept: NDArray[numpy.bool_],
    groups: NDArray[numpy.intp],
    validation: Validation,
    seed: int,
) -> NDArray[numpy.bool_]:
    """Which rows are kept from training: whole groups by lot, until there are enough."""
    import numpy

    rows = numpy.flatnonzero(kept)
    if validation.by == "picture":
        rows = rows[numpy.argsort(groups[rows], kind="stable")]
        _, starts = numpy.unique(groups[rows], return_index=True)
    else:
        starts = numpy.arange(len(rows))
    ends = numpy.append(starts[1:], len(rows))
    wanted = validation.rows or max(1, round((validation.fraction or 0) * len(rows)))
    order = list(range(len(starts)))
    random.Random(f"{seed}:validation").shuffle(order)
    held = numpy.zeros(len(kept), dtype=bool)
    count = 0
    for group in order:
        size = int(ends[group] - starts[group])
        if count >= wanted or count + size >= len(rows):
            break
        held[rows[starts[group] : ends[group]]] = True
        count += size
    return held


def _picture_groups(table: _Table) -> NDArray[numpy.intp]:
    """The group of each row; rows of different groups share no picture."""
    import numpy
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    _, pictures = numpy.unique(numpy.asarray(table.pictures), return_inverse=True)
    rows = numpy.asarray(table.rows_of_pictures)
    size = len(table) + len(pictures)
    edges = coo_array(
        (numpy.ones(len(rows), dtype=bool), (rows, len(table) + pictures)), shape=(size, size)
    )
    _, groups = connected_components(edges, directed=False)
    found: NDArray[numpy.intp] = groups[: len(table)]
    return found
