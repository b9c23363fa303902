"""Texts of many samples as one array of numbers, so that they can be compared all together.

The words of a text come as a line with spaces between. Taking each word out of it and looking it
up would cost half as much again as finding the words did. So lines are turned into arrays of code
points, and words of up to three characters, nearly all there are in Japanese, into their code
points side by side in one integer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import cached_property
from itertools import chain, count
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

Integers: TypeAlias = NDArray[np.int64]

Texts: TypeAlias = Sequence[Sequence[Hashable]]
"""Sequences of words or characters: the answer's first, then the references'."""

_POINT_BITS = 21
_PACKED = 3
"""Code points that fit into an integer."""
_SPACE, _BREAK = ord(" "), ord("\n")
_MIXERS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F)
"""Odd numbers whose products with others have well-mixed upper bits."""
_LETTERS = 0x110000
"""Numbers that are code points."""


class Coded:
    """Texts of some samples, one behind the other."""

    def __init__(
        self,
        keys: Integers,
        sizes: Integers,
        widths: Integers,
        spelt: Callable[[Sequence[int]], list[Hashable]],
    ) -> None:
        """Keep the texts.

        Args:
            keys: An integer for each item of each text; equal ones for equal items.
            sizes: Items of each text.
            widths: Texts of each sample, at least one.
            spelt: The items at some positions of `keys`.
        """
        self.keys = keys
        self.sizes = sizes
        self.widths = widths
        self.spelt = spelt

    @cached_property
    def lengths(self) -> Integers:
        """Items of each text, a row a sample; -1 for a text that it does not have."""
        filled = np.arange(self.widths.max(initial=1)) < self.widths[:, None]
        lengths = np.full(filled.shape, -1)
        lengths[filled] = self.sizes
        return lengths

    @cached_property
    def samples(self) -> Integers:
        """The sample of each text."""
        return np.repeat(np.arange(len(self.widths)), self.widths)

    @cached_property
    def ids(self) -> tuple[Integers, Integers]:
        """Small numbers, which only tell the items of one sample apart.

        Returns:
            For each item, how many other items its sample has before that one occurs first; and
            how many different items each sample has.
        """
        sample = np.repeat(self.samples, self.sizes)
        first = _first_equals(self.keys, sample)
        new = first == np.arange(len(first))
        before = np.zeros(len(first) + 1, dtype=np.int64)
        np.cumsum(new, out=before[1:])
        ends = np.cumsum(np.bincount(self.samples, self.sizes, len(self.widths)).astype(np.int64))
        at_ends = before[ends]
        at_starts = np.concatenate([[0], at_ends[:-1]])
        return before[first] - at_starts[sample], at_ends - at_starts

    def strings(self) -> Iterator[list[Sequence[Hashable]]]:
        """The texts of each sample with one character an item, which library code is quick with.

        A character means an item of the sample. A sample with more items than there are
        characters has lists of numbers.
        """
        ids, distinct = self.ids
        whole: Sequence[Hashable] = ids.tolist()
        if distinct.max(initial=0) < _LETTERS:
            whole = ids.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
        ends = iter(np.cumsum(self.sizes).tolist())
        start = 0
        for width in self.widths.tolist():
            texts = []
            for _ in range(width):
                end = next(ends)
                texts.append(whole[start:end])
                start = end
            yield texts

    def parts(self, most_items: int, most_samples: int) -> Iterator[Coded]:
        """The same in pieces of whole samples.

        Args:
            most_items: Items and texts of a piece, if it has more than one sample.
            most_samples: Samples of a piece.
        """
        text_ends = np.cumsum(self.widths).tolist()
        item_ends = np.concatenate([[0], np.cumsum(self.sizes)])
        sample_ends = item_ends[text_ends].tolist()
        first = text = item = 0
        for last in range(1, len(text_ends) + 1):
            if last < len(text_ends) and last - first < most_samples:
                if sample_ends[last] + text_ends[last] - item - text <= most_items:
                    continue
            yield self._part(slice(first, last), slice(text, text_ends[last - 1]), item_ends)
            first, text, item = last, text_ends[last - 1], sample_ends[last - 1]

    def _part(self, samples: slice, texts: slice, item_ends: Integers) -> Coded:
        start, end = int(item_ends[texts.start]), int(item_ends[texts.stop])

        def spelt(positions: Sequence[int]) -> list[Hashable]:
            return self.spelt([start + position for position in positions])

        return Coded(self.keys[start:end], self.sizes[texts], self.widths[samples], spelt)

    def numbered(self) -> tuple[list[Hashable], Integers]:
        """The different items, and the number of each item of the texts among them."""
        first = _first_equals(self.keys, np.zeros(1, dtype=np.int64))
        new = first == np.arange(len(first))
        return self.spelt(np.flatnonzero(new).tolist()), (new.cumsum() - 1)[first]


def coded(samples: Sequence[Texts]) -> Coded:
    """Any sequences of hashable items."""
    texts = list(chain.from_iterable(samples))
    sizes = np.fromiter(map(len, texts), np.int64)
    widths = np.fromiter(map(len, samples), np.int64)
    if all(isinstance(text, str) for text in texts):
        whole = "".join(cast(list[str], texts))
        keys = _points(whole).astype(np.int64)
        return Coded(keys, sizes, widths, lambda places: [whole[place] for place in places])
    number: defaultdict[Hashable, int] = defaultdict(count().__next__)
    keys = np.fromiter(map(number.__getitem__, chain.from_iterable(texts)), np.int64)
    names = list(number)
    return Coded(
        keys, sizes, widths, lambda places: [names[number] for number in keys[places].tolist()]
    )


def coded_characters(lines: Sequence[str], widths: Integers) -> Coded:
    """The characters of texts that are given as lines of words with a space between."""
    whole = _joined(lines).replace(" ", "")
    points = _points(whole)
    breaks = np.flatnonzero(points == _BREAK)
    sizes = np.diff(breaks, prepend=-1) - 1
    places = np.flatnonzero(points != _BREAK)
    keys = points[places].astype(np.int64)
    return Coded(keys, sizes, widths, lambda at: [whole[place] for place in places[at].tolist()])


def coded_words(lines: Sequence[str], widths: Integers) -> Coded:
    """The words of texts that are given as lines of words with a space between."""
    whole = _joined(lines)
    points = _points(whole).astype(np.int64)
    ends = np.flatnonzero(points <= _SPACE)
    starts = np.concatenate([[0], ends[:-1] + 1])
    is_word = ends > starts  # an empty line has none
    words_before = np.cumsum(is_word)
    sizes = np.diff(words_before[points[ends] == _BREAK], prepend=0)
    starts, ends = starts[is_word], ends[is_word]
    lengths = ends - starts
    points[points <= _SPACE] = 0
    keys = points[starts] << (2 * _POINT_BITS)
    keys |= points[starts + 1] << _POINT_BITS
    keys |= np.where(lengths >= _PACKED, points[np.minimum(starts + 2, len(points) - 1)], 0)
    number: defaultdict[str, int] = defaultdict(count(1).__next__)
    for place in np.flatnonzero(lengths > _PACKED).tolist():
        keys[place] = -number[whole[starts[place] : ends[place]]]

    def spelt(places: Sequence[int]) -> list[Hashable]:
        pairs = zip(starts[places].tolist(), ends[places].tolist(), strict=True)
        return [whole[start:end] for start, end in pairs]

    return Coded(keys, sizes, widths, spelt)


def _joined(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n"


def _points(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def _first_equals(keys: Integers, groups: Integers) -> Integers:
    """For each key the position of the first one that is equal and of the same group.

    Each key goes into the cell of a table that a product of it points to; equal keys meet in one
    cell. Where different keys meet, those that are not the one in the cell try another product.

    Args:
        keys: Any integers.
        groups: Their groups, or a single zero.
    """
    found = np.empty(len(keys), dtype=np.int64)
    shift = np.uint64(64 - max(4, (2 * len(keys)).bit_length()))
    table = np.empty(1 << (64 - int(shift)), dtype=np.int64)
    mixed = keys.view(np.uint64) * np.uint64(_MIXERS[0])
    mixed ^= groups.view(np.uint64) * np.uint64(_MIXERS[1])
    left = np.arange(len(keys))
    while len(left):
        mixed *= np.uint64(_MIXERS[1])
        mixed ^= mixed >> np.uint64(32)
        cells = ((mixed * np.uint64(_MIXERS[0])) >> shift).view(np.int64)
        # Of several positions for one cell the last one written stays: backwards, the first.
        table[cells[::-1]] = left[::-1]
        here = table[cells]
        found[left] = here
        wrong = keys[here] != keys[left]
        if len(groups) > 1:
            wrong |= groups[here] != groups[left]
        left, mixed = left[wrong], mixed[wrong]
    return found
