"""Paired differences, tests of many tasks and pooled ones, against published values and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from vlmbench.stats import (
    Floats,
    PairedDifference,
    holm,
    limits_of,
    mean,
    paired_difference,
    paired_tail,
    pooled,
    samples_for_margin,
)
from vlmbench.stats.mcnemar import mid_p
from vlmbench.stats.score_pairs import score_limits


def right_and_wrong(both: int, wins: int, losses: int, neither: int) -> tuple[Floats, Floats]:
    """(new, old) by how many samples only the new one has right."""
    counts = [both, wins, losses, neither]
    new, old = (np.repeat(pattern, counts)[:, None] for pattern in ([1.0, 1, 0, 0], [1.0, 0, 1, 0]))
    return new, old


# Fagerland, Lydersen and Laake, Statistics in Medicine 33 (2014), on Bentur et al.'s 21 children
# (1, 1, 7, 12): Tango's interval, and the mid-p value of Fagerland et al. (2013), table 4.
def test_published_values_of_tango_and_mid_p() -> None:
    found = paired_difference(*right_and_wrong(1, 1, 7, 12), kind="binary")
    assert found.difference == pytest.approx(-6 / 21)
    assert (found.low, found.high) == pytest.approx((-0.517, -0.026), abs=5e-4)
    assert found.p_two_sided == pytest.approx(0.039, abs=5e-4)
    assert (found.method, found.n, found.clusters, found.small) == ("Tango score", 21, 21, False)


def test_many_intervals_in_one_go_are_those_of_one_by_one() -> None:
    """Right or wrong, independent and in clusters, and shares: to the last bit."""
    draws = np.random.default_rng(1)
    cases = []
    for n, clusters in ((40, None), (40, [str(one // 3) for one in range(40)])):
        binary = [(draws.random((n, 1)) < rate).astype(float) for rate in (0.0, 0.4, 0.7)]
        cases += [(a, b, clusters, "binary") for a in binary for b in binary]
        cases += [(draws.random((n, 1)), draws.random((n, 1)), clusters, "bounded")]
    tails, singly = [], []
    for new, old, clusters, kind in cases:
        options = {"clusters": clusters, "combine": mean, "kind": kind, "bounds": (0.0, 1.0)}
        tails.append(paired_tail(new, old, **options, unit=1.0).tail)
        singly.append(paired_difference(new, old, **options))
    assert limits_of(tails, 0.025).tolist() == [[one.low, one.high] for one in singly]


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (0, 1), (4, 0), (5, 9), (16, 15), (40, 12)])
def test_mid_p_is_the_exact_test_less_half_of_what_was_seen(wins: int, losses: int) -> None:
    n = wins + losses
    exact = scipy_stats.binomtest(wins, n).pvalue if n else 1.0
    seen = scipy_stats.binom.pmf(wins, n, 0.5)
    assert mid_p(wins, losses) == pytest.approx(1.0 if wins == losses else exact - seen)


def test_no_sample_that_differs_is_no_proof() -> None:
    found = paired_difference(*right_and_wrong(20, 0, 0, 10), kind="binary")
    # As Wilson's interval of 0 of 30: scipy.stats.binomtest(0, 30).proportion_ci(method="wilson")
    end = scipy_stats.binomtest(0, 30).proportion_ci(method="wilson").high
    assert (found.low, found.high) == pytest.approx((-end, end))
    assert found.p_two_sided == 1


@pytest.mark.parametrize("counts", [(100, 5, 9, 50), (8, 0, 3, 4), (0, 7, 0, 0), (30, 1, 1, 30)])
@pytest.mark.parametrize("margin", [0.0, 0.02, 0.3])
def test_the_one_sided_p_value_is_what_the_interval_says(
    counts: tuple[int, int, int, int], margin: float
) -> None:
    found = paired_difference(*right_and_wrong(*counts), kind="binary")
    for level in (0.8, 0.95, 0.999):
        _, high = found.interval(level)
        assert (found.p_below(margin) < (1 - level) / 2) == (high < -margin)
    assert found.interval(0.95) == (found.low, found.high)
    turned = found.negated()
    assert turned.interval(0.9) == tuple(-end for end in found.interval(0.9)[::-1])
    assert turned.difference == -found.difference


def test_means_of_many_samples_agree_with_students_t() -> None:
    rng = np.random.default_rng(0)
    old = rng.beta(2, 2, (2000, 1))
    new = np.clip(old + rng.normal(0.01, 0.2, (2000, 1)), 0, 1)
    found = paired_difference(new, old, kind="bounded")
    test = scipy_stats.ttest_rel(new[:, 0], old[:, 0])
    expected = test.confidence_interval(0.95)
    width = expected.high - expected.low
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.02 * width)
    assert found.p_two_sided == pytest.approx(test.pvalue, abs=0.01)


def test_right_and_wrong_is_a_mean_like_any_other() -> None:
    pairs = right_and_wrong(150, 20, 35, 95)
    binary, bounded = (paired_difference(*pairs, kind=kind) for kind in ("binary", "bounded"))
    assert (bounded.low, bounded.high) == pytest.approx((binary.low, binary.high), abs=4e-4)


def test_questions_on_one_image_count_as_little_as_they_say() -> None:
    """Each question asked three times over is no more evidence than asked once."""
    new, old = right_and_wrong(50, 12, 20, 38)
    once = paired_difference(new, old, kind="bounded")
    names = np.repeat(np.arange(120), 3)
    thrice = paired_difference(
        new.repeat(3, axis=0), old.repeat(3, axis=0), clusters=names, kind="binary"
    )
    assert (thrice.n, thrice.clusters) == (360, 120)
    width = once.high - once.low
    assert thrice.low == pytest.approx(once.low, abs=0.03 * width)
    assert thrice.high == pytest.approx(once.high, abs=0.03 * width)
    naive = paired_difference(new.repeat(3, axis=0), old.repeat(3, axis=0), kind="binary")
    assert naive.high - naive.low < 0.7 * width


def test_neither_order_nor_names_of_clusters_matter() -> None:
    rng = np.random.default_rng(3)
    new, old = rng.random((2, 90, 1))
    names = np.array([f"image {number % 31}" for number in range(90)])
    one = paired_difference(new, old, clusters=names, kind="bounded")
    order = rng.permutation(90)
    other = paired_difference(new[order], old[order], clusters=names[order], kind="bounded")
    assert one == other


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("kind", ["binary", "bounded", "free"])
def test_a_few_samples_say_little(n: int, kind: str) -> None:
    found = paired_difference(np.ones((n, 1)), np.zeros((n, 1)), kind=kind)  # type: ignore[arg-type]
    assert found.small
    assert found.low < 0.5 and found.high == pytest.approx(1)


# Holm's own example does not survive in print; statsmodels.stats.multitest.multipletests(method=
# "holm") gives these.
def test_holm() -> None:
    from statsmodels.stats.multitest import multipletests

    values = [0.01, 0.04, 0.03, 0.005, 0.5, 0.04]
    assert holm(values) == pytest.approx(multipletests(values, method="holm")[1])
    assert holm([]) == []


def test_pooling_equal_tasks_narrows_by_the_root_of_their_number() -> None:
    one = paired_difference(*right_and_wrong(900, 50, 50, 1000), kind="binary")
    four = pooled([one] * 4)
    assert (four.low, four.high) == pytest.approx((one.low / 2, one.high / 2))
    assert four.sd == pytest.approx(one.sd, rel=1e-9)
    together = pooled([one] * 4, correlations=np.ones((4, 4)))
    assert (together.low, together.high) == pytest.approx((one.low, one.high))


def test_the_pooled_p_value_is_what_its_interval_says() -> None:
    tasks: list[PairedDifference] = [
        paired_difference(*right_and_wrong(*counts), kind="binary")
        for counts in [(100, 5, 19, 50), (80, 0, 3, 4), (30, 1, 6, 30)]
    ]
    found = pooled([task.scaled(2) for task in tasks])
    for margin in (0.0, 0.02, found.low / -1.0, -found.high):
        for level in (0.8, 0.949, 0.951):
            low, high = found.interval(level)
            assert (found.p_below(margin) < (1 - level) / 2) == (high < -margin)
            assert (found.p_below(margin) > (1 + level) / 2) == (low > -margin)


def test_a_margin_is_decided_by_as_many_equal_answers_as_the_interval_needs() -> None:
    n = samples_for_margin(0.02, 0.0)
    ends = [score_limits(0, 0, count, 1.959964)[0] for count in (n - 1, n)]
    assert ends[0] < -0.02 <= ends[1]


def test_what_is_refused() -> None:
    ones = np.ones((3, 1))
    with pytest.raises(ValueError, match="differ in shape"):
        paired_difference(ones, ones[:2], kind="free")
    with pytest.raises(ValueError, match="binary"):
        paired_difference(ones, ones / 2, kind="binary")


def test_corpus_metrics_are_compared_by_what_each_sample_adds() -> None:
    rng = np.random.default_rng(5)
    words = rng.integers(5, 30, 400).astype(float)
    old = np.stack([rng.binomial(words.astype(int), 0.6), words], axis=1).astype(float)
    new = np.stack([rng.binomial(words.astype(int), 0.65), words], axis=1).astype(float)

    def ratio(totals: Floats, n: object) -> Floats:
        return np.asarray(totals[..., 0] / totals[..., 1])

    found = paired_difference(new, old, combine=ratio, kind="free")
    resampled = scipy_stats.bootstrap(
        (new[:, 0], old[:, 0], words),
        lambda a, b, w, axis: (a.sum(axis) - b.sum(axis)) / w.sum(axis),
        paired=True,
        n_resamples=9999,
        rng=0,
        method="percentile",
    ).confidence_interval
    width = resampled.high - resampled.low
    assert (found.low, found.high) == pytest.approx(tuple(resampled), abs=0.06 * width)
    assert mean is not ratio
