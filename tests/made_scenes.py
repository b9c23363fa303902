"""Hand-made scenes and charts of the basic level, and everything that can be asked of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from vlmbench.train.synthetic.basic_charts import COLORS, ONE_CHART, QUANTITIES, Bar, BarChart
from vlmbench.train.synthetic.concepts import concepts
from vlmbench.train.synthetic.questions import ONE_SCENE, TWO_SCENES, SyntheticQuestion
from vlmbench.train.synthetic.scenes import GROUNDS, Layout, Scene

CONCEPTS = {concept.name: concept for concept in concepts()}
_GROUNDS = {ground.name: ground for ground in GROUNDS}
_COLORS = {color.name: color for color in COLORS}
ASK: dict[str, Callable[[Any, random.Random], SyntheticQuestion | None]] = {
    **ONE_SCENE,
    **TWO_SCENES,
    **ONE_CHART,
}
"""The question of a kind on a scene, a pair of scenes or a chart."""
DRAWS = 300
"""Random draws that meet every question of the small scenes of these tests."""


def scene(layout: Layout, ground: str, *objects: tuple[str, int], style: str = "noto") -> Scene:
    """A scene of (name, cell) pairs."""
    placed = tuple((CONCEPTS[name], cell) for name, cell in objects)
    return Scene(layout, _GROUNDS[ground], placed, style)


def chart(*bars: tuple[str, float, str], printed: bool = True, quantity: int = 0) -> BarChart:
    """A chart of (country, value, color) triples."""
    drawn = tuple(Bar(label, value, _COLORS[color]) for label, value, color in bars)
    return BarChart(QUANTITIES[quantity], 1977, drawn, printed)


def asked(kind: str, subject: Any) -> set[tuple[str, str]]:
    """Every question of a kind that random draws ask of a subject, with its best answer."""
    found = (ASK[kind](subject, random.Random(seed)) for seed in range(DRAWS))
    return {(one.text.replace("<image>", ""), one.answers[0]) for one in found if one}
