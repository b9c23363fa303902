"""Scenes of the basic level: emoji art on a colored ground, drawn from a description.

Four layouts: `single` (one large object), `icon` (one object, as small as in a grid), `grid` (up
to four different objects in the corners) and `scatter` (up to six objects of one to three sorts,
anywhere).
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from vlmbench.train.synthetic.concepts import Concept, concepts
from vlmbench.train.synthetic.sprites import Sprites

if TYPE_CHECKING:
    import PIL.Image

Layout: TypeAlias = Literal["single", "icon", "grid", "scatter"]

GRID_PLACES: tuple[str, ...] = ("左上", "右上", "左下", "右下")
MOST_OBJECTS = 6
SIDE: dict[Layout, int] = {"single": 96, "icon": 64, "grid": 128, "scatter": 128}
"""Side of the picture in pixels."""

LATTICE: dict[Layout, tuple[int, tuple[int, int]]] = {
    "single": (1, (64, 80)),
    "icon": (1, (42, 58)),
    "grid": (2, (46, 56)),
    "scatter": (3, (34, 40)),
}
"""Cells in a row, and the least and largest side of an object in pixels."""


@dataclass(frozen=True, slots=True)
class Ground:
    """A background color with its Japanese names."""

    name: str
    adjective: str
    """As it stands before a noun: 赤い, 緑の."""
    rgb: tuple[int, int, int]
    accept: tuple[str, ...] = ()

    @property
    def answers(self) -> tuple[str, ...]:
        """Every accepted name, best first."""
        return (self.name, *self.accept)


GROUNDS: tuple[Ground, ...] = (
    Ground("白", "白い", (252, 252, 252), ("白色", "しろ", "ホワイト")),
    Ground("赤", "赤い", (226, 72, 72), ("赤色", "あか", "レッド")),
    Ground("青", "青い", (82, 134, 232), ("青色", "あお", "ブルー")),
    Ground("黄色", "黄色い", (250, 226, 84), ("黄", "きいろ", "イエロー")),
    Ground("緑", "緑の", (98, 190, 108), ("緑色", "みどり", "グリーン", "黄緑")),
    Ground("ピンク", "ピンクの", (250, 176, 208), ("ピンク色", "桃色", "もも色")),
    Ground("紫", "紫の", (164, 112, 214), ("紫色", "むらさき", "パープル", "薄紫")),
    Ground("灰色", "灰色の", (160, 162, 166), ("グレー", "はい色", "ねずみ色")),
)


@dataclass(frozen=True, slots=True)
class Scene:
    """What is in a picture, before it is drawn."""

    layout: Layout
    ground: Ground
    objects: tuple[tuple[Concept, int], ...]
    """Each object with its cell: the corner in a grid, one of nine places in a scatter."""
    style: str

    @property
    def counts(self) -> Counter[str]:
        """How many objects of each name there are, in order of appearance."""
        return Counter(concept.name for concept, _ in self.objects)

    @property
    def distinct(self) -> tuple[Concept, ...]:
        """The different objects, in order of appearance."""
        return tuple({concept.name: concept for concept, _ in self.objects}.values())

    def at(self, cell: int) -> Concept | None:
        """The object in a cell."""
        return next((concept for concept, place in self.objects if place == cell), None)


def available(style: str, sprites: Sprites) -> tuple[Concept, ...]:
    """The concepts that a style draws."""
    return tuple(concept for concept in concepts() if sprites.has(style, concept.name))


def random_scene(
    rng: random.Random,
    layout: Layout,
    style: str,
    sprites: Sprites,
    *,
    subject: Concept | None = None,
) -> Scene:
    """A scene with everything drawn by lot, except that it holds `subject` if that is given."""
    pool = available(style, sprites)
    first = subject or rng.choice(pool)
    others = [concept for concept in rng.sample(pool, 5) if concept.name != first.name]
    ground = rng.choice(GROUNDS)
    if layout in ("single", "icon"):
        return Scene(layout, ground, ((first, 0),), style)
    if layout == "grid":
        chosen = [first, *others[: rng.choice((0, 1, 1, 2, 2, 3, 3, 3))]]
        cells = rng.sample(range(4), len(chosen))
        placed = sorted(zip(chosen, cells, strict=True), key=lambda pair: pair[1])
        return Scene(layout, ground, tuple(placed), style)
    total = rng.randint(1, MOST_OBJECTS)
    sorts = [first, *others][: min(total, rng.choice((1, 2, 2, 3)))]
    chosen = [*sorts, *(rng.choice(sorts) for _ in range(total - len(sorts)))]
    chosen.sort(key=sorts.index)
    cells = rng.sample(range(9), total)
    return Scene(layout, ground, tuple(zip(chosen, cells, strict=True)), style)


@dataclass(frozen=True, slots=True)
class Drawing:
    """A scene's picture, and where in it the objects are."""

    picture: PIL.Image.Image
    """RGB."""
    boxes: tuple[tuple[int, int, int, int], ...]
    """Left, top, right and bottom of each object in pixels, in the scene's order."""


def draw(
    scene: Scene, rng: random.Random, sprites: Sprites, *, vary: bool = False
) -> PIL.Image.Image:
    """The RGB picture of a scene; see `draw_with_boxes`."""
    return draw_with_boxes(scene, rng, sprites, vary=vary).picture


def draw_with_boxes(
    scene: Scene, rng: random.Random, sprites: Sprites, *, vary: bool = False
) -> Drawing:
    """Draws a scene; `rng` moves and scales the objects a little.

    Args:
        rng: Decides everything that the scene leaves open.
        vary: Also mirror, turn and tint the objects, as training does so that names stick to
            shapes rather than to one artist's drawing.
    """
    import PIL.Image

    side = SIDE[scene.layout]
    shade = rng.randint(-10, 10)
    rgb = tuple(max(0, min(255, value + shade)) for value in scene.ground.rgb)
    picture = PIL.Image.new("RGB", (side, side), rgb)
    per_row, sizes = LATTICE[scene.layout]
    pitch = side / per_row
    boxes = []
    for concept, cell in scene.objects:
        size = rng.randrange(sizes[0], sizes[1] + 1, 2)
        slack = int(pitch - size) // 2
        x = int((cell % per_row) * pitch) + slack + rng.randint(-min(slack, 6), min(slack, 6))
        y = int((cell // per_row) * pitch) + slack + rng.randint(-min(slack, 6), min(slack, 6))
        if vary:
            sprite = _varied(sprites.get(scene.style, concept.name), size, rng)
        else:
            sprite = sprites.get(scene.style, concept.name, size)
        picture.paste(sprite, (x, y), sprite)
        boxes.append((x, y, x + size, y + size))
    return Drawing(picture, tuple(boxes))


def _varied(sprite: PIL.Image.Image, size: int, rng: random.Random) -> PIL.Image.Image:
    import PIL.Image
    import PIL.ImageEnhance

    sprite = sprite.resize((size, size), PIL.Image.Resampling.BILINEAR)
    if rng.random() < 0.5:
        sprite = sprite.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT)
    if rng.random() < 0.25:
        sprite = sprite.rotate(rng.uniform(-12, 12), PIL.Image.Resampling.BILINEAR)
    if rng.random() < 0.3:
        sprite = PIL.ImageEnhance.Color(sprite).enhance(rng.uniform(0.5, 1.5))
    if rng.random() < 0.3:
        sprite = PIL.ImageEnhance.Brightness(sprite).enhance(rng.uniform(0.8, 1.2))
    return sprite
