"""Micro-batches: each depends on its number alone, and the stages switch where they say."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from made_recipes import make_recipe

from vlmbench.train.check import check_batches
from vlmbench.train.config import TrainConfig, load_config
from vlmbench.train.synthetic.split import FAMILIES, training_group
from vlmbench.train.synthetic_data import MicroBatch, RecipeData, demonstrations

STAGES = [
    {"share": 0.25, "mixture": {"single": 1, "grid": 0}, "groups_per_batch": 1},
    {"share": 0.75, "mixture": {"pair": 1, "chart": 3}, "kinds": {"most": 0}},
]


def recipe(folder: Path, **changes: Any) -> TrainConfig:
    data = {"groups_per_batch": 2, "questions_per_group": 3, "stages": STAGES}
    return load_config(make_recipe(folder, folder, **{"data": data, "steps": 40, **changes}))


def fingerprint(batch: MicroBatch) -> list[Any]:
    """A micro-batch as values that compare."""
    return [
        (
            [part if isinstance(part, str) else part.tobytes() for part in shown.content],
            shown.answer,
            shown.kind,
        )
        for group in batch
        for shown in group
    ]


def kinds(batch: MicroBatch) -> set[str]:
    return {shown.kind for group in batch for shown in group}


def test_a_batch_depends_on_its_number_alone(tmp_path: Path) -> None:
    config = recipe(tmp_path)
    first = RecipeData(config)
    forwards = [fingerprint(first[index]) for index in range(15, 25)]
    backwards = [fingerprint(RecipeData(config)[index]) for index in reversed(range(15, 25))]
    assert forwards == backwards[::-1]
    assert all(forwards[n] != forwards[n + 1] for n in range(9))


def test_another_seed_gives_other_batches(tmp_path: Path) -> None:
    one, other = (RecipeData(recipe(tmp_path, seed=seed)) for seed in (1, 2))
    assert all(fingerprint(one[index]) != fingerprint(other[index]) for index in range(5))


def test_stages_switch_where_the_shares_say(tmp_path: Path) -> None:
    data = RecipeData(recipe(tmp_path))
    assert len(data) == 80  # 40 steps of two micro-batches
    for index in range(20):
        assert kinds(data[index]) <= {"what", "colour"}
        assert len(data[index]) == 1
    for index in range(20, 80):
        assert not kinds(data[index]) & {"what", "colour", "most"}
        assert len(data[index]) == 2


def test_shares_that_divide_no_step_lose_none(tmp_path: Path) -> None:
    thirds = [
        {"share": share, "mixture": {family: 1}}
        for share, family in ((1 / 3, "single"), (1 / 3, "chart"), (1 / 3, "caption"))
    ]
    config = recipe(tmp_path, data={"groups_per_batch": 1, "stages": thirds}, steps=5)
    families = [_family(RecipeData(config)[index]) for index in range(10)]
    assert Counter(families) == {"single": 3, "chart": 4, "caption": 3}
    assert families == sorted(families, key=["single", "chart", "caption"].index)


def _family(batch: MicroBatch) -> str:
    return next(
        name for name in ("single", "chart", "caption") if kinds(batch) <= set(FAMILIES[name][1])
    )


def test_families_come_as_often_as_the_mixture_says(tmp_path: Path) -> None:
    data = RecipeData(recipe(tmp_path, steps=200))
    charts = sum(len(data[index][0][0].content) == 3 for index in range(100, 400))
    assert 195 <= charts <= 255  # three in four, four standard deviations


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
    shown = demonstrations(group)
    assert len(shown) == len(group.questions)
    for demonstration, question in zip(shown, group.questions, strict=True):
        texts = [part if isinstance(part, str) else None for part in demonstration.content]
        assert texts[: len(start)] == start
        if family != "caption":
            assert question.text.endswith(str(texts[-1]))
        images = [part for part in demonstration.content if not isinstance(part, str)]
        assert all(one is other for one, other in zip(images, group.images, strict=True))
        assert demonstration.answer == question.answers[0]


def test_checks_cover_the_recipe_and_are_never_trained_on(tmp_path: Path) -> None:
    config = recipe(tmp_path, check_groups=5)
    batches = check_batches(config)
    assert [len(batch) for batch in batches] == 4 * [2, 2, 1]  # chart, grid, pair, single
    checked = {_pictures(group[0].content) for batch in batches for group in batch}
    data = RecipeData(config)
    trained = {_pictures(group[0].content) for index in range(80) for group in data[index]}
    assert len(checked) == 20
    assert not checked & trained


def _pictures(content: Any) -> bytes:
    return b"".join(part.tobytes() for part in content if not isinstance(part, str))
