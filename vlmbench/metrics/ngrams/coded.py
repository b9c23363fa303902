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

from vlmbench.metrics.ngrams.lookup import Integers as Integers
from vlmbench.metrics.ngrams.lookup import first_equals

Texts: TypeAlias = Sequence[Sequence[Hashable]]
"""Sequences of words or characters: the answer's first, then the references'."""

_POINT_BITS = 21
_KEY_BITS = 32
_PACKED = 3
"""Code points that fit into an integer."""
_SPACE, _BREAK = ord(" "), ord("\n")
_LETTERS = 0x110000
"""Numbers that are code points."""


class EncodedTexts:
    """Texts of some samples, one behind the other."""

    def __init__(
        self,
        keys: Integers,
        sizes: Integers,
        widths: Integers,
        spelt: Callable[[Sequence[int]], list[Hashable]],
        firsts: Integers | None = None,
    ) -> None:
        """Keep the texts.

        Args:
            keys: For each item of each text an integer from 0, below 2 ** 32; equal ones for equal
                items.
            sizes: Items of each text.
            widths: Texts of each sample, at least one.
            spelt: The items at some positions of `keys`.
            firsts: Where each key comes first, if they are numbered in this order.
        """
        self.keys = keys
        self.sizes = sizes
        self.widths = widths
        self.spelt = spelt
        self._firsts = firsts

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
        first = first_equals((sample << _KEY_BITS) | self.keys)
        new = first == np.arange(len(first))
        before = np.zeros(len(first) + 1, dtype=np.int64)
        np.cumsum(new, out=before[1:])
        ends = np.cumsum(np.bincount(self.samples, self.sizes, len(self.widths)).astype(np.int64))
        at_ends = before[ends]
        at_starts = np.concatenate([[0], at_ends[:-1]])
        return before[first] - at_starts[sample], at_ends - at_starts

    def strings(self) -> Iterator[list[Sequence[Hashable]]]:
        """The texts of each sample with one character an item, which library code is quick with.

        Where there are more different items than characters, they are lists of numbers.
        """
        whole: Sequence[Hashable]
        if self.keys.max(initial=0) < _LETTERS:
            whole = self.keys.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
        else:
            whole = self.keys.tolist()
        ends = np.cumsum(self.sizes).tolist()
        texts = [whole[start:end] for start, end in zip([0, *ends], ends, strict=False)]
        start = 0
        for width in self.widths.tolist():
            yield texts[start : start + width]
            start += width

    def parts(self, most_items: int, most_samples: int) -> Iterator[EncodedTexts]:
        """The same in pieces of whole samples.

        Args:
            most_items: Items and texts of a piece, if it has more than one sample.
            most_samples: Samples of a piece.
        """
        text_ends = np.concatenate([[0], np.cumsum(self.widths)])
        item_ends = np.concatenate([[0], np.cumsum(self.sizes)])
        costs = np.diff(item_ends[text_ends] + text_ends).tolist()

        def part(first: int, last: int) -> EncodedTexts:
            texts = slice(int(text_ends[first]), int(text_ends[last]))
            start, end = int(item_ends[texts.start]), int(item_ends[texts.stop])

            def spelt(positions: Sequence[int]) -> list[Hashable]:
                return self.spelt([start + position for position in positions])

            return EncodedTexts(
                self.keys[start:end], self.sizes[texts], self.widths[first:last], spelt
            )

        first = held = 0
        for number, cost in enumerate(costs):
            if number > first and (held + cost > most_items or number - first == most_samples):
                yield part(first, number)
                first, held = number, 0
            held += cost
        if costs:
            yield part(first, len(costs))

    def numbered(self) -> tuple[list[Hashable], Integers]:
        """The different items, and the number of each item of the texts among them."""
        if self._firsts is not None:
            return self.spelt(self._firsts.tolist()), self.keys
        firsts, numbers = _numbered(self.keys)
        return self.spelt(firsts.tolist()), numbers


def coded(samples: Sequence[Texts]) -> EncodedTexts:
    """Any sequences of hashable items."""
    texts = list(chain.from_iterable(samples))
    sizes = np.fromiter(map(len, texts), np.int64)
    widths = np.fromiter(map(len, samples), np.int64)
    if all(isinstance(text, str) for text in texts):
        whole = "".join(cast(list[str], texts))
        keys = _points(whole).astype(np.int64)
        return EncodedTexts(keys, sizes, widths, lambda places: [whole[place] for place in places])
    number: defaultdict[Hashable, int] = defaultdict(count().__next__)
    keys = np.fromiter(map(number.__getitem__, chain.from_iterable(texts)), np.int64)
    names = list(number)
    return EncodedTexts(
        keys, sizes, widths, lambda places: [names[number] for number in keys[places].tolist()]
    )


def coded_characters(lines: Sequence[str], widths: Integers) -> EncodedTexts:
    """The characters of texts that are given as lines of words with a space between."""
    whole = _joined(lines).replace(" ", "")
    points = _points(whole)
    breaks = np.flatnonzero(points == _BREAK)
    sizes = np.diff(breaks, prepend=-1) - 1
    places = np.flatnonzero(points != _BREAK)
    keys = points[places].astype(np.int64)
    return EncodedTexts(
        keys, sizes, widths, lambda at: [whole[place] for place in places[at].tolist()]
    )


def coded_words(lines: Sequence[str], widths: Integers) -> EncodedTexts:
    """The words of texts that are given as lines of words with a space between."""
    whole = _joined(lines)
    points = _points(whole)
    ends = np.flatnonzero(points <= _SPACE)
    is_break = points.take(ends) == _BREAK
    starts = np.empty_like(ends)
    starts[:1] = 0
    np.add(ends[:-1], 1, out=starts[1:])
    lengths = ends - starts
    is_word = lengths > 0  # an empty line has none
    sizes = np.diff(is_word.cumsum()[is_break], prepend=0)
    if not is_word.all():
        starts, ends, lengths = starts[is_word], ends[is_word], lengths[is_word]
    keys = points.take(starts).astype(np.int64)
    for ahead in range(1, _PACKED):
        keys <<= _POINT_BITS
        keys |= np.where(lengths > ahead, points.take(starts + ahead, mode="clip"), 0)

    def spelt(places: Sequence[int] | Integers) -> list[Hashable]:
        pairs = zip(starts[places].tolist(), ends[places].tolist(), strict=True)
        return [whole[start:end] for start, end in pairs]

    number: defaultdict[Hashable, int] = defaultdict(count(1).__next__)
    is_long = np.flatnonzero(lengths > _PACKED)
    keys[is_long] = [-number[word] for word in spelt(is_long)]

    firsts, numbers = _numbered(keys)
    return EncodedTexts(numbers, sizes, widths, spelt, firsts)


def _numbered(keys: Integers) -> tuple[Integers, Integers]:
    """Where each different key comes first, and their numbers in this order."""
    first = first_equals(keys)
    is_first = first == np.arange(len(first))
    return np.flatnonzero(is_first), (is_first.cumsum() - 1).take(first)


def _joined(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n"


def _points(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
