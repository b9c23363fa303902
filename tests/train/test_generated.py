"""What the guard compares of generated sources is what a training shows of them."""

from __future__ import annotations

from typing import Any

from vlmbench.schema import parse
from vlmbench.train.data.examples import Example, Turn
from vlmbench.train.feed import Group
from vlmbench.train.generated import generated_examples, mixed
from vlmbench.train.pairs import collect_pairs
from vlmbench.train.recipe import Recipe

DRAWN = {"synthetic": {"mixture": {"single": 1, "chart": 1}, "questions": 2}, "name": "drawn"}
ROW = Example("row", (Turn("user", ("?",)), Turn("assistant", ("!",))), "rows")


class Rows:
    """A feed of one row."""

    steps_per_epoch = 1

    def update(self, step: int) -> list[Group]:
        return [(ROW,)]

    def some(self, count: int) -> list[Example]:
        return [ROW]


def recipe(**changes: Any) -> Recipe:
    data = [{"path": "rows.parquet"}, DRAWN]
    values = {"name": "one", "model": "tiny-ja", "data": data, "max_steps": 7, **changes}
    return parse(Recipe, values, location="here")


def test_of_a_mixture_with_rows_the_updates_that_are_drawn() -> None:
    chosen = recipe()
    feed = mixed(chosen, Rows(), 3)
    trained = [one for step in range(7) for group in feed.update(step) for one in group]
    compared = [one for update in generated_examples(chosen, 3) for one in update]
    assert compared == [one for one in trained if one is not ROW]
    assert 0 < len(compared) < len(trained)


def test_of_a_contrastive_stage_the_pictures_that_it_keeps() -> None:
    chosen = recipe(
        objective="contrastive",
        method="full",
        train=["connector"],
        contrastive={"pictures": 5},
    )
    kept = collect_pairs(mixed(chosen, Rows(), 2), 5)
    (compared,) = generated_examples(chosen, 2)
    assert {one.images[0].digest for one in compared} == {one.digest for one in kept.images}
    assert len(compared) == 5


def test_rows_alone_give_nothing_to_draw() -> None:
    assert list(generated_examples(recipe(data=[{"path": "rows.parquet"}]), 2)) == []
