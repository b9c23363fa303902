"""In how many samples' references each n-gram occurs, for tasks of any size.

An n-gram that occurs in a single sample needs no entry: one is what an unknown n-gram counts as.
And an n-gram that occurs in two samples begins with an n-gram that does. So the table of an order
has a line for each n-gram of two samples or more, found by the line of all but its last word in
the table before and the number of that last word: two integers packed into one.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vlmbench.metrics.ngrams.encoding import EncodedTexts, Integers
from vlmbench.metrics.ngrams.table import NgramTable

if TYPE_CHECKING:
    import pandas as pd

_Short: TypeAlias = NDArray[np.int32]
"""Numbers of words, lines or documents, of which a large task has an array of millions."""

_WORD_BITS = 32
_SEPARATOR = -1


@dataclass(frozen=True, slots=True)
class DocumentFrequencies:
    """Document frequencies of n-grams; a sample with all its references is a document."""

    samples: int
    words: Mapping[Hashable, int]
    """Number of each word that occurs in two samples or more; a line of the first table."""
    keys: tuple[pd.Index[int], ...]
    """Of order 2 and more: line in the table before, shifted, and last word's number."""
    counts: tuple[Integers, ...]
    """Samples of each line, from order 1."""

    @property
    def orders(self) -> int:
        """Highest order of n-grams."""
        return len(self.counts)

    def lines_of_words(self, texts: EncodedTexts) -> Integers:
        """For each item of the texts its line in the first table; -1 for a rare one."""
        lines = [self.words.get(word, -1) for word in texts.vocabulary]
        return np.array(lines, dtype=np.int64).take(texts.keys)

    def of(self, table: NgramTable, words: Integers) -> Iterator[Integers]:
        """For each order, in how many samples each n-gram (a row of the table) occurs.

        Args:
            words: What `lines_of_words` says of their items.

        Yields:
            At least 1; 1 also for what runs across the end of a text.
        """
        # Separators are unknown words, and so is what comes behind the last text.
        at = np.full(len(table.ends) + self.orders, -1, dtype=np.int64)
        at[table.places] = words
        lines = np.full(1, -1)
        for order, rows in enumerate(table.rows):
            words = at.take(rows.positions + order)
            lines = self._longer(order, lines.take(rows.shorter), words) if order else words
            found = np.ones(len(lines), dtype=np.int64)
            hits = np.flatnonzero(lines >= 0)
            found[hits] = self.counts[order].take(lines.take(hits))
            yield found

    def _longer(self, order: int, lines: Integers, words: Integers) -> Integers:
        """The lines of n-grams of these lines that go on with these words; -1 without one."""
        import pandas as pd

        found = np.full(len(lines), -1, dtype=np.int64)
        known = np.flatnonzero((lines >= 0) & (words >= 0))
        wanted = (lines.take(known) << _WORD_BITS) | words.take(known)
        found[known] = self.keys[order - 1].get_indexer(pd.Index(wanted))
        return found


def count_documents(documents: Iterable[EncodedTexts], orders: int) -> DocumentFrequencies:
    """Count over documents, each of which is several texts.

    Args:
        documents: The references of each sample, many samples at a time. Read once.
    """
    import pandas as pd

    numbers: defaultdict[Hashable, int] = defaultdict(itertools.count().__next__)
    words_of_texts, sizes = [np.zeros(0, np.int32)], [np.zeros(0, np.int64)]
    for texts in documents:
        known = np.fromiter(map(numbers.__getitem__, texts.vocabulary), dtype=np.int32)
        ends = np.cumsum(texts.sizes)
        words_of_texts.append(np.insert(known[texts.keys], ends, _SEPARATOR))
        sizes.append(np.bincount(texts.samples, texts.sizes + 1, len(texts.n_texts)).astype(int))
    every, lengths = np.concatenate(words_of_texts), np.concatenate(sizes)
    owners = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    places = np.flatnonzero(every >= 0)
    lines, kept, count = _lines_of(places, every.take(places).astype(np.int64), owners)
    vocabulary = list(numbers)
    words = {vocabulary[number]: line for line, number in enumerate(kept.tolist())}
    keys, counts = [], [count]
    first = lines
    for order in range(1, orders):
        places, wanted = _continued(lines, first, order)
        lines, kept, count = _lines_of(places, wanted, owners)
        keys.append(pd.Index(kept))
        counts.append(count)
    return DocumentFrequencies(len(lengths), words, tuple(keys), tuple(counts))


def _continued(lines: _Short, words: _Short, order: int) -> tuple[Integers, Integers]:
    """Where a known n-gram of `order` words goes on with a known word, and the longer one's key."""
    ahead = words[order:]
    places = np.flatnonzero((lines[: len(ahead)] >= 0) & (ahead >= 0))
    return places, (lines.take(places).astype(np.int64) << _WORD_BITS) | ahead.take(places)


def _lines_of(
    places: Integers, keys: Integers, owners: _Short
) -> tuple[_Short, Integers, Integers]:
    """Gives a line to each key of two documents or more.

    Returns:
        The line of each position, -1 without one; the key of each line; the number of documents
        of each line.
    """
    import pandas as pd

    codes, distinct = pd.factorize(keys)
    pairs = pd.unique((codes << _WORD_BITS) | owners.take(places))
    documents = np.bincount(pairs >> _WORD_BITS, minlength=len(distinct))
    frequent = documents >= 2
    lines = np.full(len(owners), -1, dtype=np.int32)
    lines[places] = np.where(frequent, np.cumsum(frequent) - 1, -1).take(codes)
    return lines, distinct[frequent], documents[frequent]
