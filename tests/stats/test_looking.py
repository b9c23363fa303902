"""Confidence sequences, plans, agreement and the test of places."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from vlmbench.judges.agreement import cohen_kappa, krippendorff_alpha, rank_correlation
from vlmbench.stats import (
    ConfidenceSequence,
    correlation_interval,
    effect_at,
    margin_at,
    position_p_values,
    power_above,
    samples_for_effect,
    samples_for_margin,
)


def test_a_confidence_sequence_only_narrows() -> None:
    values = np.random.default_rng(0).choice([-1.0, 0.0, 1.0], p=[0.05, 0.9, 0.05], size=600)
    sequence = ConfidenceSequence()
    assert (sequence.low, sequence.high) == (-1, 1)
    ends = [sequence.update(values[start : start + 50]) for start in range(0, 600, 50)]
    lows, highs = zip(*ends, strict=True)
    assert list(lows) == sorted(lows) and list(highs) == sorted(highs, reverse=True)
    assert sequence.n == 600
    fixed = scipy_stats.ttest_1samp(values, 0).confidence_interval(0.95)
    # Looking at every time costs: wider than the interval of one look, by less than twice.
    assert fixed.high - fixed.low < highs[-1] - lows[-1] < 2 * (fixed.high - fixed.low)


def test_batches_do_not_matter_to_a_confidence_sequence() -> None:
    values = np.random.default_rng(1).random(120)
    whole, parts = (ConfidenceSequence((0, 1)) for _ in range(2))
    whole.update(values)
    for start in range(0, 120, 40):
        parts.update(values[start : start + 40])
    assert (parts.low >= whole.low, parts.high <= whole.high) == (True, True)
    assert parts.low - whole.low < 0.05


def test_clusters_of_a_confidence_sequence_are_one_look_each() -> None:
    """Each value three times over tells as much as once."""
    values = np.random.default_rng(1).choice([-1.0, 0.0, 1.0], p=[0.1, 0.8, 0.1], size=200)
    once, thrice = ConfidenceSequence(), ConfidenceSequence(largest=3)
    once.update(values)
    thrice.update(values * 3, np.full(200, 3.0))
    assert thrice.n == 600
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high), abs=1e-9)


def test_plans_are_lachins_where_many_samples_differ() -> None:
    """(1.96 + 0.8416)^2 * 0.328^2 / 0.02^2 = 2,111; the score interval takes a few more."""
    assert samples_for_effect(0.02, 0.328) == 2117
    assert samples_for_margin(0.02, 0.328) == 2150
    assert effect_at(2111, 0.328) == pytest.approx(0.02, rel=0.01)
    assert margin_at(2150, 0.328) == pytest.approx(0.02, rel=0.01)
    assert power_above(0.0, 0.02, 0.328, 2117) == pytest.approx(0.8, abs=0.005)


@pytest.mark.parametrize(("margin", "least"), [(0.1, 35), (0.05, 73), (0.02, 189), (0.01, 381)])
def test_equal_answers_pass_from_so_many_on(margin: float, least: int) -> None:
    """z^2 / (n + z^2) <= margin: n >= z^2 (1 - margin) / margin = 3.8415 * 49 = 188.2 for 0.02."""
    assert samples_for_margin(margin, 0.0) == least
    assert 3.8415 * (1 - margin) / margin <= least < 3.8415 * (1 - margin) / margin + 1


def test_two_units_are_no_certainty() -> None:
    for found in (
        cohen_kappa(["a", "b"], ["a", "b"]),
        krippendorff_alpha([["a", "a"], ["b", "b"]]),
        rank_correlation([1, 2], [1, 2]),
    ):
        assert found is not None
        assert found.value == pytest.approx(1)
        assert found.low < 0.2 and found.high <= 1 + 1e-12


def test_order_of_units_and_names_do_not_matter() -> None:
    first, second = list("aabbbaabab"), list("aabbabbbab")
    clusters = [f"image {number // 2}" for number in range(10)]
    order = [3, 1, 4, 0, 5, 9, 2, 6, 8, 7]
    one = cohen_kappa(first, second, clusters=clusters)
    other = cohen_kappa(*([of[place] for place in order] for of in (first, second)),
                        clusters=[clusters[place] for place in order])  # fmt: skip
    assert one == other


def test_units_about_one_image_count_as_little_as_they_say() -> None:
    first, second = list("aabbbaababbabbaabbab"), list("aabbabbbabbaabbabbab")
    once = cohen_kappa(first, second)
    names = [f"image {number}" for number in range(20) for _ in range(3)]
    three = [[label for label in of for _ in range(3)] for of in (first, second)]
    thrice, naive = cohen_kappa(*three, clusters=names), cohen_kappa(*three)
    assert once and thrice and naive
    assert thrice.high - thrice.low == pytest.approx(once.high - once.low, rel=0.1)
    assert naive.high - naive.low < 0.7 * (once.high - once.low)


def test_a_rank_correlation_has_bonett_and_wrights_interval() -> None:
    """r = 0.5, n = 30: atanh(0.5) -+ 1.96 * sqrt(1.125 / 27) = 0.5493 -+ 0.4001."""
    found = correlation_interval(0.5, 30)
    assert (found.low, found.high) == pytest.approx(
        (np.tanh(0.5493061 - 0.4000755), np.tanh(0.5493061 + 0.4000755)), abs=1e-6
    )
    assert correlation_interval(1.0, 10).low < 0.9


def test_a_place_that_is_always_chosen_is_found() -> None:
    always_b = [[(1 + by) % 4 for by in range(4)] for _ in range(5)]
    p_values = position_p_values(always_b)
    assert p_values[1] == min(p_values) < 0.01
    knows = [[0, 0, 0, 0]] * 40
    assert position_p_values(knows) == [1.0] * 4


def test_the_order_of_questions_does_not_matter_to_places() -> None:
    chosen = [*np.random.default_rng(0).integers(-1, 4, (30, 4)).tolist(), [0, 1], [1, 1]]
    assert position_p_values(chosen, seed=3) == position_p_values(chosen[::-1], seed=3)
