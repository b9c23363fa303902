"""Agreement measures against documented examples and other programs.

Values with six digits are what the package krippendorff 0.9.0 (PyPI) gives for the same data. The
docstring of its `alpha` has those of DOCUMENTED, nominal and interval, and to three digits those of
FOUR, nominal and ordinal. Compared once on 300 random tables of two to five raters with missing
labels, it and ours differ by at most 5e-16 at each of the three levels, and so do Cohen's kappa
here and in scikit-learn 1.9.1.
"""

from __future__ import annotations

import pytest

from vlmbench.errors import UsageError
from vlmbench.judges.agreement import (
    MOST_LABELS,
    Level,
    cohen_kappa,
    krippendorff_alpha,
    rank_correlation,
)
from vlmbench.stats import Interval

# The data of Krippendorff, Computing Krippendorff's alpha-reliability (2011), sections A, B and C;
# FOUR is also the example of kripp.alpha in R's package irr ("the C data from Krippendorff").
BINARY = ("0100000010", "1110010000")
TWO_OBSERVERS = ("aabbdcccedda", "babbbccceddd")
FOUR = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3),
    (None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None),
)

# Wikipedia's article on Krippendorff's alpha, "A computational example".
DOCUMENTED = (
    (*(None,) * 5, 3, 4, 1, 2, 1, 1, 3, 3, None, 3),
    (1, None, 2, 1, 3, 3, 4, 3, *(None,) * 7),
    (None, None, 2, 1, 3, 4, 4, None, 2, 1, 1, 3, 3, None, 4),
)


def value(found: Interval | None) -> float:
    assert found is not None
    assert found.low <= found.value <= found.high
    return found.value


def test_cohens_kappa() -> None:
    """The first is the example in the docstring of sklearn.metrics.cohen_kappa_score (1.9.1).

    The second are the fifty grant proposals of Wikipedia's article on Cohen's kappa: 20 are
    accepted by both, 15 by none, 5 and 10 by one.
    """
    first = ["negative", "positive", "negative", "neutral", "positive"]
    second = ["negative", "positive", "negative", "neutral", "negative"]
    assert value(cohen_kappa(first, second)) == pytest.approx(0.6875)
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert value(cohen_kappa(first, second)) == pytest.approx(0.4)


@pytest.mark.parametrize(("raters", "expected"), [(BINARY, 0.095238), (TWO_OBSERVERS, 0.691964)])
def test_alpha_of_two_raters(raters: tuple[str, str], expected: float) -> None:
    units = list(zip(*raters, strict=True))
    assert value(krippendorff_alpha(units)) == pytest.approx(expected, abs=5e-7)


@pytest.mark.parametrize(
    ("raters", "level", "expected"),
    [
        (FOUR, "nominal", 0.743421),
        (FOUR, "ordinal", 0.815388),
        (FOUR, "interval", 0.849107),
        (DOCUMENTED, "nominal", 0.691358),
        (DOCUMENTED, "ordinal", 0.806721),
        (DOCUMENTED, "interval", 0.810845),
    ],
)
def test_alpha_of_several_raters_with_missing_labels(
    raters: tuple[tuple[int | None, ...], ...], level: Level, expected: float
) -> None:
    units = list(zip(*raters, strict=True))
    assert value(krippendorff_alpha(units, level=level)) == pytest.approx(expected, abs=5e-7)


def test_rank_correlation() -> None:
    """IQ and hours of television of Wikipedia's article on Spearman's coefficient: -29/165."""
    iq = [106, 100, 86, 101, 99, 103, 97, 113, 112, 110]
    hours = [7, 27, 2, 50, 28, 29, 20, 12, 6, 17]
    assert value(rank_correlation(iq, hours)) == pytest.approx(-29 / 165)


def test_ties_have_their_mean_rank() -> None:
    """Ranks 1, 2.5, 2.5, 4 on both sides: by hand, complete agreement."""
    assert value(rank_correlation([1, 2, 2, 3], [10, 20, 20, 30])) == pytest.approx(1)


def test_what_is_not_defined_has_no_number() -> None:
    assert cohen_kappa(["a", "a"], ["a", "a"]) is None
    assert krippendorff_alpha([["a", "a"], ["a", "a"]]) is None
    assert krippendorff_alpha([["a", None], [None, "b"]]) is None
    assert krippendorff_alpha([]) is None
    assert rank_correlation([1, 1, 1], [1, 2, 3]) is None


def test_continuous_labels_are_refused() -> None:
    labels = [float(number) for number in range(MOST_LABELS + 1)]
    with pytest.raises(UsageError, match="different labels"):
        cohen_kappa(labels, labels)
