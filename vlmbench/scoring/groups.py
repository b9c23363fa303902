"""Several tasks as one number: macro average of chance-corrected headlines, with its interval.

A metric's value v becomes (v - chance) / (highest - chance): 0 is what chance scores, 1 the best
that there is. Chance is `match.choice_chance` where the task has it for the same samples, else the
metric's lowest value. A task's value is the mean of its headline metrics, each weighted by its
samples; the group's is the plain mean over its tasks.

The interval is the percentile interval of a joint bootstrap: in each of 1,000 resamples the
samples of every task are drawn anew, independently of the other tasks', and the group's value is
computed from these. Two metrics of one task that are on the same samples get the same draws.
Where all resamples agree (every answer right, say), the interval is the mean of the tasks' Wilson
intervals, chance-corrected as the values are, because the bootstrap would claim that nothing else
is possible.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from vlmbench.metrics.base import Metric, load_metric
from vlmbench.records import Estimate, RunRecord, SampleScores, stable_hash
from vlmbench.stats import (
    Floats,
    Interval,
    percentile_interval,
    proportion_interval,
    resampled_totals,
    value_of,
)
from vlmbench.tasks.groups import load_groups

CHANCE_METRIC = "match.choice_chance"

ReadScores: TypeAlias = Callable[[RunRecord], Sequence[SampleScores]]
"""From a run to its scores.jsonl."""


@dataclass(frozen=True, slots=True)
class Headline:
    """A headline metric's vectors on one task."""

    metric: Metric
    vectors: Floats
    """(n, metric.size), a row a sample in the order of ids."""
    chance: float

    def corrected(self, values: Floats) -> Floats:
        """Values with chance at 0 and the best value at 1; lower is better is turned round."""
        assert self.metric.bounds is not None
        low, high = self.metric.bounds
        if self.metric.definition.lower_is_better:
            return np.asarray((high - values) / (high - low))
        return np.asarray((values - self.chance) / (high - self.chance))


@dataclass(frozen=True, slots=True)
class GroupScore:
    """What a model scores on a group of tasks."""

    model: str
    group: str
    value: float | None
    """Macro average of `parts`, at most 1; below 0 is worse than chance. None with a `reason`."""
    low: float | None = None
    high: float | None = None
    parts: Mapping[str, float] = field(default_factory=dict)
    """The chance-corrected value of each task that has one."""
    reason: str = ""
    """Why there is no value, or what limits it."""


def group_scores(
    records: Sequence[RunRecord],
    read_scores: ReadScores,
    *,
    seed: int = 0,
) -> list[GroupScore]:
    """The score of each model on each group of which all tasks were run.

    Args:
        records: Runs of any models and tasks.
        read_scores: Gives a run's scores; asked only where a group is complete.
    """
    by_model: dict[str, dict[str, RunRecord]] = {}
    for record in records:
        by_model.setdefault(record.model, {})[record.task] = record
    return [
        group_score(model, name, runs, read_scores, seed=seed)
        for model, runs in by_model.items()
        for name, group in load_groups().items()
        if set(group.tasks) <= set(runs)
    ]


def group_score(
    model: str,
    group: str,
    runs: Mapping[str, RunRecord],
    read_scores: ReadScores,
    *,
    seed: int = 0,
) -> GroupScore:
    """The score of one model on one group; without a value, but with parts, if tasks are missing.

    Args:
        runs: By task; those of other tasks do not matter.

    Raises:
        VlmbenchError: Scores cannot be read, or a metric is unknown.
    """
    wanted = load_groups()[group].tasks
    tasks: dict[str, list[Headline]] = {}
    reasons = []
    for record in (runs[task] for task in wanted if task in runs):
        if not record.coverage.complete:
            reasons.append(f"{record.task} is incomplete")
        elif headlines := _headlines(record, read_scores(record)):
            tasks[record.task] = headlines
        else:
            reasons.append(f"no headline of {record.task} has a range")
    parts = {task: task_value(headlines) for task, headlines in tasks.items()}
    there = sum(task in runs for task in wanted)
    if there < len(wanted):
        reasons.insert(0, f"{there} of {len(wanted)} tasks were run")
    if reasons:
        return GroupScore(model, group, None, parts=parts, reason="; ".join(reasons))
    result = macro_average(tasks, seed=seed)
    in_part = sorted((run.limit, task) for task in wanted if (run := runs[task]).limit is not None)
    reason = f"only {runs[in_part[0][1]].part} samples of {in_part[0][1]}" if in_part else ""
    reason += f" and parts of {len(in_part) - 1} other tasks" if len(in_part) > 1 else ""
    return GroupScore(model, group, result.value, result.low, result.high, parts, reason)


