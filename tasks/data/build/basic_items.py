"""The basic level's evaluation items: balanced answers, half of the scenes in the unseen style."""

from __future__ import annotations

import io
import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal, TypeVar

from vlmbench.train.synthetic.basic_charts import ONE_CHART, draw_chart, random_chart
from vlmbench.train.synthetic.concepts import TRAINING_STYLES, UNSEEN_STYLE
from vlmbench.train.synthetic.items import SuiteItem
from vlmbench.train.synthetic.questions import ONE_SCENE, TWO_SCENES, SyntheticQuestion, captions
from vlmbench.train.synthetic.scenes import Layout, Scene, draw, random_scene
from vlmbench.train.synthetic.split import random_pair
from vlmbench.train.synthetic.sprites import load_sprites

if TYPE_CHECKING:
    import PIL.Image

Subject = TypeVar("Subject")
Drawn = TypeVar("Drawn", Scene, tuple[Scene, Scene])

VQA_PER_KIND, CHART_PER_KIND, PAIR_PER_KIND, CAPTIONS = 28, 30, 36, 264
CANDIDATES = 40
"""How many questions are drawn for each one that is kept, so that answers can be balanced."""

LAYOUTS: dict[str, tuple[Layout, ...]] = {
    "what": ("single",),
    "where": ("grid",),
    "position": ("grid",),
    "exists": ("grid", "scatter"),
    "count": ("grid", "scatter"),
    "count_of": ("scatter",),
    "more": ("scatter",),
    "colour": ("single", "grid", "scatter"),
}
"""In which layouts a kind of question is asked."""


def png(picture: PIL.Image.Image) -> bytes:
    """The picture as an optimized PNG file."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def vqa_items() -> list[SuiteItem]:
    """ja-vqa: one question a scene."""
    sprites = load_sprites()

    def scene(kind: str, rng: random.Random, style: str) -> Scene:
        return random_scene(rng, rng.choice(LAYOUTS[kind]), style, sprites)

    return [
        _item(f"scene-{kind}-{n:02}", question, style, (draw(subject, rng, sprites),))
        for kind in ONE_SCENE
        for n, (subject, question, style, rng) in enumerate(
            _styled(kind, VQA_PER_KIND, scene, ONE_SCENE[kind])
        )
    ]


def multi_image_items() -> list[SuiteItem]:
    """ja-multi-image: one question a pair of scenes."""
    sprites = load_sprites()

    def pair(kind: str, rng: random.Random, style: str) -> tuple[Scene, Scene]:
        return random_pair(rng, style, sprites)

    return [
        _item(
            f"pair-{kind.replace('_', '-')}-{n:02}",
            question,
            style,
            tuple(draw(scene, rng, sprites) for scene in subject),
        )
        for kind in TWO_SCENES
        for n, (subject, question, style, rng) in enumerate(
            _styled(kind, PAIR_PER_KIND, pair, TWO_SCENES[kind])
        )
    ]


def chart_items() -> list[SuiteItem]:
    """ja-chart: one question a bar chart of the held-out years."""
    sprites = load_sprites()
    items = []
    for kind, ask in ONE_CHART.items():
        rng = random.Random(f"test:chart:{kind}")
        drawn = _candidates(rng, CHART_PER_KIND, lambda r: random_chart(r, held_out=True), ask)
        for n, (chart, question) in enumerate(_balanced(drawn, CHART_PER_KIND)):
            pictures = (draw_chart(chart, rng, sprites),)
            items.append(_item(f"bars-{kind.replace('_', '-')}-{n:02}", question, None, pictures))
    return items


def caption_items() -> list[SuiteItem]:
    """ja-caption: describe a scene."""
    sprites = load_sprites()
    items = []
    for n in range(CAPTIONS):
        rng = random.Random(f"test:caption:{n}")
        style = _style(n)
        layout: Layout = rng.choice(("grid", "scatter"))
        scene = random_scene(rng, layout, style, sprites)
        question = SyntheticQuestion("scene", "", captions(scene))
        pictures = (draw(scene, rng, sprites),)
        items.append(_item(f"scene-{n:03}", question, style, pictures, answer="open"))
    return items


def _style(n: int) -> str:
    """Every second item in the unseen style, the others in the training styles by turns."""
    return UNSEEN_STYLE if n % 2 else TRAINING_STYLES[n // 2 % len(TRAINING_STYLES)]


def _styled(
    kind: str,
    wanted: int,
    make: Callable[[str, random.Random, str], Drawn],
    ask: Callable[[Drawn, random.Random], SyntheticQuestion | None],
) -> Iterator[tuple[Drawn, SyntheticQuestion, str, random.Random]]:
    """Balanced questions of a kind, the answers balanced within seen and unseen styles each."""
    halves = [_half(kind, half, wanted, make, ask) for half in range(2)]
    for n in range(wanted):
        subject, question, rng = halves[n % 2][n // 2]
        scene = subject[0] if isinstance(subject, tuple) else subject
        yield subject, question, scene.style, rng


def _half(
    kind: str,
    half: int,
    wanted: int,
    make: Callable[[str, random.Random, str], Subject],
    ask: Callable[[Subject, random.Random], SyntheticQuestion | None],
) -> list[tuple[Subject, SyntheticQuestion, random.Random]]:
    """The questions in seen styles (half 0) or in the unseen one (half 1)."""
    rng = random.Random(f"test:{kind}:{half}")
    styles = itertools.cycle([_style(n) for n in range(half, wanted, 2)])
    pool = _candidates(rng, wanted // 2, lambda r: make(kind, r, next(styles)), ask)
    return [(*kept, rng) for kept in _balanced(pool, wanted // 2)]


def _candidates(
    rng: random.Random,
    wanted: int,
    make: Callable[[random.Random], Subject],
    ask: Callable[[Subject, random.Random], SyntheticQuestion | None],
) -> Iterator[tuple[Subject, SyntheticQuestion]]:
    found = 0
    while found < wanted * CANDIDATES:
        subject = make(rng)
        question = ask(subject, rng)
        if question is not None:
            found += 1
            yield subject, question


def _balanced(
    pool: Iterator[tuple[Subject, SyntheticQuestion]], wanted: int
) -> list[tuple[Subject, SyntheticQuestion]]:
    """As many as wanted, always taking the first whose answer was taken least so far."""
    waiting = list(pool)
    used: Counter[str] = Counter()
    kept: list[tuple[Subject, SyntheticQuestion]] = []
    while len(kept) < wanted:
        index = min(range(len(waiting)), key=lambda i: (used[waiting[i][1].answers[0]], i))
        subject, question = waiting.pop(index)
        used[question.answers[0]] += 1
        kept.append((subject, question))
    return kept


def _item(
    id: str,
    question: SyntheticQuestion,
    style: str | None,
    pictures: tuple[PIL.Image.Image, ...],
    *,
    answer: Literal["short", "open"] = "short",
) -> SuiteItem:
    return SuiteItem(
        id=id,
        images=tuple(map(png, pictures)),
        question=question.text,
        references=question.answers,
        level="basic",
        kind=question.kind,
        style=None if style is None else ("unseen" if style == UNSEEN_STYLE else "seen"),
        answer=answer,
        source=style or "gapminder",
    )
