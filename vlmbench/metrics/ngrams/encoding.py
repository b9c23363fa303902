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
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Integers: TypeAlias = NDArray[np.int64]

_POINT_BITS = 21
_KEY_BITS = 32
_PACKED = 3
"""Code points that fit into an integer."""
_SPACE, _BREAK = ord(" "), ord("\n")
_CODE_POINTS = 0x110000


class EncodedTexts:
    """Texts of some samples, one behind the other."""

    def __init__(
        self,
        keys: Integers,
        sizes: Integers,
        n_texts: Integers,
        vocabulary: Callable[[], list[Hashable]],
    ) -> None:
        """Keep the texts.

        Args:
            keys: For each item of each text its number in the vocabulary, below 2 ** 32.
            sizes: Items of each text.
            n_texts: Texts of each sample, at least one.
            vocabulary: Makes the list of all different items.
        """
        self.keys = keys
        self.sizes = sizes
        self.n_texts = n_texts
        self._vocabulary = vocabulary

    @cached_property
    def vocabulary(self) -> list[Hashable]:
        """The item that each key stands for."""
        return self._vocabulary()

    @cached_property
    def lengths(self) -> Integers:
        """Items of each text, a row a sample; -1 for a text that it does not have."""
        filled = np.arange(self.n_texts.max(initial=1)) < self.n_texts[:, None]
        lengths = np.full(filled.shape, -1)
        lengths[filled] = self.sizes
        return lengths

    @cached_property
    def samples(self) -> Integers:
        """The sample of each text."""
        return np.repeat(np.arange(len(self.n_texts)), self.n_texts)

    @cached_property
    def ids(self) -> tuple[Integers, Integers]:
        """Small numbers, which only tell the items of one sample apart.

        Returns:
            For each item, how many other items its sample has before that one occurs first; and
            how many different items each sample has.
        """
        import pandas as pd

        sample = np.repeat(self.samples, self.sizes)
        # Numbers come in order of first occurrence, so those of a sample stand together.
        numbers, distinct = pd.factorize((sample << _KEY_BITS) | self.keys)
        counts = np.bincount(distinct >> _KEY_BITS, minlength=len(self.n_texts))
        return numbers - (np.cumsum(counts) - counts)[sample], counts

    def strings(self) -> Iterator[list[Sequence[Hashable]]]:
        """The texts of each sample with one character an item, which library code is quick with.

        Where there are more different items than characters, they are lists of numbers.
        """
        whole: Sequence[Hashable]
        if self.keys.max(initial=0) < _CODE_POINTS:
            whole = self.keys.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
        else:
            whole = self.keys.tolist()
        ends = np.cumsum(self.sizes).tolist()
        texts = [whole[start:end] for start, end in zip([0, *ends], ends, strict=False)]
        start = 0
        for number in self.n_texts.tolist():
            yield texts[start : start + number]
            start += number

    def batches(self, most_items: int, most_samples: int) -> Iterator[EncodedTexts]:
        """The same in batches of whole samples.

        Args:
            most_items: Items and texts of a batch, if it has more than one sample.
            most_samples: Samples of a batch.
        """
        text_ends = np.concatenate([[0], np.cumsum(self.n_texts)])
        item_ends = np.concatenate([[0], np.cumsum(self.sizes)])
        costs = np.diff(item_ends[text_ends] + text_ends).tolist()

        def batch(first: int, last: int) -> EncodedTexts:
            texts = slice(int(text_ends[first]), int(text_ends[last]))
            items = slice(int(item_ends[texts.start]), int(item_ends[texts.stop]))
            return EncodedTexts(
                self.keys[items], self.sizes[texts], self.n_texts[first:last], self._vocabulary
            )

        first = held = 0
        for number, cost in enumerate(costs):
            if number > first and (held + cost > most_items or number - first == most_samples):
                yield batch(first, number)
                first, held = number, 0
            held += cost
        if costs:
            yield batch(first, len(costs))


def encode(samples: Sequence[Sequence[Sequence[Hashable]]]) -> EncodedTexts:
    """For each sample its texts, the answer first, as any sequences of hashable items."""
    texts = list(chain.from_iterable(samples))
    sizes = np.fromiter(map(len, texts), np.int64)
    n_texts = np.fromiter(map(len, samples), np.int64)
    number: defaultdict[Hashable, int] = defaultdict(count().__next__)
    keys = np.fromiter(map(number.__getitem__, chain.from_iterable(texts)), np.int64)
    return EncodedTexts(keys, sizes, n_texts, lambda: list(number))


def encode_characters(lines: Sequence[str], n_texts: Integers) -> EncodedTexts:
    """The characters of texts that are given as lines of words with a space between."""
    import pandas as pd

    points = _points(_joined(lines).replace(" ", ""))
    is_break = points == _BREAK
    sizes = np.diff(np.flatnonzero(is_break), prepend=-1) - 1
    keys, distinct = pd.factorize(points[~is_break])
    return EncodedTexts(keys, sizes, n_texts, lambda: list(map(chr, distinct)))


def encode_words(lines: Sequence[str], n_texts: Integers) -> EncodedTexts:
    """The words of texts that are given as lines of words with a space between."""
    import pandas as pd

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
    packed = points.take(starts).astype(np.int64)
    for ahead in range(1, _PACKED):
        packed <<= _POINT_BITS
        packed |= np.where(lengths > ahead, points.take(starts + ahead, mode="clip"), 0)

    def words(places: Integers) -> list[Hashable]:
        pairs = zip(starts[places].tolist(), ends[places].tolist(), strict=True)
        return [whole[start:end] for start, end in pairs]

    number: defaultdict[Hashable, int] = defaultdict(count(1).__next__)
    is_long = np.flatnonzero(lengths > _PACKED)
    packed[is_long] = [-number[word] for word in words(is_long)]
    keys, distinct = pd.factorize(packed)

    def vocabulary() -> list[Hashable]:
        first = np.empty(len(distinct), dtype=np.int64)
        # Of several positions for one key the last one written stays: backwards, the first.
        first[keys[::-1]] = np.arange(len(keys))[::-1]
        return words(first)

    return EncodedTexts(keys, sizes, n_texts, vocabulary)


def _joined(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n"


def _points(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
