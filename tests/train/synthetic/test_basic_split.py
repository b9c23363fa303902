"""The training split: reproducible, and it touches nothing that is kept for evaluation."""

from __future__ import annotations

import pytest
from basic_items import chart_items

from vlmbench.tasks.registry import load_task
from vlmbench.train.synthetic import basic_charts, split
from vlmbench.train.synthetic.basic_charts import HELD_OUT_YEARS
from vlmbench.train.synthetic.concepts import TRAINING_STYLES, concepts
from vlmbench.train.synthetic.questions import ONE_SCENE, TWO_SCENES
from vlmbench.train.synthetic.sprites import LETTERING, Sprites, load_sprites

SEEDS = [str(number) for number in range(25)]


def fingerprint(family: str, seed: str) -> tuple[object, ...]:
    group = split.training_group(family, seed, questions=4)
    return (group.task, group.questions, *(image.tobytes() for image in group.images))


@pytest.mark.parametrize("family", split.FAMILIES)
def test_a_seed_gives_the_same_group_whatever_came_before(family: str) -> None:
    forwards = [fingerprint(family, seed) for seed in SEEDS]
    assert [fingerprint(family, seed) for seed in reversed(SEEDS)] == forwards[::-1]
    assert len(set(forwards)) == len(SEEDS)


@pytest.mark.parametrize("family", split.FAMILIES)
def test_the_unseen_style_is_not_needed(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Training from a folder without that style's drawings gives the same pictures."""
    expected = [fingerprint(family, seed) for seed in SEEDS]
    kept = {
        key: png
        for key, png in load_sprites()._encoded.items()
        if key[0] in (*TRAINING_STYLES, LETTERING)
    }
    assert 0 < len(kept) < len(load_sprites()._encoded)
    monkeypatch.setattr(split, "load_sprites", lambda: Sprites(kept))
    assert [fingerprint(family, seed) for seed in SEEDS] == expected


def test_the_held_out_years_are_not_needed_and_only_they_are_evaluated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    figures = basic_charts.statistics()

    def without(held_out: bool) -> dict[str, dict[str, dict[str, float]]]:
        return {
            quantity: {
                year: row for year, row in rows.items() if (int(year) in HELD_OUT_YEARS) != held_out
            }
            for quantity, rows in figures.items()
        }

    trained = [fingerprint("chart", seed) for seed in SEEDS]
    monkeypatch.setattr(basic_charts, "statistics", lambda: without(held_out=True))
    assert [fingerprint("chart", seed) for seed in SEEDS] == trained
    monkeypatch.setattr(basic_charts, "statistics", lambda: figures)
    evaluated = chart_items()
    monkeypatch.setattr(basic_charts, "statistics", lambda: without(held_out=False))
    assert chart_items() == evaluated


@pytest.mark.parametrize("family", split.FAMILIES)
def test_groups_ask_different_questions_of_their_own_kinds(family: str) -> None:
    task, kinds = split.FAMILIES[family]
    images = 2 if family == "pair" else 1
    asked = set()
    for seed in SEEDS:
        group = split.training_group(family, seed, questions=4)
        assert (group.task, len(group.images)) == (task, images)
        texts = [question.text for question in group.questions]
        assert 1 <= len(set(texts)) == len(texts) <= 4
        asked |= {question.kind for question in group.questions}
    assert asked <= set(kinds)
    assert load_task(task).name == task


def test_every_kind_of_question_can_be_trained() -> None:
    trained = {kind for _, kinds in split.FAMILIES.values() for kind in kinds}
    assert trained == {*ONE_SCENE, *TWO_SCENES, *basic_charts.ONE_CHART, "caption"}


@pytest.mark.parametrize(
    ("family", "wanted"), [("scatter", "more"), ("pair", "common"), ("chart", "minimum")]
)
def test_only_the_weighted_kinds_are_drawn(family: str, wanted: str) -> None:
    weights = {kind: float(kind == wanted) for kind in split.FAMILIES[family][1]}
    for seed in SEEDS:
        group = split.training_group(family, seed, questions=3, weights=weights)
        assert {question.kind for question in group.questions} == {wanted}


def test_the_vocabulary_texts_hold_every_name_apart() -> None:
    texts = set(split.texts_for_vocabulary())
    names = {concept.name for concept in concepts()} | set(basic_charts.words())
    assert names <= texts
    assert not any(name in text for text in texts - names for name in names)
    assert {"<image>右上にあるのは何ですか。", "はいくつ描かれていますか。", "いいえ"} <= texts
