"""Curves over the steps of a training, as the numbers that an SVG is drawn from.

A chart is 1000 wide and 100 high whatever is drawn, and stretched to its place; lines keep their
width, so that the words around it, which are HTML, stay readable on a phone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

MOST_POINTS = 300
"""Points of a drawn line; more are drawn as the means of neighbors."""

MOST_DOTS = 30
"""Points of a curve that each get a dot."""

WIDTH, HEIGHT = 1000, 100
_TOPS = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)


class Point(NamedTuple):
    """A value at a step, with its interval where it has one."""

    step: float
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Curve:
    """One series of a chart."""

    name: str
    last: float
    line: str
    """Path of the line."""
    dots: str
    """Path of a dot for each point; empty where they are too many."""
    band: str
    """Path of the area of the intervals; empty if there are none."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Curves on one pair of axes."""

    curves: tuple[Curve, ...]
    top: float
    """Value at the upper edge; the lower edge is 0, or `bottom` if values lie below it."""
    bottom: float
    first: int
    """Step at the left edge."""
    last: int
    mark: str
    """Path of the vertical line at the marked step; empty if none is."""
    averaged: int
    """Updates that a point of the longest curve is the mean of."""


def chart(series: Mapping[str, Sequence[Point]], *, mark: int | None = None) -> Chart | None:
    """The chart of some series; None if none of them has a point.

    Args:
        series: By name, each in the order of steps.
        mark: A step to point out.
    """
    kept = {name: found for name, points in series.items() if (found := _finite(points))}
    if not kept:
        return None
    longest = max(len(points) for points in kept.values())
    averaged = math.ceil(longest / MOST_POINTS)
    drawn = {name: _thinned(points) for name, points in kept.items()}
    flat = [point for points in drawn.values() for point in points]
    first = min(0.0, *(point.step for point in flat))
    last = max(point.step for points in kept.values() for point in points)
    top = axis_top(max(max(point.value, point.high or 0) for point in flat))
    lowest = min(min(point.value, point.low or 0) for point in flat)
    bottom = -axis_top(-lowest) if lowest < 0 else 0.0
    axes = _Axes(first, max(last, first + 1), bottom, top)
    curves = [_curve(name, drawn[name], kept[name][-1].value, axes) for name in drawn]
    at = "" if mark is None else f"M{axes.x(mark)} 0V{HEIGHT}"
    return Chart(tuple(curves), top, bottom, int(first), int(last), at, averaged)


def axis_top(highest: float) -> float:
    """The smallest round number that is not below a value; 1 if that is 0 or less."""
    if highest <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(highest))
    return next(step * power for step in _TOPS if step * power >= highest * (1 - 1e-9))


class _Axes(NamedTuple):
    first: float
    last: float
    bottom: float
    top: float

    def x(self, step: float) -> str:
        return f"{WIDTH * (step - self.first) / (self.last - self.first):.1f}"

    def y(self, value: float) -> str:
        return f"{HEIGHT * (self.top - value) / (self.top - self.bottom):.2f}"


def _finite(points: Sequence[Point]) -> list[Point]:
    return [point for point in points if math.isfinite(point.value)]


def _thinned(points: Sequence[Point]) -> list[Point]:
    """Means of neighbors, where there are more points than can be seen."""
    size = math.ceil(len(points) / MOST_POINTS)
    if size == 1:
        return [*points]
    groups = [points[at : at + size] for at in range(0, len(points), size)]
    return [
        Point(
            sum(point.step for point in group) / len(group),
            sum(point.value for point in group) / len(group),
        )
        for group in groups
    ]


def _curve(name: str, points: Sequence[Point], last: float, axes: _Axes) -> Curve:
    places = [(axes.x(point.step), axes.y(point.value)) for point in points]
    bounded = [point for point in points if point.low is not None and point.high is not None]
    upper = [f"{axes.x(one.step)} {axes.y(one.high or 0)}" for one in bounded]
    lower = [f"{axes.x(one.step)} {axes.y(one.low or 0)}" for one in reversed(bounded)]
    few = len(points) <= MOST_DOTS
    return Curve(
        name=name,
        last=last,
        line="M" + "L".join(f"{x} {y}" for x, y in places),
        dots="".join(f"M{x} {y}h0" for x, y in places) if few else "",
        band=f"M{'L'.join([*upper, *lower])}Z" if len(bounded) > 1 else "",
    )
