"""Speed, latency and memory against the baseline's, with how much they differ from run to run.

The baseline keeps what its own run and its repeats (`gate save --repeats`) measured. On the scale
of logarithms one further run of the same model lies within t * s * sqrt(1 + 1/k) of the mean of k
runs in 95 of 100 cases, s their standard deviation and t Student's at k - 1: the prediction
interval for a new observation (W. Q. Meeker, G. J. Hahn and L. A. Escobar, Statistical Intervals,
2nd edition, 2017, section 4.7). Runs on other machines don't compare.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from vlmbench.compare.gate.baseline import BaselineTask, machine_of, measures_of
from vlmbench.compare.gate.report import GateRow
from vlmbench.compare.gate.rules import ResourceName, Rules
from vlmbench.compare.gate.runs import GateRun
from vlmbench.compare.gate.verdicts import LEVEL, Judged, rounded_up
from vlmbench.stats import PairedDifference

FEWEST_RUNS = 3
"""Runs of the baseline's model from which a spread is estimated."""

LEAST_SPREAD = 0.01
"""Of logarithms: a few runs that agree to the digit don't show that no run differs by a percent."""

MEASURES: dict[str, tuple[ResourceName, bool]] = {
    "samples_per_second": ("speed", False),
    "latency_p50": ("latency", True),
    "peak_memory_mib": ("memory", True),
    "peak_device_memory_mib": ("memory", True),
}
"""Name in `RunRecord.performance` -> its name in the rules, whether less is better."""


@dataclass(frozen=True, slots=True)
class _Student:
    """How one new run lies about the runs before, in logarithms: a Tail."""

    difference: float
    error: float
    freedom: int

    def limits(self, tail: float) -> tuple[float, float]:
        from scipy.stats import t

        half = float(t.isf(tail, self.freedom)) * self.error
        return self.difference - half, self.difference + half

    def below(self, supposed: float) -> float:
        from scipy.stats import t

        return float(t.cdf((self.difference - supposed) / self.error, self.freedom))

    def scaled(self, factor: float) -> _Student:
        return replace(self, difference=self.difference * factor, error=self.error * abs(factor))


def resources_judged(
    task: str, saved: BaselineTask, run: GateRun, rules: Rules
) -> Iterator[Judged]:
    """What the verdict on each measure is made from; only those that the rules name are gated."""
    now = measures_of(run.record)
    machine = machine_of(run.record)
    for name, (kind, lower_is_better) in MEASURES.items():
        before = saved.measures.get(name, ())
        margin = rules.resources.get(kind)
        if not before and not (margin is not None and name in now):
            continue
        row = GateRow(
            "resource",
            task,
            name,
            "undecided",
            gated=margin is not None,
            n=len(before),
            baseline=_center(before),
            value=now.get(name),
            margin=margin,
            margin_share=margin,
            lower_is_better=lower_is_better,
        )
        yield _judged(row, before, machine if machine != saved.machine else "", saved.machine)


def _center(values: Sequence[float]) -> float | None:
    """The geometric mean."""
    known = [math.log(value) for value in values if value > 0]
    return math.exp(sum(known) / len(known)) if known else None


def _judged(row: GateRow, before: Sequence[float], other_machine: str, machine: str) -> Judged:
    if row.value is None or row.value <= 0 or row.baseline is None:
        reason = "not measured on both sides"
        return Judged(replace(row, reason=reason, decides="a run that measures it"))
    difference = math.log(row.value / row.baseline)
    row = replace(row, difference=math.expm1(difference))
    if other_machine:
        reason = f"measured on another machine ({other_machine}; was: {machine})"
        return Judged(replace(row, reason=reason, decides="a baseline saved on this one"))
    if len(before) < FEWEST_RUNS:
        return Judged(
            replace(
                row,
                reason=f"{len(before)} run of the baseline says nothing of how much runs differ"
                if len(before) == 1
                else f"{len(before)} runs of the baseline say little of how much runs differ",
                decides=f"{FEWEST_RUNS - len(before)} more with 'gate save --repeats'",
            )
        )
    logs = [math.log(value) for value in before]
    mean, k = sum(logs) / len(logs), len(logs)
    spread = max(math.sqrt(sum((one - mean) ** 2 for one in logs) / (k - 1)), LEAST_SPREAD)
    error = spread * math.sqrt(1 + 1 / k)
    better = -difference if row.lower_is_better else difference
    tail = _Student(better, error, k - 1)
    low, high = tail.limits((1 - LEVEL) / 2)
    p = tail.below(0.0)
    seen = PairedDifference(
        difference=better,
        low=low,
        high=high,
        p_two_sided=min(1.0, 2 * min(p, 1 - p)),
        n=k,
        clusters=k,
        method="prediction interval of logarithms",
        small=False,
        tail=tail,
    )
    ends = sorted(math.expm1(-end if row.lower_is_better else end) for end in (low, high))
    wide = math.expm1(-low) if row.lower_is_better else -math.expm1(low)
    margin = f", or a margin of {rounded_up(wide):.3f}" if wide <= 1 else ""
    row = replace(
        row,
        low=ends[0],
        high=ends[1],
        p_value=seen.p_two_sided,
        method=seen.method,
        decides=f"more repeats{margin}",
    )
    return Judged(row, seen, low=low, high=high, margin=_in_logarithms(row))


def _in_logarithms(row: GateRow) -> float:
    """The tolerated drop: a speed lower, or a time or size higher, by the margin's share."""
    margin = row.margin or 0.0
    if row.lower_is_better:
        return math.log1p(margin)
    return -math.log1p(-margin) if margin < 1 else math.inf
