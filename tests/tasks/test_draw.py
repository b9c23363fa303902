"""What `--limit` draws: shares of subsets and slices, nested parts, by the seed."""

from __future__ import annotations

from collections import Counter

import pytest

from vlmbench.derive import load_texts
from vlmbench.tasks.draw import draw_order, drawn_positions
from vlmbench.tasks.registry import load_task

SUBJECTS = [(f"subject {n % 28}", f"level {n % 3}") for n in range(28 * 40)]
LEVELS = [("easy",)] * 200 + [("hard",)] * 60 + [("real",)] * 40


@pytest.mark.parametrize("seed", range(5))
def test_subsets_of_one_size_have_equally_many(seed: int) -> None:
    order = draw_order(SUBJECTS, seed)
    assert sorted(order) == list(range(len(SUBJECTS)))
    for each in (1, 2, 5):
        part = order[: 28 * each]
        assert set(Counter(SUBJECTS[one][0] for one in part).values()) == {each}
        levels = Counter(SUBJECTS[one][1] for one in part)
        assert max(levels.values()) - min(levels.values()) <= 3


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("limit", [15, 30, 45, 150])
def test_each_slice_has_its_share(seed: int, limit: int) -> None:
    part = Counter(LEVELS[one][0] for one in draw_order(LEVELS, seed)[:limit])
    for (name,), count in Counter(LEVELS).items():
        assert abs(part[name] - limit * count / len(LEVELS)) <= 1


def test_every_sample_is_as_likely_as_any_other() -> None:
    """Of 11 samples 4 are drawn, each in 4/11 of 4,000 draws; 0.036 is more than 4 sigmas."""
    strata = [("a",)] * 3 + [("b",)] * 7 + [("c",)]
    drawn = Counter(one for seed in range(4000) for one in draw_order(strata, seed)[:4])
    assert all(abs(drawn[one] / 4000 - 4 / 11) < 0.036 for one in range(11))


def test_without_strata_it_is_a_plain_draw() -> None:
    assert sorted(draw_order([()] * 5, 0)) == [0, 1, 2, 3, 4]
    assert draw_order([], 0) == []
    assert len({tuple(draw_order([()] * 9, seed)) for seed in range(9)}) == 9


def test_a_part_of_ja_chart() -> None:
    """Its rows are ordered from easy to hard, so that the first ones say nothing of the rest."""
    task = load_task("ja-chart")
    samples = load_texts(task)
    part = drawn_positions(task, samples, limit=30, seed=0)
    assert part is not None and len(part) == 30 and list(part) == sorted(part)
    assert drawn_positions(task, samples, limit=30, seed=0) == part
    assert drawn_positions(task, samples, limit=30, seed=1) != part
    assert {*part} < {*(drawn_positions(task, samples, limit=60, seed=0) or ())}
    for name in task.slices[:1]:
        whole = Counter(sample.meta[name] for sample in samples)
        found = Counter(samples[one].meta[name] for one in part)
        assert all(
            abs(found[key] - 30 * count / len(samples)) <= 1.5 for key, count in whole.items()
        )
    for limit in (None, len(samples), 10**6):
        assert drawn_positions(task, samples, limit=limit, seed=0) is None