def macro_average(tasks: Mapping[str, Sequence[Headline]], *, seed: int = 0) -> Interval:
    """Value and interval of a group.

    Args:
        tasks: The headline metrics of each task; at least one task, with one metric and sample.
        seed: Of the bootstrap; each task draws from a stream of its own.
    """
    values = [task_value(headlines) for headlines in tasks.values()]
    draws = np.mean([_resampled(name, one, seed) for name, one in tasks.items()], axis=0)
    low, high = percentile_interval(draws)
    if high - low < 1e-9:
        ends = [_wilson_ends(headlines) for headlines in tasks.values()]
        low, high = (float(end) for end in np.mean(ends, axis=0))
    return Interval(float(np.mean(values)), low, high)


def task_value(headlines: Sequence[Headline]) -> float:
    """Mean of a task's chance-corrected headline metrics, weighted by their samples."""
    values = [
        float(one.corrected(np.asarray(value_of(one.vectors, one.metric.combine))))
        for one in headlines
    ]
    return float(np.average(values, weights=[len(one.vectors) for one in headlines]))


def _wilson_ends(headlines: Sequence[Headline]) -> Floats:
    """Ends of a task's interval out of Wilson's for each metric's value on its own range."""
    ends = []
    for one in headlines:
        assert one.metric.bounds is not None
        low, high = one.metric.bounds
        share = (value_of(one.vectors, one.metric.combine) - low) / (high - low)
        around = proportion_interval(min(1.0, max(0.0, share)), len(one.vectors))
        ends.append(np.sort(one.corrected(low + np.asarray(around) * (high - low))))
    weights = [len(one.vectors) for one in headlines]
    return np.asarray(np.average(ends, axis=0, weights=weights))


def _resampled(
    task: str, headlines: Sequence[Headline], seed: int, resamples: int = 1000
) -> Floats:
    own_seed = int(stable_hash([seed, task]), 16)
    values = []
    for one in headlines:
        n = len(one.vectors)
        totals = resampled_totals(one.vectors, resamples=resamples, seed=own_seed + n)
        values.append(one.corrected(one.metric.combine(totals, n)))
    weights = [len(one.vectors) for one in headlines]
    return np.asarray(np.average(values, axis=0, weights=weights))


def _headlines(record: RunRecord, rows: Sequence[SampleScores]) -> list[Headline]:
    listed = record.task_spec.get("metrics", ())
    uses: dict[str, Any] = {use["id"] or use["use"]: use for use in listed}
    overall = {one.metric: one for one in record.estimates if one.slice is None}
    found = []
    for name, use in uses.items():
        if name not in overall or not overall[name].headline:
            continue
        metric = load_metric(use["use"], use["options"])
        given = [row.scores[name].vector for row in rows if name in row.scores]
        vectors = [vector for vector in given if vector is not None]
        if metric.bounds is not None and vectors:
            chance = chance_level(use, uses, overall)
            low, high = metric.bounds
            low = low if chance is None else chance
            if low < high:  # not so where each question has one option
                found.append(Headline(metric, np.array(vectors, dtype=np.float64), low))
    return found


def chance_level(
    use: Mapping[str, Any], uses: Mapping[str, Any], overall: Mapping[str, Estimate]
) -> float | None:
    """Chance level of a choice metric, None for metrics that are not of choices."""
    if use["use"] != "match.choice":
        return None
    for name, other in uses.items():
        if other["use"] == CHANCE_METRIC and other["where"] == use["where"] and name in overall:
            return overall[name].value
    return None
