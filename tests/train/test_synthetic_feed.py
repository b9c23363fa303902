"""Generated pictures: an update depends on its number alone, and asks as the tasks ask."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from vlmbench.records import Image
from vlmbench.train.data.examples import Example, Turn
from vlmbench.train.feed import Group
from vlmbench.train.mixed_feed import MixedFeed
from vlmbench.train.synthetic.examples import group_examples
from vlmbench.train.synthetic.spec import SyntheticSource, SyntheticSpec
from vlmbench.train.synthetic.split import FAMILIES, training_group
from vlmbench.train.synthetic_feed import SyntheticFeed

MIXTURE = {"single": 1, "pair": 1, "chart": 3, "grid": 0}


def feed(seed: int = 1, per_update: int = 4, number: int = 0, **changes: Any) -> SyntheticFeed:
    spec = SyntheticSpec.model_validate({"mixture": MIXTURE, "questions": 3, **changes})
    return SyntheticFeed(SyntheticSource(synthetic=spec), per_update, seed, number=number)


def pictures(groups: list[Group]) -> list[str]:
    return [image.digest for group in groups for image in group[0].images]


def test_an_update_depends_on_its_number_alone() -> None:
    first = feed()
    forwards = [first.update(step) for step in range(5, 9)]
    assert [feed().update(step) for step in reversed(range(5, 9))] == forwards[::-1]
    assert all(one != other for one, other in pairwise(forwards))
    assert first.steps_per_epoch is None


def test_other_seeds_and_sources_give_other_pictures() -> None:
    seen = [
        set(pictures(feed(seed, number=number).update(2)))
        for seed, number in ((1, 0), (2, 0), (1, 1))
    ]
    assert not seen[0] & seen[1]
    assert not seen[0] & seen[2]


def test_families_come_as_often_as_the_mixture_says() -> None:
    drawn = Counter(group[0].source for group in feed(per_update=500).update(0))
    assert drawn.keys() == {"single", "pair", "chart"}
    assert 256 <= drawn["chart"] <= 344  # three in five of 500, four standard deviations


def test_a_group_shows_one_picture_and_alike_groups_stand_together() -> None:
    groups = feed(per_update=24).update(3)
    for group in groups:
        assert 1 <= len(group) <= 3
        assert len({one.id for one in group}) == len(group)
        assert len({tuple(image.digest for image in one.images) for one in group}) == 1
    sources = [group[0].source for group in groups]
    assert sum(one != other for one, other in pairwise(sources)) == 2


def test_the_weights_of_kinds_reach_the_questions() -> None:
    only = {kind: float(kind == "minimum") for kind in FAMILIES["chart"][1]}
    groups = feed(per_update=6, mixture={"chart": 1}, kinds=only).update(0)
    assert all("いちばん低い" in one.question for group in groups for one in group)


def test_a_name_stands_before_the_family() -> None:
    source = SyntheticSource(synthetic=SyntheticSpec(mixture={"chart": 1}), name="drawn")
    assert SyntheticFeed(source, 1, 0).update(0)[0][0].source == "drawn/chart"


def test_what_is_held_out_is_never_trained_on() -> None:
    source = feed(per_update=100)
    held = source.held_out(30)
    digests = {image.digest for one in held for image in one.images}
    assert held == feed(per_update=7).held_out(30)
    assert len({tuple(image.digest for image in one.images) for one in held[:30]}) == 30
    assert len(held) > 30
    trained = {digest for step in range(10) for digest in pictures(source.update(step))}
    assert len(trained) > 900
    assert not digests & trained


def test_a_few_are_of_what_is_trained_on() -> None:
    source = feed(per_update=4)
    assert {image.digest for one in source.some(3) for image in one.images} <= set(
        pictures(source.update(0))
    )


SHORT = "単語か数値だけで短く答えてください。\n"
LAYOUTS = [
    ("grid", [SHORT, None]),
    ("chart", [SHORT, None]),
    ("pair", [SHORT + "1枚目", None, "2枚目", None]),
    ("caption", [None, "この画像を日本語の一文で説明してください。"]),
]


@pytest.mark.parametrize(("family", "start"), LAYOUTS)
def test_prompts_are_those_of_the_task(family: str, start: list[str | None]) -> None:
    group = training_group(family, "layout", questions=3)
    examples = group_examples(family, "layout", questions=3, kinds={}, source=family)
    for example, question in zip(examples, group.questions, strict=True):
        asked, answer = example.turns
        texts = [part if isinstance(part, str) else None for part in asked.parts]
        assert texts[: len(start)] == start
        if family != "caption":
            assert question.text.endswith(str(texts[-1]))
        assert (answer.role, answer.text) == ("assistant", question.answers[0])
        for image, picture in zip(example.images, group.images, strict=True):
            assert image.decode().tobytes() == picture.tobytes()


class _Numbered:
    """A feed whose updates say which they are."""

    steps_per_epoch = 3

    def __init__(self, name: str, *, images: bool) -> None:
        self._name = name
        self._images = (Image(b"x"),) if images else ()

    def update(self, step: int) -> list[Group]:
        return [(self._example(step),)]

    def some(self, count: int) -> list[Example]:
        return [self._example(number) for number in range(min(count, 2))]

    def _example(self, number: int) -> Example:
        return Example(f"{number}", (Turn("user", self._images),), self._name)


def test_a_mixture_draws_by_weight_and_leaves_out_no_update() -> None:
    def mixed() -> MixedFeed:
        feeds = [_Numbered("rows", images=False), _Numbered("drawn", images=True)]
        return MixedFeed(feeds, [1.0, 3.0], seed=5)

    one = mixed()
    drawn = [one.update(step)[0][0] for step in range(400)]
    for name in ("rows", "drawn"):
        numbers = [int(example.id) for example in drawn if example.source == name]
        assert numbers == list(range(len(numbers)))
    assert 265 <= sum(example.source == "drawn" for example in drawn) <= 335  # four deviations
    assert mixed().update(399)[0][0] == drawn[399]
    assert [example.source for example in one.some(3)] == ["drawn", "drawn"]
