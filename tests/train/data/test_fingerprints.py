"""Digests, perceptual hashes and n-grams; ImageHash itself says what a hash and distance are."""

from __future__ import annotations

import hashlib
import io
import random

import imagehash
import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest

from vlmbench.errors import DataError
from vlmbench.records import Image
from vlmbench.tasks.registry import load_task
from vlmbench.tasks.samples import read_samples
from vlmbench.train.data.fingerprints import (
    SCREENING_ERROR,
    TextIndex,
    character_ngrams,
    close_pairs,
    fingerprint,
    hash_array,
    jaccard,
    normalized,
    screening_hash,
)


def photos() -> list[Image]:
    """The photographs of an embedded task."""
    images = [image for sample in read_samples(load_task("ja-caption")) for image in sample.images]
    return [image for image in images if image.data[:2] == b"\xff\xd8"]


def encoded(picture: PIL.Image.Image, form: str = "PNG", **options: object) -> Image:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return Image(buffer.getvalue())


def hash_of(data: bytes | None) -> imagehash.ImageHash:
    assert data is not None
    bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8))
    return imagehash.ImageHash(bits.reshape(16, 16).astype(bool))


def test_hashes_are_those_of_imagehash() -> None:
    for image in photos()[:8]:
        picture = image.decode()
        own = fingerprint(image)
        assert hash_of(own.hash) == imagehash.phash(picture, hash_size=16)
        mirrored = imagehash.phash(PIL.ImageOps.mirror(picture), hash_size=16)
        assert hash_of(own.mirrored) == mirrored


def test_pixels_are_those_after_rotation_and_without_transparency() -> None:
    picture = photos()[0].decode()
    digest = hashlib.sha256(f"{picture.width}x{picture.height}:".encode() + picture.tobytes())
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    turned = encoded(picture.transpose(PIL.Image.Transpose.ROTATE_90), exif=exif)
    transparent = encoded(picture.convert("RGBA"))
    assert fingerprint(turned).pixels == digest.hexdigest()
    assert fingerprint(transparent) == fingerprint(turned)


def test_a_shape_is_part_of_the_pixels() -> None:
    wide, high = (encoded(PIL.Image.new("RGB", size, "red")) for size in ((8, 2), (2, 8)))
    assert fingerprint(wide).pixels != fingerprint(high).pixels


def test_one_color_has_no_hash() -> None:
    for color in ("white", "black", "red"):
        image = encoded(PIL.Image.new("RGB", (64, 48), color), "JPEG")
        assert fingerprint(image).hash is None
        assert fingerprint(image).mirrored is None
        assert screening_hash(image) is None


@pytest.mark.parametrize("scale", [1, 4])
def test_screening_is_off_by_few_bits(scale: int) -> None:
    for image in photos()[:8]:
        picture = image.decode()
        size = (picture.width * scale, picture.height * scale)
        large = encoded(picture.resize(size, PIL.Image.Resampling.BICUBIC), "JPEG", quality=90)
        exact, quick = hash_of(fingerprint(large).hash), hash_of(screening_hash(large))
        assert exact - quick <= SCREENING_ERROR


def test_screening_turns_pictures_upright() -> None:
    picture = photos()[1].decode().resize((640, 480))
    exif = PIL.Image.Exif()
    exif[0x0112] = 3
    image = encoded(picture.rotate(180), "JPEG", quality=95, exif=exif)
    assert hash_of(screening_hash(image)) - imagehash.phash(picture, 16) <= SCREENING_ERROR


def test_an_unreadable_picture_is_an_error() -> None:
    for data in (b"", b"\xff\xd8nothing", photos()[0].data[:200]):
        with pytest.raises(DataError, match="cannot be read"):
            fingerprint(Image(data))
        with pytest.raises(DataError, match="cannot be read"):
            screening_hash(Image(data))


@pytest.mark.parametrize("within", [0, 16, 40, 120])
def test_close_pairs_are_those_of_all_pairs(within: int) -> None:
    rng = random.Random(within)
    left = [rng.randbytes(32) for _ in range(70)]
    right = [rng.randbytes(32) for _ in range(20)]
    for one in left[:30]:  # near copies: some bits flipped
        bits = int.from_bytes(one, "big")
        for bit in rng.sample(range(256), rng.randrange(60)):
            bits ^= 1 << bit
        right.append(bits.to_bytes(32, "big"))
    expected = {
        (i, j, hash_of(one) - hash_of(other))
        for i, one in enumerate(left)
        for j, other in enumerate(right)
        if hash_of(one) - hash_of(other) <= within
    }
    found = close_pairs(hash_array(left), hash_array(right), within=within)
    assert set(zip(*(column.tolist() for column in found), strict=True)) == expected


def test_close_pairs_of_nothing() -> None:
    some = hash_array([bytes(32)])
    for left, right in ((hash_array([]), some), (some, hash_array([]))):
        assert [len(column) for column in close_pairs(left, right, within=16)] == [0, 0, 0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<image>\n何色 ですか。", "何色ですか。"),
        ("ﾊﾟﾝは１０個", "パンは10個"),  # NFKC, as Unicode's chart of half-width forms has it
        ("What IS\tthis <image 2>", "whatisthis"),
        ("", ""),
    ],
)
def test_normalized(text: str, expected: str) -> None:
    assert normalized(text) == expected


def test_ngrams_by_hand() -> None:
    assert character_ngrams("赤い車です。") == {"赤い車です", "い車です。"}
    assert character_ngrams("赤") == {"赤"}
    assert character_ngrams("") == frozenset()
    # abcdefg has abcde bcdef cdefg; abcdefh has abcde bcdef cdefh: 2 of 4.
    assert jaccard(character_ngrams("abcdefg"), character_ngrams("abcdefh")) == 0.5
    assert jaccard(frozenset(), frozenset()) == 0.0


def test_text_index_finds_what_exact_comparison_finds() -> None:
    rng = random.Random(3)
    texts = [
        "".join(rng.choices("あいうえおかきくけこ", k=rng.randrange(8, 90))) for _ in range(300)
    ]
    index = TextIndex(texts)
    ngrams = [character_ngrams(text) for text in texts]
    missed = found = 0
    for text in texts:
        changed = text[: rng.randrange(len(text) // 10 + 1)] + text[rng.randrange(3) :]
        own = character_ngrams(changed)
        expected = {i: jaccard(own, other) for i, other in enumerate(ngrams) if own & other}
        expected = {i: value for i, value in expected.items() if value >= 0.8}
        result = index.query(changed)
        assert result.items() <= expected.items()
        missed += len(expected) - len(result)
        found += len(result)
    assert found > 50
    assert missed <= 0.01 * found  # MinHash is a sketch


def test_empty_texts_are_never_found() -> None:
    assert TextIndex(["", "あ"]).query("") == {}
    assert TextIndex([]).query("赤い車です。") == {}
