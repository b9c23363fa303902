"""How far raters agree, and how far two numbers go together: with intervals.

Cohen's kappa comes from a table of counts and Krippendorff's alpha from a table of coincidences.
Both are sums over the rated units; `vlmbench.stats.agreement` has the intervals.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import partial
from typing import Literal, TypeAlias

import numpy as np

from vlmbench.errors import UsageError
from vlmbench.stats import (
    Count,
    Floats,
    Interval,
    correlation_interval,
    table_interval,
    value_of,
)

Level: TypeAlias = Literal["nominal", "ordinal", "interval"]
"""What labels mean: names, an order, or numbers whose distances count."""

Label: TypeAlias = str | float

MOST_LABELS = 64
"""Different labels; the tables have the square of it as many cells. Two grades from 1 to 10 have 63
different ratios."""


def cohen_kappa(
    first: Sequence[Label],
    second: Sequence[Label],
    *,
    clusters: Sequence[str] | None = None,
    seed: int = 0,
) -> Interval | None:
    """Agreement of two raters beyond chance: 1 is complete, 0 is what chance gives.

    Each label counts as a name. None where it is not defined: all labels are one.

    Source: J. Cohen, A coefficient of agreement for nominal scales, Educational and Psychological
    Measurement 20 (1960).

    Args:
        second: The other's, of the same units in the same order.
        clusters: Of each unit, such as its image; None: each is its own.

    Raises:
        UsageError: There are more than MOST_LABELS different labels.
    """
    known = _known([*first, *second])
    tables = np.zeros((len(first), len(known), len(known)))
    for unit, (one, other) in enumerate(zip(first, second, strict=True)):
        tables[unit, known[one], known[other]] = 1
    return table_interval(
        tables, lambda totals, n: _kappa(_square(totals)), clusters=clusters, seed=seed
    )


def krippendorff_alpha(
    units: Sequence[Sequence[Label | None]],
    *,
    level: Level = "nominal",
    clusters: Sequence[str] | None = None,
    seed: int = 0,
) -> Interval | None:
    """Agreement of any number of raters beyond chance: 1 is complete, 0 is what chance gives.

    None where it is not defined: no unit has two labels, or all labels are one.

    Source: K. Krippendorff, Computing Krippendorff's alpha-reliability (2011).

    Args:
        units: For each rated unit the raters' labels; None where one has given none.
        level: What labels mean; above nominal they must be numbers.
        clusters: Of each unit; None: each is its own.

    Raises:
        UsageError: There are more than MOST_LABELS different labels.
    """
    given = [[one for one in unit if one is not None] for unit in units]
    paired = [unit for unit in given if len(unit) > 1]
    kept = clusters and [of for of, unit in zip(clusters, given, strict=True) if len(unit) > 1]
    known = _known([label for unit in paired for label in unit])
    tables = np.zeros((len(paired), len(known), len(known)))
    for number, unit in enumerate(paired):
        for here, one in enumerate(unit):
            for there, other in enumerate(unit):
                if here != there:
                    tables[number, known[one], known[other]] += 1 / (len(unit) - 1)
    values = None if level == "nominal" else np.array([float(label) for label in known])
    combine = partial(_alpha, level=level, values=values)
    return table_interval(tables, combine, clusters=kept, seed=seed)


def rank_correlation(
    first: Sequence[float], second: Sequence[float], *, clusters: Sequence[str] | None = None
) -> Interval | None:
    """Spearman's correlation from -1 to 1; ties have their mean rank.

    None where one side is constant.

    Source: C. Spearman, The proof and measurement of association between two things, American
    Journal of Psychology 15 (1904).
    """
    if not first:
        return None
    x, y = _ranks(first), _ranks(second)
    moments = np.stack([x, y, x * x, y * y, x * y], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = value_of(moments, _correlation)
    if not np.isfinite(value):
        return None
    independent = len(first) if clusters is None else len(set(clusters))
    return correlation_interval(value, independent)


def _known(labels: Sequence[Label]) -> dict[Label, int]:
    found: list[Label] = sorted(set(labels), key=_order)
    if len(found) > MOST_LABELS:
        raise UsageError(
            f"There are {len(found)} different labels, where agreement is of at most "
            f"{MOST_LABELS}; round them, or choose a metric that gives grades."
        )
    return {label: number for number, label in enumerate(found)}


def _order(label: Label) -> tuple[bool, Hashable]:
    return isinstance(label, str), label


def _square(totals: Floats) -> Floats:
    side = round(totals.shape[-1] ** 0.5)
    return totals.reshape(*totals.shape[:-1], side, side)


def _kappa(table: Floats) -> Floats:
    n = table.sum(axis=(-2, -1))
    observed = np.trace(table, axis1=-2, axis2=-1) / n
    expected = (table.sum(axis=-1) * table.sum(axis=-2)).sum(axis=-1) / n**2
    return np.asarray((observed - expected) / (1 - expected))


def _alpha(totals: Floats, n: Count, *, level: Level, values: Floats | None) -> Floats:
    table = _square(totals)
    counts = table.sum(axis=-1)
    if level == "nominal":
        distance = 1 - np.eye(counts.shape[-1])
    else:
        # Half of its own units below and half above: the middle of a label's place in the order.
        middle = np.cumsum(counts, axis=-1) - counts / 2 if level == "ordinal" else values
        assert middle is not None
        distance = (middle[..., :, None] - middle[..., None, :]) ** 2
    total = counts.sum(axis=-1)
    observed = (table * distance).sum(axis=(-2, -1)) / total
    pairs = counts[..., :, None] * counts[..., None, :]
    expected = (pairs * distance).sum(axis=(-2, -1)) / (total * (total - 1))
    return np.asarray(1 - observed / expected)


def _correlation(totals: Floats, n: Count) -> Floats:
    x, y, xx, yy, xy = (totals[..., place] / n for place in range(5))
    return np.asarray((xy - x * y) / np.sqrt((xx - x * x) * (yy - y * y)))


def _ranks(numbers: Sequence[float]) -> Floats:
    _, inverse, counts = np.unique(np.array(numbers), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], dtype=np.float64)
