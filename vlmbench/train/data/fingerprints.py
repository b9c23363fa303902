"""What stays the same of a picture or text that was copied: digests, perceptual hashes, n-grams.

A picture has a digest of its pixels, which finds lossless copies, and a perceptual hash of 16x16
bits (ImageHash's pHash), which also finds copies that were encoded anew, resized or recolored. A
text is the set of its character 5-grams: Japanese has no spaces to cut words at.
"""

from __future__ import annotations

import hashlib
import unicodedata
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from vlmbench.raster import open_raster
from vlmbench.records import Image
from vlmbench.tasks.prompt import without_marks

if TYPE_CHECKING:
    import numpy as np
    import PIL.Image
    from numpy.typing import NDArray

    Hashes: TypeAlias = NDArray[np.uint64]
    """A row of four words for each picture."""
    Positions: TypeAlias = NDArray[np.intp]

HASH_SIZE = 16
"""Bits along a side; with 8, different charts look the same."""
SCREENING_ERROR = 16
"""Bits by which `screening_hash` may be off; 10 is the most that was measured."""
SAME_TEXT = 0.8
"""Jaccard similarity of their 5-grams from which on two texts are the same."""

_THUMBNAIL = 4 * HASH_SIZE
"""Side of the gray picture that pHash looks at."""
_FLAT = 1.0
"""Standard deviation of its gray values (0 to 255) below which a hash is noise."""
_NGRAM = 5
_PERMUTATIONS = 128
_BLOCK = 1 << 17
"""Distances computed at a time: few enough for a core's cache."""


@dataclass(frozen=True, slots=True)
class PictureFingerprint:
    """What identifies a picture and its copies."""

    pixels: str
    """SHA-256 of its size and upright RGB pixels, in hex."""
    hash: bytes | None
    """The perceptual hash, 32 bytes; None for a picture of one color, all of which hash alike."""
    mirrored: bytes | None
    """The hash of its mirror image."""


def fingerprint(image: Image) -> PictureFingerprint:
    """The fingerprint of a picture, from all of its pixels.

    Raises:
        DataError: It cannot be decoded.
    """
    import PIL.ImageOps

    picture = image.decode()
    digest = hashlib.sha256(f"{picture.width}x{picture.height}:".encode())
    digest.update(picture.tobytes())
    thumbnail = _thumbnail(picture)
    # pHash reduces to this size first, so the thumbnail's hash is the picture's.
    return PictureFingerprint(
        digest.hexdigest(),
        _perceptual_hash(thumbnail),
        _perceptual_hash(PIL.ImageOps.mirror(thumbnail)),
    )


def screening_hash(image: Image) -> bytes | None:
    """About `fingerprint(image).hash`, for several times less where a JPEG is large.

    None for pictures of nearly one color, of which only the fingerprint tells what they are.

    Raises:
        DataError: The picture cannot be decoded.
    """
    thumbnail = _thumbnail(_small_jpeg(image) or image.decode())
    return _perceptual_hash(thumbnail, flat=2 * _FLAT)


