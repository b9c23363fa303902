"""From an interval to a verdict.

The difference d is run minus baseline (turned round where lower is better), [low, high] its 95 %
interval and m the margin, the drop that is tolerated:

    unchanged   the answers are the same
    better      low > 0
    no worse    low >= -m
    regressed   high < -m, after Holm over everything that is gated
    undecided   anything else
    incomplete  more samples are missing than tolerated

Ends are compared with a tolerance of 1e-9, never as floats: 0.70 - 0.72 is not below -0.02.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

from vlmbench.compare.gate.report import GateRow, Verdict
from vlmbench.stats import FEW, PairedDifference, holm, margin_at, samples_for_margin

TOLERANCE = 1e-9
LEVEL = 0.95
ALPHA = (1 - LEVEL) / 2
"""One-sided, that of one end of the interval."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A row without its verdict yet, and what the verdict is made from."""

    row: GateRow
    seen: PairedDifference | None = None
    """On the samples that both sides scored; better is positive."""
    low: float = 0.0
    """Lower end with the missing and lost samples at their worst."""
    high: float = 0.0
    """Upper end with the lost ones at their best."""
    margin: float = 0.0
    scale: float = 1.0
    """What a share of 1 is in the metric's unit."""
    unit: float = 1.0
    """`Metric.unit`: what a large difference is worth."""
    leeway: float = 0.0
    """How far the lost samples could move the difference."""
    same: bool = False
    """Whether all answers are the same."""

    @property
    def p_regressed(self) -> float:
        """Of a drop within the margin, with the lost samples at their best."""
        return self.seen.p_below(self.margin + self.leeway) if self.seen else 1.0

    @property
    def p_worse(self) -> float:
        """Of no drop, with the lost samples at their best."""
        return self.seen.p_below(self.leeway) if self.seen else 1.0


def verdict_of(low: float, high: float, *, margin: float, p_regressed: float = 0.0) -> Verdict:
    """The verdict that an interval allows.

    Args:
        low: Ends of the interval of the difference; better is positive.
        margin: The tolerated drop, 0 or more.
        p_regressed: One-sided, of a drop within the margin, corrected for all that is looked at.
    """
    if low > TOLERANCE:
        return "better"
    if low >= -margin - TOLERANCE:
        return "no worse"
    if high < -margin - TOLERANCE and p_regressed <= ALPHA:
        return "regressed"
    return "undecided"


def decide(judged: Sequence[Judged]) -> list[GateRow]:
    """The rows with their verdicts; the gated ones that changed are one family for Holm."""
    family = [one for one in judged if one.row.gated and one.seen is not None and not one.same]
    regressed = dict(zip(map(id, family), holm([one.p_regressed for one in family]), strict=True))
    worse = dict(zip(map(id, family), holm([one.p_worse for one in family]), strict=True))
    return [_decided(one, regressed.get(id(one)), worse.get(id(one))) for one in judged]


def _decided(one: Judged, p_regressed: float | None, p_worse: float | None) -> GateRow:
    if one.row.verdict == "incomplete" or one.seen is None:
        return one.row
    row = dataclasses.replace(one.row, p_regressed=p_regressed, p_worse=p_worse)
    if one.same:
        return dataclasses.replace(row, verdict="unchanged", reason="", decides="")
    # What is not gated has its interval only.
    verdict = verdict_of(one.low, one.high, margin=one.margin, p_regressed=p_regressed or 0.0)
    reason = row.reason
    if one.seen.small:
        verdict = "undecided"
        reason = f"{_counted(one.seen)} too few to call"
    decides = ""
    if verdict == "undecided" and (row.gated or row.decides):
        decides = row.decides or what_decides(
            one.seen,
            low=one.low,
            margin=one.margin,
            scale=one.scale,
            unit=one.unit,
            kind="mean margin" if row.kind == "pooled" else "margin",
        )
    return dataclasses.replace(row, verdict=verdict, reason=reason, decides=decides)


def _counted(seen: PairedDifference) -> str:
    if seen.clusters < seen.n:
        return f"{seen.n} samples in {seen.clusters} clusters are"
    return f"{seen.n} samples are" if seen.n != 1 else "1 sample is"


def what_decides(
    seen: PairedDifference,
    *,
    low: float,
    margin: float,
    scale: float,
    unit: float,
    kind: str = "margin",
    level: float = LEVEL,
) -> str:
    """How many samples let an equal model pass four times of five, and at which margin this run
    would pass.

    Args:
        seen: Better is positive.
        low: Its lower end with the missing and lost samples at their worst.
        scale: What a share of 1 is in the metric's unit.
        unit: `Metric.unit`.
        kind: What the margin is called.
        level: Of the interval.
    """
    spread, n, clusters = seen.sd, seen.n, seen.clusters
    parts = []
    needed = 0
    if margin > 0:
        needed = max(
            samples_for_margin(margin, spread, scale=unit, level=level),
            _where_none_differs(seen, margin / unit, unit, level),
        )
    if seen.small:
        few = f"{FEW} clusters instead of {clusters}" if clusters < n else ""
        return few or f"n = {max(needed, FEW):,} instead of {n:,}"
    if needed > n:
        parts.append(f"n = {needed:,} instead of {n:,}")
    wide = max(margin_at(n, spread, scale=unit, level=level), -low)
    share = rounded_up(wide / scale) if scale > 0 else float("inf")
    if share <= 1:
        parts.append(f"a {kind} of {share:.3f}")
    return ", or ".join(parts) or "more samples"


def _where_none_differs(seen: PairedDifference, margin: float, unit: float, level: float) -> int:
    """Samples that would be needed if no more of them differed than do here.

    Where none does, half the interval is c / (n + c), with a c that clusters and the number of
    tasks make larger; `samples_for_margin` knows of neither.
    """
    low, high = seen.interval(level)
    half = (high - low) / 2 / unit
    if half >= 1 or margin >= 1:
        return 0
    return math.ceil(seen.n * half / (1 - half) * (1 - margin) / margin - TOLERANCE)


def rounded_up(share: float) -> float:
    """To three digits, never below."""
    rounded = round(share, 3)
    return rounded if rounded >= share - TOLERANCE else round(share + 0.0005, 3)
