"""All that is computed of one task; kept from one building to the next while nothing changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np

from vlmbench.compare.diagnoses import Diagnosis, diagnoses
from vlmbench.records import stable_hash
from vlmbench.report.columns import MetricColumn, task_columns
from vlmbench.report.entries import Entry, Run, TaskRuns
from vlmbench.report.facts import RunFacts, TaskMetrics
from vlmbench.report.field import Differences, SliceKey, TaskField, task_field
from vlmbench.report.found import LeftOut
from vlmbench.report.images import ImageStore
from vlmbench.report.naming import run_state
from vlmbench.report.samples import TaskSamples, write_samples
from vlmbench.report.site import CACHE, Site
from vlmbench.report.tables import Leaderboard
from vlmbench.runs.directory import RunDir

Z = NormalDist().inv_cdf(0.975)

NOTABLE = 12
"""Samples in each list of notable ones."""

BINS = 10
"""Of the distribution of scores."""


@dataclass(frozen=True, slots=True)
class ModelCounts:
    """How one model's answers are distributed."""

    outcomes: Mapping[str, int]
    """Number of answers by outcome."""
    bins: tuple[int, ...]
    """Number of answers by goodness, BINS of equal width from the worst to the best."""


@dataclass(frozen=True, slots=True)
class TaskUnit:
    """What a task's pages, the leaderboard and the comparison need of its scores."""

    slug: str
    field: TaskField
    won: tuple[tuple[int, int], ...]
    """For each pair of the field's models, samples on which the first and the second is better."""
    counts: Mapping[str, ModelCounts]
    """By the entry's name."""
    hardest: tuple[str, ...]
    """Ids of samples that some model gets and not all do, by the mean over the models, lowest
    first."""
    nobody: tuple[str, ...]
    """Ids of samples that every model gets wrong."""
    nobody_count: int
    disputed: tuple[str, ...]
    """Ids of samples on which models differ most."""
    total: int
    shown: int
    problem: str | None
    left_out: tuple[LeftOut, ...]
    gains: Mapping[str, tuple[Mapping[str, Any], ...]]
    """Visual gains by the entry's name, the fields of `VisualGain`."""
    diagnoses: Mapping[RunDir, Diagnosis]
    """By plain run; empty if the unit was kept, as its pages are then."""
    new: bool
    """Whether it was made anew."""
    key: str
    """Changes with everything that its pages are made of."""


def build_unit(
    site: Site,
    board: Leaderboard,
    task: TaskRuns,
    variants: Mapping[RunDir, Mapping[str, Run]],
    images: ImageStore,
    *,
    at_most: int | None,
    build: str,
) -> TaskUnit:
    """Compute a task, or take it from the former site.

    Args:
        build: Changes with whatever decides the form of the files.
    """
    entries = board.of_task(task.name)
    key = _key(task, entries, variants, at_most, build)
    cache = f"tasks/{task.slug}.json"
    there = site.read_cache(cache)
    # What could not be shown then, such as images of data that was not there, is tried again.
    current = there and there["key"] == key and not there["unit"]["problem"]
    kept = [f"{CACHE}/{cache}", *there["files"]] if current else []
    if current and site.keep(kept) and _images(images, there):
        return _from_json(there["unit"], key)
    samples = write_samples(
        site, task.slug, task, entries, variants, images, at_most=at_most, build=build
    )
    unit = _unit(task, entries, samples, _diagnoses(task, entries, variants, samples), key)
    site.write_cache(
        cache,
        {
            "key": key,
            "files": [*samples.files, *samples.cache_files],
            "images": samples.images,
            "unit": asdict(replace(unit, diagnoses={})),
        },
    )
    return unit


def _unit(
    task: TaskRuns,
    entries: Sequence[Entry],
    samples: TaskSamples,
    found: Mapping[RunDir, Diagnosis],
    key: str,
) -> TaskUnit:
    columns = [one for one in task_columns(task) if one.headline]
    metrics = TaskMetrics(task.reference.record, task.metrics)
    ranked = {
        entry.name: samples.facts[entry.name]
        for entry in entries
        if entry.name in samples.facts and _ranked(entry, columns)
    }
    models = [
        samples.facts[one.name] for one in entries if not one.baseline and one.name in samples.facts
    ]
    wrong = _all_wrong(models)
    order = [n for n, good in enumerate(samples.goodness) if good is not None]
    hard = sorted(
        (n for n in order if samples.ids[n] not in wrong and (samples.goodness[n] or 0.0) < 1),
        key=lambda n: (samples.goodness[n] or 0.0, n),
    )
    apart = sorted((n for n in order if samples.spread[n] > 0), key=lambda n: -samples.spread[n])
    return TaskUnit(
        slug=task.slug,
        field=task_field(columns, ranked, metrics, _errors(entries, columns)),
        won=_won(ranked),
        counts={name: _counts(facts) for name, facts in samples.facts.items()},
        hardest=tuple(samples.ids[n] for n in hard[:NOTABLE]),
        nobody=tuple([name for name in samples.ids if name in wrong][:NOTABLE]),
        nobody_count=len(wrong),
        disputed=tuple(samples.ids[n] for n in apart[:NOTABLE]),
        total=samples.total,
        shown=samples.shown,
        problem=samples.problem,
        left_out=tuple(samples.left_out),
        gains={
            entry.name: tuple(asdict(gain) for gain in found[directory].gains)
            for entry in entries
            if (directory := entry.runs[task.name].directory) in found
        },
        diagnoses=found,
        new=True,
        key=key,
    )


