"""Scenes are drawn as they are described: what is where, in which color, in which style."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from made_scenes import CONCEPTS, scene

from vlmbench.train.synthetic.concepts import ART_STYLES, TRAINING_STYLES, UNSEEN_STYLE
from vlmbench.train.synthetic.scenes import (
    GROUNDS,
    MOST_OBJECTS,
    SIDE,
    Ground,
    Layout,
    Scene,
    available,
    draw,
    random_scene,
)
from vlmbench.train.synthetic.sprites import SPRITE_SIZE, load_sprites

PER_ROW: dict[Layout, int] = {"single": 1, "grid": 2, "scatter": 3}
BRIGHT_GREEN = Ground("黄緑", "黄緑の", (0, 255, 0))
"""A ground that every drawing stands out from."""


def occupied(subject: Scene, rng: random.Random, *, vary: bool) -> set[int]:
    """The cells of the drawn scene that show more than ground."""
    picture = np.asarray(draw(subject, rng, load_sprites(), vary=vary)).astype(int)
    side, per_row = SIDE[subject.layout], PER_ROW[subject.layout]
    assert picture.shape == (side, side, 3)
    shown = abs(picture - np.median(picture, axis=(0, 1))).max(axis=2) > 40
    edges = [round(step * side / per_row) for step in range(per_row + 1)]
    return {
        row * per_row + column
        for row, column in product(range(per_row), repeat=2)
        if shown[edges[row] : edges[row + 1], edges[column] : edges[column + 1]].mean() > 0.05
    }


@pytest.mark.parametrize("vary", [False, True])
@pytest.mark.parametrize("layout", ["grid", "scatter"])
def test_objects_are_where_the_scene_says(layout: Layout, vary: bool) -> None:
    rng = random.Random(layout)
    for style in [*TRAINING_STYLES, UNSEEN_STYLE] * 6:
        subject = random_scene(rng, layout, style, load_sprites())
        subject = replace(subject, ground=BRIGHT_GREEN)
        assert occupied(subject, rng, vary=vary) == {cell for _, cell in subject.objects}, subject


def test_the_ground_has_the_color_that_it_is_called() -> None:
    for ground, seed in product(GROUNDS, range(6)):
        subject = scene("grid", ground.name, ("イヌ", 0))
        corner = draw(subject, random.Random(seed), load_sprites()).getpixel((127, 127))
        distance = {one.name: np.linalg.norm(np.subtract(one.rgb, corner)) for one in GROUNDS}  # type: ignore[arg-type]
        assert min(distance, key=lambda name: distance[name]) == ground.name


def test_every_style_draws_its_concepts_and_only_one_lacks_some() -> None:
    sprites = load_sprites()
    for style in ART_STYLES:
        assert len(available(style, sprites)) == (82 if style == "fxemoji" else len(CONCEPTS))
        for concept in available(style, sprites):
            drawing = sprites.get(style, concept.name)
            assert drawing.size == (SPRITE_SIZE, SPRITE_SIZE)
            alpha = np.asarray(drawing)[..., 3]
            assert (alpha > 128).mean() > 0.05, (style, concept.name)


def test_the_unseen_style_shares_no_drawing_with_the_others() -> None:
    sprites = load_sprites()

    def pixels(style: str) -> dict[str, bytes]:
        return {c.name: sprites.get(style, c.name).tobytes() for c in available(style, sprites)}

    unseen = pixels(UNSEEN_STYLE)
    assert UNSEEN_STYLE not in TRAINING_STYLES
    for style in TRAINING_STYLES:
        assert not set(unseen.values()) & set(pixels(style).values())


def test_random_scenes_keep_to_their_layout() -> None:
    rng = random.Random("layouts")
    for layout, most in (("single", 1), ("grid", 4), ("scatter", MOST_OBJECTS)):
        seen = set()
        for _ in range(200):
            subject = random_scene(rng, layout, "noto", load_sprites())  # type: ignore[arg-type]
            cells = [cell for _, cell in subject.objects]
            assert len(set(cells)) == len(cells)
            assert len(subject.distinct) <= (3 if layout == "scatter" else 4)
            if layout == "grid":
                assert len(subject.distinct) == len(cells)
                assert cells == sorted(cells)
            seen.add(len(cells))
        assert seen == set(range(1, most + 1))


def test_a_scene_is_drawn_the_same_twice_and_training_varies_it() -> None:
    subject = scene("grid", "赤", ("イヌ", 0), ("傘", 3))
    sprites = load_sprites()
    pictures = [
        draw(subject, random.Random(5), sprites, vary=vary).tobytes()
        for vary in (False, False, True, True)
    ]
    assert pictures[0] == pictures[1]
    assert pictures[2] == pictures[3]
    assert pictures[0] != pictures[2]
