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
        [example("甲", CORNER, REST), example("乙", LEFT, REST, image=b"2")], regions=True
    )
    inputs = torch.arange(32.0).reshape(2, 16, 1)
    rows = [pairs.texts.index("猫"), pairs.texts.index("犬")]
    first, second = (16 * pairs.shown[row] for row in rows)
    expected = [first + 15, *(second + at for at in (0, 1, 4, 5, 8, 9, 12, 13))]
    found = tokens_of(pairs, inputs)(rows)
    assert isinstance(found, Seen)
    assert found.values[:, 0].tolist() == expected
    assert found.owners.tolist() == [0] + [1] * 8 and found.count == 2


def test_with_a_seed_a_region_is_seen_by_one_token_half_of_the_time() -> None:
    pairs = pairs_of([example("甲", LEFT, REST)], regions=True)
    seen = tokens_of(pairs, torch.arange(16.0).reshape(1, 16, 1), seed=1)
    dogs = [pairs.texts.index("犬")] * 400
    again, found = seen(dogs), seen(dogs)
    assert isinstance(found, Seen) and isinstance(again, Seen)
    assert torch.equal(found.values, again.values)  # both passes of a step see the same
    sizes = torch.bincount(found.owners)
    assert set(sizes.tolist()) == {1, 8}
    assert 150 < int((sizes == 1).sum()) < 250  # 200 of 400, by five standard deviations
    alone = found.values[(sizes == 1)[found.owners], 0]
    assert set(alone.tolist()) == {0, 1, 4, 5, 8, 9, 12, 13}


def test_generated_scenes_name_their_regions() -> None:
    spec = SyntheticSpec(mixture={"grid": 1, "scatter": 1, "pair": 1, "chart": 1}, questions=2)
    feed = SyntheticFeed(SyntheticSource(synthetic=spec), 8, 1)
    pairs = collect_pairs(feed, 6, regions=True)
    assert len(pairs.images) == 6
    assert all(1 <= pairs.shown.count(number) - 1 <= 6 for number in range(6))
    charts = SyntheticSpec(mixture={"chart": 1})
    with pytest.raises(DataError, match="what is where"):
        collect_pairs(SyntheticFeed(SyntheticSource(synthetic=charts), 2, 1), 4, regions=True)
