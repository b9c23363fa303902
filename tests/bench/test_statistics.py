"""A small simulation of what docs/statistics.md says, and the committed tables themselves."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from pathlib import Path

import bench_statistics as bench
import numpy as np
import pytest
from scipy.stats import binom

from vlmbench.stats import proportion_interval, value_interval

PAGE = Path(__file__).parents[2] / "docs" / "statistics.md"
DRAWS = 60


def misses(rates: Iterable[bench.Rate], draws: int | None = None) -> list[str]:
    """The cases that are not as they are held to be, but for chance where they were drawn."""
    found = []
    for one in rates:
        chance = [
            4 * math.sqrt(max(end * (1 - end), 0.01) / draws) if draws else 0.0 for end in one.held
        ]
        if not one.held[0] - chance[0] <= one.share <= one.held[1] + chance[1]:
            found.append(f"{one.case}: {one.share:.3f}")
    return found


def test_shares_of_right_answers_cover_what_they_say() -> None:
    assert not misses(bench.proportions((20, 200)))


def test_the_coverage_of_shares_jumps() -> None:
    """2 % of 50: P(k <= 2) = 0.9216 and P(k <= 3) = 0.9822 by R's pbinom; nothing is between."""
    counts = [binom.cdf(k, 50, 0.02) for k in (2, 3)]
    assert counts == pytest.approx([0.9216, 0.9822], abs=1e-4)
    ends = [proportion_interval(k / 50, 50) for k in (0, 2, 3)]
    assert ends[0][0] <= ends[1][0] < 0.02 < ends[2][0]


def test_a_long_tail_below_is_covered_too() -> None:
    random = np.random.default_rng(0)
    scores = np.maximum(6 - random.lognormal(0, 0.8, (300, 20, 1)), 0)
    truth = np.maximum(6 - random.lognormal(0, 0.8, 2_000_000), 0).mean()
    found = [value_interval(one, kind="free") for one in scores]
    assert np.mean([one.low <= truth <= one.high for one in found]) > 0.93 - 4 * 0.015


def test_means_cover_what_they_say() -> None:
    assert not misses(bench.means(DRAWS, (20, 50)), DRAWS)
    assert not misses(bench.other_means(DRAWS, (50,)), DRAWS)


def test_shared_images_are_allowed_for() -> None:
    assert not misses(bench.clusters(DRAWS, (0.3,)), DRAWS)
    assert not misses(bench.other_clusters(DRAWS, (0.5,)), DRAWS)


def test_shared_questions_are_allowed_for() -> None:
    assert not misses(bench.groups(40), 40)
    assert not misses(bench.clustered_groups(40), 40)


def test_paired_differences_cover_what_they_say() -> None:
    assert not misses(bench.paired((50, 200)))
    assert not misses(bench.paired_means(DRAWS, (50, 200)), DRAWS)
    assert not misses(bench.pooled_verdicts(DRAWS), DRAWS)


def test_equal_models_seldom_fail() -> None:
    assert not misses(bench.false_alarms((1, 20)))
    assert not misses(bench.clustered_pairs(DRAWS), DRAWS)
    assert not misses(bench.gate_alarms(20, (1, 4)), 20)


def test_few_samples_never_pass_by_luck() -> None:
    assert not misses(bench.false_passes())
    assert not misses(bench.partial_passes(20, (5, 30)), 20)


def test_power_is_as_planned() -> None:
    found = list(bench.powers((100, 300)))
    assert [one for one in found if not one.holds] == []


def test_stopping_early_is_no_way_to_be_wrong() -> None:
    assert not misses(bench.sequential(20, samples=200), 20)
    assert not misses(bench.early_verdicts(10), 10)


def test_twenty_tasks_take_less_than_five_seconds() -> None:
    assert bench.gate_seconds() < 5


def test_raters_and_places() -> None:
    assert not misses(bench.kappas(30), 30)
    assert not misses(bench.correlations(DRAWS), DRAWS)
    assert not misses(bench.position_bias(DRAWS), DRAWS)


ROW = re.compile(
    r"^\| (.+) \| (\d\.\d{3}) \| (?:(\d\.\d{3}) to (\d\.\d{3})|(\d\.\d{3})) \| (\w*) ?\|$"
)
LOWEST, HIGHEST = 0.9, 1.0
"""Coverage that the page calls short of what is wanted, and yet must reach."""


def test_the_page_shows_a_simulation_that_holds() -> None:
    """Every row of the committed tables is as it says, and none that falls short is hidden."""
    rows = [match for line in PAGE.read_text("utf-8").splitlines() if (match := ROW.match(line))]
    assert len(rows) > 250
    for row in rows:
        case, share, least, most, true, mark = row.groups()
        if true is not None:
            assert abs(float(share) - float(true)) <= 0.03 and not mark, case
            continue
        assert mark == bench.Rate(case, float(share), float(least), float(most)).mark, case
        # Errors are never above what they may be; coverage may fall short, where it says so.
        assert not mark or (float(least) > 0.5 and LOWEST <= float(share) <= HIGHEST), case


@pytest.mark.parametrize("part", bench.PARTS, ids=lambda part: part.rates.__name__)
def test_the_page_has_every_part(part: bench.Part) -> None:
    assert f"### {part.title}\n" in PAGE.read_text("utf-8")
