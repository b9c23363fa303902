"""What curves are drawn from."""

from __future__ import annotations

import math

import pytest

from vlmbench.report.charts import MOST_POINTS, Point, axis_top, chart


@pytest.mark.parametrize(
    ("highest", "top"),
    [(0.0, 1.0), (-2, 1), (1, 1), (1.01, 1.5), (7, 8), (9, 10), (0.00021, 0.0003), (4100, 5000)],
)
def test_an_axis_ends_at_a_round_number(highest: float, top: float) -> None:
    assert axis_top(highest) == pytest.approx(top)


def test_points_lie_where_their_values_are() -> None:
    drawn = chart({"loss": [Point(0, 4), Point(5, 2), Point(10, 0)]}, mark=5)
    assert drawn is not None
    (curve,) = drawn.curves  # 1000 wide, 100 high, y from the top
    assert curve.line == "M0.0 0.00L500.0 50.00L1000.0 100.00"
    assert (curve.last, drawn.top, drawn.first, drawn.last) == (0, 4, 0, 10)
    assert drawn.mark == "M500.0 0V100"
    assert curve.band == ""


def test_intervals_are_an_area() -> None:
    drawn = chart({"task": [Point(0, 0.5, 0.25, 1.0), Point(10, 0.5, 0.0, 0.75)]})
    assert drawn is not None
    assert drawn.curves[0].band == "M0.0 0.00L1000.0 25.00L1000.0 100.00L0.0 75.00Z"


def test_below_zero_has_room() -> None:
    drawn = chart({"gain": [Point(0, -3), Point(1, 1)]})
    assert drawn is not None
    assert (drawn.bottom, drawn.top) == (-3, 1)
    assert drawn.curves[0].line == "M0.0 100.00L1000.0 0.00"


def test_many_points_become_means_of_neighbors() -> None:
    points = [Point(step, step % 2) for step in range(1, 4 * MOST_POINTS + 1)]
    drawn = chart({"loss": points})
    assert drawn is not None
    (curve,) = drawn.curves
    assert drawn.averaged == 4
    heights = {place.split(" ")[1] for place in curve.line[1:].split("L")}
    assert heights == {"0.00"}  # of four neighbors two are 1: the mean of all is 0.5, also the top
    assert len(curve.line.split("L")) == MOST_POINTS
    assert curve.dots == ""


def test_what_is_no_number_is_not_drawn() -> None:
    assert chart({"loss": [Point(1, math.nan)]}) is None
    assert chart({}) is None
    drawn = chart({"loss": [Point(1, math.inf), Point(2, 1.0)], "other": []})
    assert drawn is not None
    assert [curve.name for curve in drawn.curves] == ["loss"]
    assert "inf" not in drawn.curves[0].line
