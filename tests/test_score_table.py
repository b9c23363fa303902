"""A table gives back what its rows hold, part by part, in the order that is asked for."""

from __future__ import annotations

import random

import numpy as np
import pytest

from vlmbench.records import MetricScore, SampleScores, Scalar
from vlmbench.score_table import ScoreTable

SIZES = {"one": 1, "three": 3}


def made(count: int) -> list[SampleScores]:
    draw = random.Random(count)
    rows = []
    for number in range(count):
        slices: dict[str, Scalar] = {"kind": draw.choice([None, True, 1, "1"])}
        scores = {
            name: draw.choice(
                [MetricScore(tuple(draw.random() for _ in range(size))), MetricScore(None, "no")]
            )
            for name, size in SIZES.items()
            if draw.random() < 0.7
        }
        error = "timeout" if draw.random() < 0.2 else None
        rows.append(
            SampleScores(f"q{number}", "", slices, {} if error else scores, error)  # type: ignore[arg-type]
        )
    return rows


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("count", [0, 1, 200])
def test_parts_and_their_vectors(count: int, ordered: bool) -> None:
    rows = made(count)
    table = ScoreTable.of(rows, SIZES, ["kind"])
    if ordered:
        order = sorted(range(count), key=lambda number: rows[number].id)
        table.put_in_order(order)
        rows = [rows[number] for number in order]
    parts = list(table.parts())
    found = [(type(part["kind"]).__name__, part["kind"]) for part, _ in parts[1:] if part]
    there = {(type(v).__name__, v) for r in rows if (v := r.slices["kind"]) is not None}
    assert found == sorted(there, key=lambda one: (one[0], str(one[1])))
    for part, members in parts:
        own = [row for row in rows if part is None or row.slices["kind"] is _value(part)]
        assert np.count_nonzero(table.errors(members)) == sum(bool(row.error) for row in own)
        for name in SIZES:
            scores = [row.scores[name] for row in own if name in row.scores]
            wanted = [score.vector for score in scores if score.vector is not None]
            assert [tuple(one) for one in table.vectors(name, members)] == wanted
            assert table.unscored(name, members) == len(scores) - len(wanted)
            assert table.concerns(name, members) == bool(scores)


def _value(part: dict[str, Scalar]) -> Scalar:
    return part["kind"]
