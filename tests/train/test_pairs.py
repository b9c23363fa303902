"""Pairs for a contrastive stage: images with answers, or regions with names."""

from __future__ import annotations

import pytest
import torch

from vlmbench.errors import DataError
from vlmbench.records import Image
from vlmbench.train.data.examples import Example, Region, Turn
from vlmbench.train.encoders import Seen
from vlmbench.train.pairs import collect_pairs, covered, pairs_of, tokens_of
from vlmbench.train.synthetic.spec import SyntheticSource, SyntheticSpec
from vlmbench.train.synthetic_feed import SyntheticFeed

LEFT = Region("犬", (0.0, 0.0, 0.5, 1.0))
CORNER = Region("猫", (0.75, 0.75, 1.0, 1.0))
REST = Region("白")


def example(name: str, *regions: Region, image: bytes = b"1") -> Example:
    asked = Turn("user", (Image(image), "何？"))
    return Example(name, (asked, Turn("assistant", (f"{name}の答え",))), "test", regions=regions)


def shown(mask: torch.Tensor) -> str:
    side = round(len(mask) ** 0.5)
    rows = mask.reshape(side, side).tolist()
    return "/".join("".join("x" if one else "." for one in row) for row in rows)


@pytest.mark.parametrize(
    ("regions", "expected"),
    [
        ((LEFT,), "xx../xx../xx../xx.."),
        ((CORNER, LEFT), "..../..../..../...x"),
        ((REST, LEFT, CORNER), "..xx/..xx/..xx/..x."),
        # A token belongs to a box that covers half of it ...
        ((Region("犬", (0.0, 0.0, 0.375, 0.25)),), "xx../..../..../...."),
        ((Region("犬", (0.0, 0.0, 0.35, 0.25)),), "x.../..../..../...."),
        # ... and a box that covers half of none has the one that it covers most of.
        ((Region("犬", (0.6, 0.3, 0.7, 0.4)),), "..../..x./..../...."),
        # Touched by a tenth, a token still shows what is outside.
        ((REST, Region("犬", (0.0, 0.0, 0.27, 0.25))), ".xxx/xxxx/xxxx/xxxx"),
        ((REST, Region("犬", (0.0, 0.0, 1.0, 1.0))), "xxxx/xxxx/xxxx/xxxx"),
    ],
)
def test_which_tokens_show_a_region(regions: tuple[Region, ...], expected: str) -> None:
    """Sixteen tokens, row by row; the marks were set by hand."""
    assert shown(covered(regions, 4)) == expected


def test_pairs_are_images_with_answers_or_regions_with_names() -> None:
    examples = [
        example("甲", LEFT, REST),
        example("乙", LEFT, REST),  # the same image
        example("丙", image=b"2"),
    ]
    whole = pairs_of(examples)
    assert (whole.shown, whole.texts) == ([0, 1], ["丙の答え", "甲の答え"])
    named = pairs_of(examples, regions=True)
    assert (len(named.images), named.shown, named.texts) == (1, [0, 0], ["犬", "白"])
    assert named.regions == [(LEFT, REST), (REST, LEFT)]
    assert named.first(1).texts == ["犬"]


def test_a_region_is_seen_by_its_own_tokens() -> None:
    pairs = pairs_of(
        [example("甲", CORNER, LEFT, REST), example("乙", LEFT, image=b"2")], regions=True
    )
    inputs = torch.arange(32.0).reshape(2, 16, 1)
    rows = [pairs.texts.index("猫"), len(pairs.texts) - 1]
    numbers = [pairs.shown[row] for row in rows]
    found = tokens_of(pairs, inputs)(rows)
    assert isinstance(found, Seen)
    corner = [16.0 * numbers[0] + 15]
    left = [16.0 * numbers[1] + at for at in (0, 1, 4, 5, 8, 9, 12, 13)]
    if pairs.texts[rows[1]] != "犬":  # the order of the images is none that is promised
        left = [16.0 * numbers[1] + at for at in (2, 3, 6, 7, 10, 11, 14)]
    assert found.values[:, 0].tolist() == corner + left
    assert found.owners.tolist() == [0] + [1] * len(left)
    seeded = tokens_of(pairs, inputs, seed=1)
    assert torch.equal(seeded(rows).values, seeded(rows).values)  # both passes see the same
    sizes = {len(seeded([rows[1]] * times).values) / times for times in range(1, 9)}
    assert min(sizes) < len(left)  # by one token alone now and then


def test_generated_scenes_name_their_regions() -> None:
    spec = SyntheticSpec(mixture={"grid": 1, "scatter": 1, "pair": 1, "chart": 1}, questions=2)
    feed = SyntheticFeed(SyntheticSource(synthetic=spec), 8, 1)
    pairs = collect_pairs(feed, 6, regions=True)
    assert len(pairs.images) == 6
    assert all(1 <= pairs.shown.count(number) - 1 <= 6 for number in range(6))
    charts = SyntheticSpec(mixture={"chart": 1})
    with pytest.raises(DataError, match="what is where"):
        collect_pairs(SyntheticFeed(SyntheticSource(synthetic=charts), 2, 1), 4, regions=True)
