"""Which pictures are the evaluation's, or look like them: each different one compared once."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, NamedTuple, TypeAlias

from vlmbench.errors import DataError
from vlmbench.records import Image
from vlmbench.train.data.evaluation_index import EvaluationIndex
from vlmbench.train.data.fingerprints import (
    SCREENING_ERROR,
    close_pairs,
    fingerprint,
    hash_array,
    screening_hash,
)

HIT = 16
"""Bits of 256 by which the hash of a copy may differ."""
LISTED = 32
"""Up to so many bits a picture is listed for a look, and nothing else follows."""

PictureEvidence: TypeAlias = Literal["pixels", "hash", "mirror"]

_BATCH = 64
"""Pictures that a thread hashes and compares at a time."""


class Match(NamedTuple):
    """A training picture is one of the evaluation's, or looks like it."""

    distance: int
    by: PictureEvidence
    picture: int
    """Position in the index."""


class PictureMatcher:
    """Compares each different picture once."""

    def __init__(self, index: EvaluationIndex, pool: ThreadPoolExecutor) -> None:
        self._index = index
        self._pool = pool
        self.matches: dict[str, tuple[Match, ...]] = {}
        """Of pictures that have any, by the digest of the encoded picture; best first."""
        self.unreadable: list[str] = []
        self._seen: set[int] = set()

    @property
    def pictures(self) -> int:
        """Different pictures so far."""
        return len(self._seen)

    def add(self, images: Iterable[Image]) -> None:
        """Compare those of the pictures that are new."""
        numbered = {int(image.digest, 16): image for image in images}
        new = [image for number, image in numbered.items() if number not in self._seen]
        self._seen.update(numbered)
        if not self._index.pictures:
            return
        batches = [list(batch) for batch in _batched(new, _BATCH)]
        for batch, matches in zip(batches, self._pool.map(self._compare, batches), strict=True):
            for image, found in zip(batch, matches, strict=True):
                if found:
                    self.matches[image.digest] = found
                elif found is None:
                    self.unreadable.append(image.source)

    def _compare(self, images: Sequence[Image]) -> list[tuple[Match, ...] | None]:
        """The matches of each picture; None for one that cannot be decoded."""
        results: list[tuple[Match, ...] | None] = [() for _ in images]
        hashes, positions = [], []
        candidates = set()
        for position, image in enumerate(images):
            try:
                value = screening_hash(image)
            except DataError:
                results[position] = None
                continue
            if value is None:
                candidates.add(position)
            else:
                hashes.append(value)
                positions.append(position)
        known, _ = self._index.hashes
        close, _, _ = close_pairs(hash_array(hashes), known, within=LISTED + SCREENING_ERROR)
        candidates.update(positions[one] for one in close)
        for position in candidates:
            results[position] = self._matches(images[position])
        return results

    def _matches(self, image: Image) -> tuple[Match, ...] | None:
        """The matches of a picture that may have some, by all of its pixels."""
        try:
            own = fingerprint(image)
        except DataError:
            return None
        best: dict[int, Match] = {}
        if own.hash is not None:
            known, pictures = self._index.hashes
            _, columns, distances = close_pairs(hash_array([own.hash]), known, within=LISTED)
            for column, distance in zip(columns.tolist(), distances.tolist(), strict=True):
                by: PictureEvidence = "hash" if column < len(pictures) // 2 else "mirror"
                match = Match(distance, by, pictures[column])
                best[match.picture] = min(match, best.get(match.picture, match))
        same = self._index.positions.get(own.pixels)
        if same is not None:
            best[same] = Match(0, "pixels", same)
        return tuple(sorted(best.values(), key=lambda match: (match.by != "pixels", match)))


def _batched(images: Iterable[Image], size: int) -> Iterator[tuple[Image, ...]]:
    stream = iter(images)
    while batch := tuple(itertools.islice(stream, size)):
        yield batch