def _diagnoses(
    task: TaskRuns,
    entries: Sequence[Entry],
    variants: Mapping[RunDir, Mapping[str, Run]],
    samples: TaskSamples,
) -> dict[RunDir, Diagnosis]:
    plain = [e.runs[task.name].directory for e in entries if e.name in samples.facts]
    directories = [
        one
        for directory in plain
        for one in (directory, *(run.directory for run in variants.get(directory, {}).values()))
    ]
    return diagnoses(directories)


def _errors(entries: Sequence[Entry], columns: Sequence[MetricColumn]) -> dict[str, float]:
    """Standard errors that the intervals of the records come to, of the chance-corrected value."""
    found = {}
    for entry in entries:
        known = [(one.ends, one.estimate(entry)) for one in columns]
        shares = [
            (seen.n, (seen.high - seen.low) / 2 / Z / abs(ends[1] - ends[0]))
            for ends, seen in known
            if ends and seen and seen.low is not None and seen.high is not None and seen.n
        ]
        if shares:
            found[entry.name] = sum(n * one for n, one in shares) / sum(n for n, _ in shares)
    return found


def _ranked(entry: Entry, columns: Sequence[MetricColumn]) -> bool:
    return bool(columns) and all(one.rankable(entry) is not None for one in columns)


def _all_wrong(models: Sequence[RunFacts]) -> set[str]:
    """Ids of the samples that every model answered wrongly, those too that are not shown."""
    wrong = [
        {name for name, outcome in zip(one.ids, one.outcomes, strict=True) if outcome == "wrong"}
        for one in models
    ]
    return set.intersection(*wrong) if wrong else set()


def _won(facts: Mapping[str, RunFacts]) -> tuple[tuple[int, int], ...]:
    places = {
        name: n for n, name in enumerate({one: 0 for run in facts.values() for one in run.ids})
    }
    goods = np.full((len(facts), len(places)), np.nan)
    for row, run in zip(goods, facts.values(), strict=True):
        row[[places[name] for name in run.ids]] = [np.nan if x is None else x for x in run.goodness]
    # Comparisons with what is not a number are false.
    return tuple(
        (int((one > other).sum()), int((one < other).sum()))
        for first, one in enumerate(goods)
        for other in goods[first + 1 :]
    )


def _counts(facts: RunFacts) -> ModelCounts:
    outcomes: dict[str, int] = {}
    for outcome in facts.outcomes:
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    bins = [0] * BINS
    for good in facts.goodness:
        if good is not None:
            bins[min(BINS - 1, max(0, int(good * BINS)))] += 1
    return ModelCounts(outcomes, tuple(bins))


def _key(
    task: TaskRuns,
    entries: Sequence[Entry],
    variants: Mapping[RunDir, Mapping[str, Run]],
    at_most: int | None,
    build: str,
) -> str:
    runs = [
        [
            entry.name,
            entry.facts.parent,
            str(entry.runs[task.name].directory.path),
            run_state(entry.runs[task.name], variants.get(entry.runs[task.name].directory, {})),
        ]
        for entry in entries
    ]
    return stable_hash([build, at_most, task.name, runs])


def _images(images: ImageStore, there: Mapping[str, Any]) -> bool:
    return all(
        images.find(one) is not None for one in there["images"] if there["images"][one]["src"]
    )


def _from_json(data: Mapping[str, Any], key: str) -> TaskUnit:
    def differences(one: Mapping[str, Any]) -> Differences:
        part = SliceKey(*one["part"]) if one["part"] else None
        lists = {name: tuple(one[name]) for name in ("n", "values", "low", "high")}
        return Differences(metric=one["metric"], part=part, clusters=one["clusters"], **lists)

    field = data["field"]
    return TaskUnit(
        **{
            **data,
            "field": TaskField(
                models=tuple(field["models"]),
                whole=tuple(map(differences, field["whole"])),
                parts=tuple(map(differences, field["parts"])),
                deviations=tuple(field["deviations"]),
                pair_deviations=tuple(field["pair_deviations"]),
            ),
            "won": tuple(tuple(one) for one in data["won"]),
            "counts": {
                name: ModelCounts(one["outcomes"], tuple(one["bins"]))
                for name, one in data["counts"].items()
            },
            "left_out": tuple(LeftOut(*one) for one in data["left_out"]),
            "gains": {name: tuple(gains) for name, gains in data["gains"].items()},
            "new": False,
            "key": key,
        }
    )
