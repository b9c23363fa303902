"""The training split of the basic level: endless, generated, never stored.

A group is one picture, or one pair, with several questions: they can share the cost of looking.
Training groups use the training art styles and the training years only; the evaluation items are
drawn by the same functions from other seeds, styles and years.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from vlmbench.train.data.examples import Region
from vlmbench.train.synthetic import basic_charts
from vlmbench.train.synthetic.basic_charts import ONE_CHART, draw_chart, random_chart
from vlmbench.train.synthetic.concepts import TRAINING_STYLES, concepts
from vlmbench.train.synthetic.questions import ONE_SCENE, TWO_SCENES, SyntheticQuestion, captions
from vlmbench.train.synthetic.scenes import Drawing, Scene, draw_with_boxes, random_scene
from vlmbench.train.synthetic.sprites import Sprites, load_sprites

if TYPE_CHECKING:
    import PIL.Image

FamilyName: TypeAlias = Literal["icon", "single", "grid", "scatter", "pair", "chart", "caption"]

FAMILIES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "icon": ("ja-vqa", ("what",)),
    "single": ("ja-vqa", ("what", "colour")),
    "grid": ("ja-vqa", ("where", "position", "exists", "count", "colour")),
    "scatter": ("ja-vqa", ("exists", "count", "count_of", "more", "colour")),
    "pair": ("ja-multi-image", tuple(TWO_SCENES)),
    "chart": ("ja-chart", tuple(ONE_CHART)),
    "caption": ("ja-caption", ("caption",)),
}
"""Kinds of group: the task each belongs to and the kinds of question it can carry."""


@dataclass(frozen=True, slots=True)
class TrainingGroup:
    """Pictures and the questions that share them."""

    task: str
    images: tuple[PIL.Image.Image, ...]
    questions: tuple[SyntheticQuestion, ...]
    regions: tuple[Region, ...] = ()
    """The objects of a picture that shows one scene, and its ground."""


def training_group(
    family: str, seed: str, *, questions: int, weights: Mapping[str, float] | None = None
) -> TrainingGroup:
    """The training group with this seed.

    Args:
        seed: Any text; equal text gives an equal group.
        questions: How many different questions to ask at most.
        weights: How often a kind of question is drawn, 1 where it is not named, 0 for never.
    """
    rng = random.Random(f"train:{family}:{seed}")
    sprites = load_sprites()
    subject = _subject(family, rng, sprites)
    images, regions = _drawn(family, subject, rng, sprites)
    asked = _questions(family, subject, rng, questions, weights or {})
    if not asked:  # the drawn scene allows none of the wanted kinds: take another one
        return training_group(family, seed + "+", questions=questions, weights=weights)
    return TrainingGroup(FAMILIES[family][0], images, asked, regions)


def _subject(family: str, rng: random.Random, sprites: Sprites) -> Any:
    """What the pictures of a group show: a scene, a pair of scenes or a chart."""
    style = rng.choice(TRAINING_STYLES)
    if family == "chart":
        return random_chart(rng, held_out=False)
    if family == "pair":
        return random_pair(rng, style, sprites)
    layout: Any = rng.choice(("grid", "scatter")) if family == "caption" else family
    return random_scene(rng, layout, style, sprites)


def _drawn(
    family: str, subject: Any, rng: random.Random, sprites: Sprites
) -> tuple[tuple[PIL.Image.Image, ...], tuple[Region, ...]]:
    """The pictures, and what is where in a single one."""
    if family == "chart":
        return (draw_chart(subject, rng, sprites),), ()
    scenes = subject if family == "pair" else (subject,)
    drawings = [draw_with_boxes(scene, rng, sprites, vary=True) for scene in scenes]
    regions = _regions(subject, drawings[0]) if family != "pair" else ()
    return tuple(one.picture for one in drawings), regions


def _regions(scene: Scene, drawing: Drawing) -> tuple[Region, ...]:
    """Each object by its name, and all around them by the ground's."""
    width, height = drawing.picture.size
    sizes = (width, height, width, height)
    objects = []
    for (concept, _), box in zip(scene.objects, drawing.boxes, strict=True):
        left, top, right, bottom = (edge / size for edge, size in zip(box, sizes, strict=True))
        objects.append(Region(concept.name, (left, top, right, bottom)))
    return (*objects, Region(scene.ground.name))


def _questions(
    family: str, subject: Any, rng: random.Random, most: int, weights: Mapping[str, float]
) -> tuple[SyntheticQuestion, ...]:
    """Different questions on a subject; none if it allows none of the kinds that are drawn."""
    kinds = FAMILIES[family][1]
    odds = [weights.get(kind, 1.0) for kind in kinds]
    asked: dict[str, SyntheticQuestion] = {}
    for _ in range(4 * most):
        question = ask(family, rng.choices(kinds, odds)[0], subject, rng)
        if question is not None:
            asked[question.text] = question
        if len(asked) == most:
            break
    return tuple(asked.values())


def ask(family: str, kind: str, subject: Any, rng: random.Random) -> SyntheticQuestion | None:
    """One question of a kind on a scene, a pair of scenes or a chart, where it can be asked."""
    if family == "caption":
        return SyntheticQuestion("caption", "", captions(subject))
    if family == "pair":
        return TWO_SCENES[kind](subject, rng)
    if family == "chart":
        return ONE_CHART[kind](subject, rng)
    return ONE_SCENE[kind](subject, rng)


def random_pair(rng: random.Random, style: str, sprites: Sprites) -> tuple[Scene, Scene]:
    """Two grids that share half of the time the ground, and mostly some of the objects."""
    one = random_scene(rng, "grid", style, sprites)
    other = random_scene(rng, "grid", style, sprites)
    ground = one.ground if rng.random() < 0.5 else other.ground
    if rng.random() < 0.6:
        other = Scene("grid", ground, _shared_objects(one, other, rng), style)
    else:
        other = Scene("grid", ground, other.objects, style)
    return (one, other) if rng.random() < 0.5 else (other, one)


def _shared_objects(one: Scene, other: Scene, rng: random.Random) -> tuple[Any, ...]:
    """One or more objects of `one`, and of `other` what has a place left."""
    kept = rng.sample(one.objects, rng.randint(1, len(one.objects)))
    free = [cell for cell in range(4) if cell not in {cell for _, cell in kept}]
    new = [concept for concept, _ in other.objects if concept.name not in one.counts]
    added = list(zip(new[: rng.choice((0, 1, 1, 2))], free, strict=False))
    return tuple(sorted([*kept, *added], key=lambda pair: pair[1]))


def texts_for_vocabulary() -> list[str]:
    """What the embedded tasks say, for training a tokenizer.

    Names stand apart from the sentences they occur in: so none grows together with a particle.
    """
    rng = random.Random("vocabulary")
    sprites = load_sprites()
    names = [*(concept.name for concept in concepts()), *basic_charts.words()]
    texts = [*names, *names]
    cut = re.compile("|".join(map(re.escape, sorted(names, key=len, reverse=True))))
    for family in FAMILIES:
        for _ in range(600):
            subject = _subject(family, rng, sprites)
            for question in _questions(family, subject, rng, 3, {}):
                for text in (question.text, *question.answers[:3]):
                    texts += [*cut.split(text), *cut.findall(text)]
    rng.shuffle(texts)
    return texts