def hash_array(hashes: Sequence[bytes]) -> Hashes:
    """Perceptual hashes as an array (pictures, 4)."""
    import numpy as np

    return np.frombuffer(b"".join(hashes), dtype=np.uint64).reshape(-1, HASH_SIZE**2 // 64)


def close_pairs(
    left: Hashes, right: Hashes, *, within: int
) -> tuple[Positions, Positions, Positions]:
    """All pairs of hashes that differ in few bits, by brute force.

    Args:
        within: Largest Hamming distance, below 128.

    Returns:
        Positions on the left, positions on the right, distances.
    """
    import numpy as np

    lefts, rights, distances = [], [], []
    columns = np.ascontiguousarray(right.T)
    rows = max(1, _BLOCK // max(1, len(right)))
    for start in range(0, len(left), rows):
        block = left[start : start + rows]
        # Half of the words rule nearly every pair out; only the others are counted in full.
        half = np.bitwise_count(block[:, 0, None] ^ columns[0])
        half += np.bitwise_count(block[:, 1, None] ^ columns[1])
        row, column = np.nonzero(half <= within)
        distance = np.bitwise_count(block[row] ^ right[column]).sum(axis=1, dtype=np.intp)
        close = distance <= within
        lefts.append(row[close] + start)
        rights.append(column[close])
        distances.append(distance[close])
    empty = [np.empty(0, dtype=np.intp)]
    return (
        np.concatenate(lefts or empty),
        np.concatenate(rights or empty),
        np.concatenate(distances or empty),
    )


def normalized(text: str) -> str:
    """A text in NFKC and lower case, without white space and the places of images."""
    return "".join(unicodedata.normalize("NFKC", without_marks(text)).casefold().split())


def character_ngrams(text: str) -> frozenset[str]:
    """The 5-grams of a normalized text; a shorter one is its own and only one."""
    if len(text) <= _NGRAM:
        return frozenset((text,)) if text else frozenset()
    return frozenset(text[start : start + _NGRAM] for start in range(len(text) - _NGRAM + 1))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """The part of both sets' n-grams that they share, 0 to 1; 0 if both are empty."""
    union = len(one | other)
    return len(one & other) / union if union else 0.0


class TextIndex:
    """Finds the texts that are about the same as a given one.

    Args:
        texts: Normalized; results are positions in them. Empty ones are never found.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._ngrams = [character_ngrams(text) for text in texts]
        self._known = frozenset().union(*self._ngrams)

    def query(self, text: str) -> dict[int, float]:
        """Texts whose similarity with a normalized text is at least SAME_TEXT, with it."""
        ngrams = character_ngrams(text)
        # Exact, and much cheaper than a MinHash: who shares too little with all shares it with
        # each of them.
        if not ngrams or len(ngrams & self._known) < SAME_TEXT * len(ngrams):
            return {}
        similarities = (
            (position, jaccard(ngrams, self._ngrams[position]))
            for position in self._lsh.query(_min_hash(ngrams, self._empty))
        )
        return {position: value for position, value in similarities if value >= SAME_TEXT}

    @cached_property
    def _empty(self) -> Any:
        from datasketch import MinHash

        return MinHash(_PERMUTATIONS, hashfunc=zlib.crc32)

    @cached_property
    def _lsh(self) -> Any:
        from datasketch import MinHashLSH

        # Recall counts more here: what is found is compared exactly.
        lsh = MinHashLSH(SAME_TEXT, _PERMUTATIONS, weights=(0.1, 0.9))
        for position, ngrams in enumerate(self._ngrams):
            if ngrams:
                lsh.insert(position, _min_hash(ngrams, self._empty))
        return lsh


def _min_hash(ngrams: frozenset[str], empty: Any) -> Any:
    minhash = empty.copy()  # drawing the permutations again would cost more than all the rest
    minhash.update_batch([ngram.encode("utf-8", "surrogatepass") for ngram in ngrams])
    return minhash


def _thumbnail(picture: PIL.Image.Image) -> PIL.Image.Image:
    import PIL.Image

    size = (_THUMBNAIL, _THUMBNAIL)
    return picture.convert("L").resize(size, PIL.Image.Resampling.LANCZOS)


def _perceptual_hash(thumbnail: PIL.Image.Image, *, flat: float = _FLAT) -> bytes | None:
    import imagehash
    import numpy as np

    if np.asarray(thumbnail).std() < flat:
        return None
    return np.packbits(imagehash.phash(thumbnail, hash_size=HASH_SIZE).hash).tobytes()


def _small_jpeg(image: Image) -> PIL.Image.Image | None:
    """The upright gray picture in an eighth of its size or more; None if it is no plain JPEG."""
    import PIL.Image
    import PIL.ImageOps

    try:
        with open_raster(image.data) as picture:
            if picture.format != "JPEG" or picture.mode not in ("L", "RGB"):
                return None
            picture.draft("L", (2 * _THUMBNAIL, 2 * _THUMBNAIL))
            return PIL.ImageOps.exif_transpose(picture)
    except Exception:  # Pillow raises nearly anything; `Image.decode` says it in a sentence
        return None
