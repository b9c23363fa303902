"""Several tasks as one number: macro average of chance-corrected headlines, with its interval.

A metric's value v becomes (v - chance) / (highest - chance): 0 is what chance scores, 1 the best
that there is. Chance is `match.choice_chance` where the task has it for the same samples, else the
metric's lowest value. A task's value is the mean of its headline metrics, each weighted by its
samples; the group's is the plain mean over its tasks.

The interval combines those of the headlines (MOVER, see `vlmbench.stats.pooling`), each by its
own method and over its own clusters. Tasks are independent, but for those that tasks/groups.yaml
declares to ask the same questions, and for headlines of one task: the correlation of these is
seen from the questions that both have.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Literal, TypeAlias

import numpy as np

from vlmbench.metrics.base import Metric, load_metric
from vlmbench.records import Estimate, RunRecord, SampleScores
from vlmbench.scoring.intervals import metric_interval
from vlmbench.stats import Floats, Interval, label_errors, mover, value_of
from vlmbench.tasks.groups import SameQuestions, load_groups, load_same_questions

CHANCE_METRIC = "match.choice_chance"

By: TypeAlias = Literal["id", "image"]

ReadScores: TypeAlias = Callable[[RunRecord], Sequence[SampleScores]]
"""From a run to its scores.jsonl."""


@dataclass(frozen=True, slots=True)
class Headline:
    """A headline metric's vectors on one task."""

    metric: Metric
    vectors: Floats
    """(n, metric.size), a row a sample in the order of ids."""
    chance: float
    ids: tuple[str, ...]
    clusters: tuple[str, ...]
    """Of each sample."""

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
        group_score(model, name, runs, read_scores)
        for model, runs in by_model.items()
        for name, group in load_groups().items()
        if set(group.tasks) <= set(runs)
    ]


def group_score(
    model: str,
    group: str,
    runs: Mapping[str, RunRecord],
    read_scores: ReadScores,
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
    result = macro_average(tasks, same=load_same_questions())
    in_part = sorted((run.limit, task) for task in wanted if (run := runs[task]).limit is not None)
    reason = f"only {runs[in_part[0][1]].part} samples of {in_part[0][1]}" if in_part else ""
    reason += f" and parts of {len(in_part) - 1} other tasks" if len(in_part) > 1 else ""
    return GroupScore(model, group, result.value, result.low, result.high, parts, reason)


def macro_average(
    tasks: Mapping[str, Sequence[Headline]], *, same: Sequence[SameQuestions] = ()
) -> Interval:
    """Value and interval of a group.

    Args:
        tasks: The headline metrics of each task; at least one task, with one metric and sample.
        same: Which tasks ask the same questions.
    """
    parts = [(task, one) for task, headlines in tasks.items() for one in headlines]
    weights = np.array(
        [
            len(one.vectors) / sum(len(other.vectors) for other in tasks[task]) / len(tasks)
            for task, one in parts
        ]
    )
    ends = np.array([_corrected_interval(one) for _, one in parts])
    values, lows, highs = ends.T
    correlations = np.eye(len(parts))
    for (i, (task, one)), (j, (other_task, other)) in combinations(enumerate(parts), 2):
        by = "image" if task == other_task else _shared_by(task, other_task, same)
        if by is not None:
            correlations[i, j] = correlations[j, i] = _correlation(one, other, by)
    low, high = mover(values, lows, highs, weights, correlations)
    return Interval(float(values @ weights), low, high)


def task_value(headlines: Sequence[Headline]) -> float:
    """Mean of a task's chance-corrected headline metrics, weighted by their samples."""
    values = [
        float(one.corrected(np.asarray(value_of(one.vectors, one.metric.combine))))
        for one in headlines
    ]
    return float(np.average(values, weights=[len(one.vectors) for one in headlines]))


def _corrected_interval(one: Headline) -> tuple[float, float, float]:
    """Value and ends, chance-corrected."""
    found = metric_interval(one.metric, one.vectors, one.clusters)
    value, *ends = one.corrected(np.array([found.value, found.low, found.high])).tolist()
    return value, min(ends), max(ends)


def _shared_by(task: str, other: str, same: Sequence[SameQuestions]) -> By | None:
    return next((one.by for one in same if {task, other} <= {*one.tasks}), None)


def _correlation(one: Headline, other: Headline, by: By) -> float:
    """How far the errors of two headlines go together, by the questions that both have.

    Questions about one image are summed first, by the images of the first: what the image does to
    one of them it does to the others too, in both tasks.
    """
    names = [each.ids if by == "id" else each.clusters for each in (one, other)]
    known = [set(some) for some in names]
    if 2 * len(known[0] & known[1]) < min(map(len, known)):
        return 1.0
    image = dict(zip(names[0], one.clusters, strict=True))
    labels = (
        one.clusters,
        [
            image.get(name, f"not shared: {cluster}")
            for name, cluster in zip(names[1], other.clusters, strict=True)
        ],
    )
    errors = [
        label_errors(each.vectors, some, each.metric.definition.combine)
        for each, some in zip((one, other), labels, strict=True)
    ]
    both = errors[0].keys() & errors[1].keys()
    lengths = [math.sqrt(math.fsum(error**2 for error in each.values())) for each in errors]
    if 0 in lengths:
        return 1.0
    signs = [-1 if each.metric.definition.lower_is_better else 1 for each in (one, other)]
    product = math.fsum(errors[0][label] * errors[1][label] for label in both)
    return signs[0] * signs[1] * product / (lengths[0] * lengths[1])


def _headlines(record: RunRecord, rows: Sequence[SampleScores]) -> list[Headline]:
    listed = record.task_spec.get("metrics", ())
    uses: dict[str, Any] = {use["id"] or use["use"]: use for use in listed}
    overall = {one.metric: one for one in record.estimates if one.slice is None}
    found = []
    for name, use in uses.items():
        if name not in overall or not overall[name].headline:
            continue
        metric = load_metric(use["use"], use["options"])
        scored = [
            (vector, row.id, row.cluster or row.id)
            for row in rows
            if name in row.scores and (vector := row.scores[name].vector) is not None
        ]
        if metric.bounds is not None and scored:
            vectors, ids, clusters = zip(*scored, strict=True)
            chance = chance_level(use, uses, overall)
            low, high = metric.bounds
            low = low if chance is None else chance
            if low < high:  # not so where each question has one option
                matrix = np.array(vectors, dtype=np.float64)
                found.append(Headline(metric, matrix, low, ids, clusters))
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
