from __future__ import annotations

import math

import numpy as np
import pytest

from vlmbench.stats import (
    Combine,
    Count,
    Floats,
    Interval,
    exact_totals,
    mean,
    percentile_interval,
    proportion_interval,
    resampled_totals,
    value_of,
)

ROOTS = np.sqrt(np.arange(1.0, 41.0))[:, None]
FIRST = (np.arange(1, 41) % 7).astype(float)[:, None]
SECOND = (np.arange(1, 41) * 3 % 5).astype(float)[:, None]


def bootstrap_interval(
    vectors: Floats, combine: Combine, *, resamples: int = 1000, seed: int
) -> Interval:
    totals = resampled_totals(vectors, resamples=resamples, seed=seed)
    ends = percentile_interval(combine(totals, len(vectors)))
    return Interval(value_of(vectors, combine), *ends)


def ratio(totals: Floats, n: Count) -> Floats:
    """A combination that is no mean."""
    return np.asarray(totals[..., 0] / totals[..., 1])


# scipy 1.17.1: stats.bootstrap(..., method="percentile", n_resamples=200_000, rng=0)
SCIPY = [
    (ROOTS, mean, 4.290395, 3.836281, 4.730144, 0.01),
    (np.hstack([FIRST, SECOND]), ratio, 1.5, 1.106383, 2.047619, 0.02),
]


@pytest.mark.parametrize(("vectors", "combine", "value", "low", "high", "tolerance"), SCIPY)
def test_intervals_agree_with_scipy(
    vectors: Floats, combine: object, value: float, low: float, high: float, tolerance: float
) -> None:
    interval = bootstrap_interval(vectors, combine, resamples=20_000, seed=1)  # type: ignore[arg-type]
    assert interval.value == pytest.approx(value, abs=1e-6)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=tolerance)


def test_a_share_is_resampled_as_a_binomial() -> None:
    vectors = np.repeat([1.0, 0.0], [30, 20])[:, None]
    interval = bootstrap_interval(vectors, mean, resamples=20_000, seed=3)
    # scipy 1.17.1: stats.binom.ppf([.025, .975], 50, .6) = [23, 37]
    assert (interval.low, interval.high) == (23 / 50, 37 / 50)


def test_the_interval_of_a_seed_never_changes() -> None:
    interval = bootstrap_interval(ROOTS, mean, seed=7)
    assert (interval.low, interval.high) == (3.83037529196289, 4.719207606764447)
    assert bootstrap_interval(ROOTS, mean, seed=8) != interval


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = resampled_totals(ROOTS, resamples=100, seed=5)
    monkeypatch.setattr("vlmbench.stats.resampling._DRAWS", 7 * len(ROOTS))
    assert np.array_equal(resampled_totals(ROOTS, resamples=100, seed=5), whole)


@pytest.mark.parametrize("n", [7, 40, 4001])
def test_rows_are_drawn_independently(n: int) -> None:
    """Each resample has n rows; sums scatter about n means as those of n independent draws do."""
    values = np.random.default_rng(n).normal(size=n)
    resamples = 4000
    vectors = np.stack([np.ones(n), values], axis=1)
    totals = resampled_totals(vectors, resamples=resamples, seed=1)
    assert np.array_equal(totals[:, 0], np.full(resamples, n))
    spread = values.std() * math.sqrt(n)
    assert abs(totals[:, 1].mean() - values.sum()) < 4 * spread / math.sqrt(resamples)
    assert totals[:, 1].std() == pytest.approx(spread, rel=4 / math.sqrt(2 * resamples))


def test_sums_do_not_depend_on_the_order_of_addition() -> None:
    vectors = np.random.default_rng(0).lognormal(0, 4, size=(1000, 1))
    assert np.array_equal(exact_totals(vectors), exact_totals(vectors[::-1]))
    narrow = resampled_totals(vectors, resamples=50, seed=2)
    beside_others = resampled_totals(np.hstack([vectors] * 5), resamples=50, seed=2)
    assert np.array_equal(beside_others, np.repeat(narrow, 5, axis=1))


@pytest.mark.parametrize("vectors", [np.array([[0.3]]), np.full((20, 1), 1 / 3), np.zeros((5, 1))])
def test_equal_samples_give_a_point(vectors: Floats) -> None:
    interval = bootstrap_interval(vectors, mean, seed=0)
    assert interval.low == interval.high == pytest.approx(interval.value, abs=1e-12)


# scipy 1.17.1: stats.binomtest(k, n).proportion_ci(method="wilson")
WILSON = [
    (0, 300, 0.0, 0.012642971224546036),
    (300, 300, 0.9873570287754541, 1.0),
    (7, 9, 0.4525889691069889, 0.9367748928821533),
    (130, 200, 0.5816346433604008, 0.7127117587264192),
    (1, 1, 0.20654931437723745, 1.0),
]


@pytest.mark.parametrize(("right", "n", "low", "high"), WILSON)
def test_proportion_interval(right: int, n: int, low: float, high: float) -> None:
    assert proportion_interval(right / n, n) == pytest.approx((low, high), abs=1e-12)
