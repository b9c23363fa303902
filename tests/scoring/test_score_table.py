"""A table gives back what its rows hold, part by part, in the order that is asked for."""

from __future__ import annotations

import random

import pytest

from vlmbench.records import MetricScore, SampleScores, Scalar
from vlmbench.runs import spool
from vlmbench.scoring import table as score_table
from vlmbench.scoring.table import ScoreTable

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


@pytest.mark.parametrize("stretch", [7, 4096])
@pytest.mark.parametrize("count", [0, 1, 7, 200])
def test_parts_and_their_vectors(count: int, stretch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY", 1)
    monkeypatch.setattr(score_table, "ROWS", stretch)
    rows = made(count)
    table = ScoreTable(rows, SIZES, ["kind"])
    assert len(table) == count
    parts = list(table.parts())
    found = [
        (type(part.slice["kind"]).__name__, part.slice["kind"]) for part in parts if part.slice
    ]
    there = {(type(v).__name__, v) for r in rows if (v := r.slices["kind"]) is not None}
    assert found == sorted(there, key=lambda one: (one[0], str(one[1])))
    for part in parts:
        own = [r for r in rows if part.slice is None or r.slices["kind"] is part.slice["kind"]]
        assert len(part) == len(own)
        assert part.errors() == sum(bool(row.error) for row in own)
        for name, size in SIZES.items():
            scores = [row.scores[name] for row in own if name in row.scores]
            wanted = [score.vector for score in scores if score.vector is not None]
            vectors = part.vectors(name)
            assert vectors.shape == (len(wanted), size)
            assert [tuple(one) for rows in vectors for one in rows] == wanted
            assert part.unscored(name) == len(scores) - len(wanted)
            assert part.concerns(name) == bool(scores)
