"""Agreement measures against published worked examples."""

from __future__ import annotations

import pytest

from vlmbench.errors import UsageError
from vlmbench.judges.agreement import MOST_LABELS, cohen_kappa, krippendorff_alpha, rank_correlation
from vlmbench.stats import Interval

# Krippendorff, Computing Krippendorff's alpha-reliability (2011), sections A, B and C.
BINARY = ("0100000010", "1110010000")
TWO_OBSERVERS = ("aabbdcccedda", "babbbccceddd")
FOUR = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3),
    (None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None),
)


def value(found: Interval | None) -> float:
    assert found is not None
    assert found.low <= found.value <= found.high
    return found.value


def test_cohens_kappa() -> None:
    """Fifty grant proposals of Wikipedia's article on it: 20 yes-yes, 5, 10, 15 no-no: 0.4."""
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert value(cohen_kappa(first, second)) == pytest.approx(0.4)


@pytest.mark.parametrize(("raters", "expected"), [(BINARY, 0.095), (TWO_OBSERVERS, 0.692)])
def test_alpha_of_two_raters(raters: tuple[str, str], expected: float) -> None:
    units = list(zip(*raters, strict=True))
    assert value(krippendorff_alpha(units)) == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize(
    ("level", "expected"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)]
)
def test_alpha_of_four_raters_with_missing_labels(level: str, expected: float) -> None:
    units = list(zip(*FOUR, strict=True))
    found = krippendorff_alpha(units, level=level)  # type: ignore[arg-type]
    assert value(found) == pytest.approx(expected, abs=5e-4)


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
