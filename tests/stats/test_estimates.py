"""One system's intervals against scipy, statsmodels and the formulas of the papers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from numpy.typing import NDArray
from scipy import stats as scipy_stats

from vlmbench.stats import Floats, Kind, share_interval, value_interval
from vlmbench.stats.clusters import (
    cluster_variance,
    clustered,
    degrees_of_freedom,
    influences,
    label_errors,
)
from vlmbench.stats.proportions import wilson
from vlmbench.stats.quasi_score import quasi_score
from vlmbench.stats.values import Count, mean, value_of


def ratio(totals: Floats, n: Count) -> Floats:
    return np.asarray(totals[..., 0] / totals[..., 1])


def column(values: list[float]) -> Floats:
    return np.array(values)[:, None]


@pytest.mark.parametrize(("right", "n"), [(0, 300), (7, 9), (130, 200), (1, 1), (299, 300)])
def test_right_and_wrong_is_statsmodels_wilson(right: int, n: int) -> None:
    from statsmodels.stats.proportion import proportion_confint

    found = value_interval(column([1.0] * right + [0.0] * (n - right)), kind="binary")
    expected = proportion_confint(right, n, method="wilson")
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-12)
    assert (found.method, found.clusters, found.small) == ("Wilson", n, n < 10)


def unequal_clusters(seed: int) -> tuple[Floats, NDArray[np.int64]]:
    random = np.random.default_rng(seed)
    names = np.repeat(np.arange(12), random.integers(1, 6, 12))
    return random.normal(size=len(names)) + random.normal(size=12)[names], names


def test_the_variance_of_equal_clusters_is_statsmodels() -> None:
    """CR1 and CR2 are one where clusters are equal: OLS on a constant with cov_type="cluster"."""
    from statsmodels.api import OLS

    values = np.random.default_rng(2).normal(size=60)
    names = np.repeat(np.arange(15), 4)
    fit = OLS(values, np.ones(60)).fit(cov_type="cluster", cov_kwds={"groups": names})
    data = clustered(values[:, None], names)
    found = cluster_variance(data.sums[:, 0] - values.mean() * data.sizes, data.sizes)
    assert found == pytest.approx(float(fit.cov_params()[0, 0]), rel=1e-9)
    assert degrees_of_freedom(data.sizes) == pytest.approx(14)


@pytest.mark.parametrize("seed", range(3))
def test_cr2_and_its_freedom_are_bell_and_mccaffreys(seed: int) -> None:
    """By their definition, with the matrices that the closed form does without."""
    values, names = unequal_clusters(seed)
    n = len(values)
    hat = np.full((n, n), 1 / n)
    rest = np.eye(n) - hat
    meat, directions = 0.0, []
    for name in np.unique(names):
        inside = names == name
        values_of, vectors_of = np.linalg.eigh(rest[np.ix_(inside, inside)])
        root = vectors_of @ np.diag(values_of**-0.5) @ vectors_of.T
        ones = np.ones(inside.sum())
        meat += float(ones @ root @ (values - values.mean())[inside]) ** 2
        directions.append(rest[:, inside] @ root @ ones / n)
    matrix = np.array(directions) @ np.array(directions).T
    data = clustered(values[:, None], names)
    residuals = data.sums[:, 0] - values.mean() * data.sizes
    assert cluster_variance(residuals, data.sizes) == pytest.approx(meat / n**2)
    freedom = np.trace(matrix) ** 2 / (matrix**2).sum()
    assert degrees_of_freedom(data.sizes) == pytest.approx(freedom)


def test_many_values_on_a_range_have_students_interval() -> None:
    values = np.random.default_rng(0).beta(3, 2, 3000)
    found = value_interval(values[:, None], kind="bounded")
    expected = scipy_stats.ttest_1samp(values, 0).confidence_interval(0.95)
    width = expected.high - expected.low
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.03 * width)


def test_one_partly_right_answer_changes_little() -> None:
    """49 of 50 right and one 4/5 right once had an interval of a sixth of the width."""
    ends = [
        value_interval(column([1.0] * 49 + [last]), kind="bounded").low for last in (1.0, 0.8, 0.0)
    ]
    assert ends[2] < ends[0] < ends[1] < ends[0] + 0.01


def test_a_free_scale_without_a_sign_of_a_value_ends_as_wilson_does() -> None:
    """All zeros: scale * z^2 / n, Wilson's end for small shares, with z of Student's t."""
    found = value_interval(np.zeros((300, 1)), kind="free", unit=2.0)
    z = scipy_stats.t.ppf(0.975, 299)
    assert (found.value, found.low) == (0, 0)
    assert found.high == pytest.approx(2 * z * z / 300)
    assert found.method == "quasi-score"


def test_the_quasi_score_solves_its_equation() -> None:
    value, dispersion, n, z = 0.7, 1.3, 40.0, 1.96
    for end in quasi_score(value, dispersion, n, z):
        supposed = dispersion * end * (1 + end / value) / 2
        assert abs(value - end) == pytest.approx(z * math.sqrt(supposed / n))


def test_a_free_scale_of_many_values_has_students_interval() -> None:
    values = np.random.default_rng(0).gamma(4, 1, 5000)
    found = value_interval(values[:, None], kind="free")
    expected = scipy_stats.ttest_1samp(values, 0).confidence_interval(0.95)
    width = expected.high - expected.low
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.06 * width)


def test_a_long_tail_below_reaches_further_down() -> None:
    values = 6 - np.random.default_rng(0).lognormal(0, 0.8, 60)
    found = value_interval(np.maximum(values, 0)[:, None], kind="free")
    assert found.value - found.low > found.high - found.value


@given(
    some.lists(some.sampled_from([0.0, 0.25, 1.0]), min_size=1, max_size=30),
    some.sampled_from(["bounded", "free"]),
    some.integers(1, 5),
)
@settings(max_examples=150, deadline=None)
def test_no_interval_is_a_point_and_none_leaves_out_its_value(
    values: list[float], kind: Kind, size: int
) -> None:
    names = [number // size for number in range(len(values))]
    found = value_interval(column(values), clusters=np.array(names), kind=kind)
    assert found.low <= found.value <= found.high
    assert found.high - found.low > 0.01
    assert math.isfinite(found.high)
    turned = value_interval(column(values[::-1]), clusters=np.array(names[::-1]), kind=kind)
    assert (turned.low, turned.high) == (found.low, found.high)


def test_a_corpus_metric_varies_as_the_jackknife_says() -> None:
    """The influences of a ratio of sums are those of the linearized ratio, up to order 1/n."""
    random = np.random.default_rng(1)
    lengths = random.integers(5, 30, 300).astype(float)
    errors = random.binomial(lengths.astype(int), 0.2).astype(float)
    vectors = np.stack([errors, lengths], axis=1)
    each = influences(clustered(vectors), ratio)
    value = value_of(vectors, ratio)
    ordered = vectors[np.lexsort(vectors.T)]
    linear = value + (ordered[:, 0] - value * ordered[:, 1]) / lengths.mean()
    assert each == pytest.approx(linear, abs=0.005)
    assert each.mean() == pytest.approx(value)
    found = value_interval(vectors, combine=ratio, kind="free")
    resampled = scipy_stats.bootstrap(
        (errors, lengths),
        lambda e, w, axis: e.sum(axis) / w.sum(axis),
        paired=True,
        n_resamples=4999,
        rng=0,
    ).confidence_interval
    width = resampled.high - resampled.low
    assert (found.low, found.high) == pytest.approx(tuple(resampled), abs=0.12 * width)


def test_what_labels_contribute_adds_up_to_the_variance() -> None:
    values, names = unequal_clusters(4)
    errors = label_errors(values[:, None], names.tolist(), mean)
    assert math.fsum(errors.values()) == pytest.approx(0, abs=1e-12)
    data = clustered(values[:, None], names)
    variance = cluster_variance(data.sums[:, 0] - values.mean() * data.sizes, data.sizes)
    assert math.fsum(one**2 for one in errors.values()) == pytest.approx(variance, rel=0.2)


def test_shares_and_refusals() -> None:
    found = share_interval(np.array([1.0, 0.0, 1.0]))
    expected = wilson(2 / 3, 3, float(scipy_stats.norm.ppf(0.975)))
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-12)
    partly = share_interval(np.array([1.0, 0.5, 1.0]))
    assert 0 < partly.low < partly.value < partly.high < 1
    with pytest.raises(ValueError, match="binary"):
        value_interval(column([0.5]), kind="binary")
