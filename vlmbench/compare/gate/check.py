"""The gate's check: one model's runs against a baseline, from files to verdicts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vlmbench.compare.gate.baseline import (
    Baseline,
    BaselineMetric,
    BaselineTask,
)
from vlmbench.compare.gate.baseline_file import read_baseline
from vlmbench.compare.gate.changes import first_of_each, worst_changes
from vlmbench.compare.gate.pairing import (
    Pair,
    ScoredPairs,
    all_same,
    pair_samples,
    refuse_different,
    scored_pairs,
    slices_of,
    what_is_missing,
)
from vlmbench.compare.gate.pooling import pooled_judged
from vlmbench.compare.gate.report import GateReport, GateRow
from vlmbench.compare.gate.resources import resources_judged
from vlmbench.compare.gate.rules import Rules, check_names, on_free_scale, unit_of
from vlmbench.compare.gate.runs import GateRun, model_name, runs_of_one_model
from vlmbench.compare.gate.shares import shares_judged
from vlmbench.compare.gate.verdicts import LEVEL, Judged, decide
from vlmbench.compare.paired_runs import metric_difference
from vlmbench.metrics.base import Metric, load_metric
from vlmbench.stats import Floats, value_of


@dataclass(frozen=True, slots=True)
class TaskPairs:
    """A task of the baseline beside its run."""

    task: str
    saved: BaselineTask
    run: GateRun
    pairs: Sequence[Pair]
    incomplete: str
    """Why the task cannot be judged; empty if it can be."""


def check(
    runs: Sequence[Path],
    baseline_file: Path,
    *,
    rules: Rules | None = None,
    source: str = "the rules",
) -> GateReport:
    """Compare one model's runs with a saved baseline.

    Args:
        runs: Run directories, or one model's directory.
        rules: What is tolerated and gated; None: the defaults.
        source: The file that the rules are from, for messages.

    Raises:
        UsageError: There is no run, or the runs are of several models.
        ConfigError: The baseline file is damaged or empty, a rule names what it does not have, or
            a run and the baseline differ in task version, prompt, data or metric signature, so
            that their numbers do not compare.
        JournalError: A run cannot be read, or its files do not fit together.
    """
    rules = rules or Rules()
    baseline = read_baseline(baseline_file)
    found = runs_of_one_model(runs)
    _check_rules(rules, baseline, found, source)
    tasks: list[TaskPairs] = []
    rows: list[GateRow] = []
    for task, saved in sorted(baseline.tasks.items()):
        if task not in found:
            rows += [
                GateRow("task", task, one.id, "incomplete", reason="the task was not run")
                for one in saved.headlines
            ]
            continue
        refuse_different(found[task], saved, baseline_file)
        pairs = pair_samples(saved, found[task])
        reason = what_is_missing(found[task], pairs, rules.max_missing)
        tasks.append(TaskPairs(task, saved, found[task], pairs, reason))
    judged = [one for task in tasks for one in _task_judged(task, rules)]
    if not rows and (pooled := pooled_judged([j for j in judged if j.row.kind == "task"])):
        judged.append(pooled)
    judged += [one for task in tasks for one in _slices_judged(task, rules)]
    whole = [task for task in tasks if not task.incomplete]
    aside = [
        one
        for task in whole
        for one in (
            *shares_judged(task.task, task.saved, task.pairs, rules),
            *resources_judged(task.task, task.saved, task.run, rules),
        )
    ]
    rows = sorted([*rows, *decide(judged), *decide(aside)], key=_order)
    changes = [[*worst_changes(one.task, one.saved, one.run, one.pairs)] for one in whole]
    return GateReport(
        baseline_model=baseline.model,
        model=model_name(found),
        rows=tuple(rows),
        changes=tuple(first_of_each(changes)),
        notes=tuple(_notes(baseline, found)),
        level=LEVEL,
        undecided=rules.undecided,
        tasks={name: len(task.samples) for name, task in sorted(baseline.tasks.items())},
    )


def _check_rules(
    rules: Rules, baseline: Baseline, runs: Mapping[str, GateRun], source: str
) -> None:
    fields = {task: run.record.task_spec.get("slices", ()) for task, run in runs.items()}
    metrics = {name: [one.id for one in task.headlines] for name, task in baseline.tasks.items()}
    check_names(rules, metrics, fields, source)


def _order(row: GateRow) -> tuple[int, str]:
    kinds = ("task", "pooled", "slice", "share", "resource")
    return kinds.index(row.kind), row.task


def _notes(baseline: Baseline, runs: Mapping[str, GateRun]) -> Iterator[str]:
    for name, task in sorted(baseline.tasks.items()):
        if task.limit is not None:
            yield (
                f"The baseline of {name} is a part of the task: {len(task.samples)} samples "
                f"(--limit {task.limit}); no other sample was compared."
            )
    if others := sorted(set(runs) - set(baseline.tasks)):
        yield f"Not in the baseline, so not compared: {', '.join(others)}."


def _task_judged(task: TaskPairs, rules: Rules) -> Iterator[Judged]:
    for number, saved in enumerate(task.saved.metrics):
        if not saved.headline:
            continue
        if task.incomplete:
            row = GateRow("task", task.task, saved.id, "incomplete", reason=task.incomplete)
            yield Judged(row)
        else:
            found = scored_pairs(task.pairs, number, saved.id)
            row = GateRow("task", task.task, saved.id, "undecided")
            judged = judge(row, saved, found, rules)
            yield dataclasses.replace(judged, same=all_same(task.pairs))


def _slices_judged(task: TaskPairs, rules: Rules) -> Iterator[Judged]:
    if task.incomplete:
        return
    gated = rules.slices.get(task.task, ())
    for (field, value), pairs in slices_of(task.pairs).items():
        for number, saved in enumerate(task.saved.metrics):
            found = scored_pairs(pairs, number, saved.id)
            if not saved.headline or not (found.ids or found.missing):
                continue
            row = GateRow(
                "slice",
                task.task,
                saved.id,
                "undecided",
                gated=field in gated,
                slice=f"{field}={value}",
            )
            judged = judge(row, saved, found, rules)
            yield dataclasses.replace(judged, same=all_same(pairs))


def judge(row: GateRow, saved: BaselineMetric, found: ScoredPairs, rules: Rules) -> Judged:
    """What the verdict on one metric is made from.

    Args:
        row: What it is about.
    """
    metric = load_metric(saved.use, saved.options)
    row = dataclasses.replace(
        row,
        lost=found.lost,
        missing=len(found.missing),
        lower_is_better=metric.definition.lower_is_better,
        free_scale=on_free_scale(metric),
    )
    if not found.ids:
        reason = "no sample has a score on both sides"
        return Judged(dataclasses.replace(row, reason=reason, decides="answers that can be scored"))
    if found.missing and (metric.bounds is None or not metric.is_mean):
        reason = f"{len(found.missing)} samples have no answer, and {saved.id} has no worst score"
        return Judged(dataclasses.replace(row, verdict="incomplete", reason=reason))
    old, new = np.array(found.old, dtype=np.float64), np.array(found.new, dtype=np.float64)
    seen = metric_difference(metric, new, old, clusters=_names(found.clusters))
    before = value_of(old, metric.combine)
    unit = unit_of(metric, before)
    share = rules.margin_share(row.task, saved.id, metric)
    leeway = _leeway(metric, found)
    toward_better = seen.negated() if metric.definition.lower_is_better else seen
    low = min(toward_better.low, _worst_low(metric, found, new, old)) - leeway
    row = dataclasses.replace(
        row,
        n=seen.n,
        clusters=seen.clusters,
        baseline=before,
        value=value_of(new, metric.combine),
        difference=seen.difference,
        low=seen.low,
        high=seen.high,
        margin=share * unit,
        margin_share=share,
        p_value=seen.p_two_sided,
        method=seen.method,
        reason=f"{found.lost} samples could be scored on one side only" if found.lost else "",
    )
    return Judged(
        row=row,
        seen=toward_better,
        low=low,
        high=toward_better.high + leeway,
        margin=share * unit,
        scale=unit,
        unit=metric.unit,
        leeway=leeway,
    )


def _leeway(metric: Metric, found: ScoredPairs) -> float:
    """How far the samples that one side could not score could move the difference either way."""
    if not found.lost:
        return 0.0
    if metric.bounds is None or not metric.is_mean:
        return float("inf")
    return (metric.bounds[1] - metric.bounds[0]) * found.lost / (len(found.ids) + found.lost)


def _worst_low(metric: Metric, found: ScoredPairs, new: Floats, old: Floats) -> float:
    """The lower end, better upwards, with the worst score for every sample without an answer."""
    if not found.missing:
        return float("inf")
    assert metric.bounds is not None
    turned = metric.definition.lower_is_better
    worst = metric.bounds[1] if turned else metric.bounds[0]
    missing = np.array([vector for vector, _ in found.missing], dtype=np.float64)
    seen = metric_difference(
        metric,
        np.vstack([new, np.full_like(missing, worst)]),
        np.vstack([old, missing]),
        clusters=_names([*found.clusters, *(cluster for _, cluster in found.missing)]),
    )
    return (seen.negated() if turned else seen).low


def _names(clusters: Sequence[int]) -> list[str]:
    return [str(one) for one in clusters]
