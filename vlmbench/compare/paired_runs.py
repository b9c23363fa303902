"""A run with its scores, and runs paired sample by sample."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vlmbench.metrics.base import Metric, load_metric
from vlmbench.records import RunRecord, SampleScores
from vlmbench.runs.directory import RunDir
from vlmbench.stats import (
    Floats,
    PairedDifference,
    PairedTail,
    clustered,
    paired_tail,
    percentile_interval,
    resampled_totals,
    value_of,
    with_interval,
)

RESAMPLES = 2000

VARIANT_FINGERPRINTS = ("model", "task", "data", "prompt")
"""Fingerprints that a variant shares with the plain run; paraphrases differ in the last."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A run and its scores."""

    record: RunRecord
    rows: Sequence[SampleScores]
    """Sorted by id."""


@dataclass(frozen=True, slots=True)
class Paired:
    """One metric's vectors of several runs on the samples that all of them scored."""

    ids: tuple[str, ...]
    vectors: tuple[Floats, ...]
    """(n, metric.size) a run."""
    clusters: tuple[str, ...]
    """Of each sample; its own id where nothing is known of its images."""
    left_out: int
    """Samples that the metric is for and that some run did not answer or could not score."""


def read_scored(directory: RunDir) -> Scored:
    """A run by its directory.

    Raises:
        JournalError: A file of it is missing or damaged.
    """
    return Scored(directory.read_record(), directory.read_scores())


def differing_fingerprint(
    plain: RunRecord, variant: RunRecord, *, prompts: bool = False
) -> str | None:
    """The fingerprint in which a variant differs from the plain run though it should not."""
    names = VARIANT_FINGERPRINTS[:-1] if prompts else VARIANT_FINGERPRINTS
    return next(
        (one for one in names if plain.fingerprints.get(one) != variant.fingerprints.get(one)), None
    )


def headline_metrics(record: RunRecord, *, use: str | None = None) -> dict[str, Metric]:
    """The headline metrics by their id in the task; only those of the name `use`, if given."""
    overall = {one.metric for one in record.estimates if one.headline and one.slice is None}
    return {
        name: load_metric(entry["use"], entry["options"])
        for entry in record.task_spec["metrics"]
        if (name := entry["id"] or entry["use"]) in overall and use in (None, entry["use"])
    }


def metric_frame(rows: Iterable[SampleScores], name: str) -> pd.DataFrame:
    """What a metric says of samples, a row each by id.

    Columns: `key` of the request; `cluster` that the sample belongs to; `concerned`, whether the
    metric is for the sample or there is no answer; `vector`, None where there is none; `read`, what
    the metric read out of the answer.
    """
    values = {
        row.id: (
            row.key,
            row.cluster or row.id,
            name in row.scores or row.error is not None,
            score.vector if (score := row.scores.get(name)) is not None else None,
            score.extracted if score is not None else None,
        )
        for row in rows
    }
    columns = ["key", "cluster", "concerned", "vector", "read"]
    return pd.DataFrame.from_dict(values, orient="index", columns=columns, dtype=object)


def pair(runs: Sequence[Scored], name: str, metric: Metric, *, unlike: bool = False) -> Paired:
    """The metric's vectors on the samples that all runs scored.

    Args:
        runs: The first one says which samples there are.
        name: The metric's id in the task.
        unlike: Leave out samples that all runs were asked in the same words and images.
    """
    frames = [metric_frame(run.rows, name) for run in runs]
    both = pd.concat(frames, axis=1, keys=range(len(frames))).loc[frames[0].index]
    both = both[both[0, "concerned"] == True]  # noqa: E712  # missing is neither
    if unlike:
        keys = both.xs("key", axis=1, level=1)
        both = both[keys.isna().any(axis=1) | (keys.nunique(axis=1) > 1)]
    vectors = both.xs("vector", axis=1, level=1)
    scored = vectors.dropna()
    shape = (len(scored), metric.size)
    matrices = (np.array(scored[run].tolist(), dtype=np.float64).reshape(shape) for run in vectors)
    clusters = both.loc[scored.index, (0, "cluster")]
    return Paired(tuple(scored.index), tuple(matrices), tuple(clusters), len(vectors) - len(scored))


def metric_difference(
    metric: Metric, new: Floats, old: Floats, clusters: Sequence[str]
) -> PairedDifference:
    """The value of `new` less that of `old` on a metric, with its 95 % interval.

    Args:
        new: (n, metric.size), n at least 1.
        old: The same samples in the same order.
        clusters: Of each sample.
    """
    return with_interval(metric_tail(metric, new, old, clusters))


def metric_tail(metric: Metric, new: Floats, old: Floats, clusters: Sequence[str]) -> PairedTail:
    """What the interval of `metric_difference` is drawn from, for many of them in one go."""
    return paired_tail(
        new,
        old,
        clusters=clusters,
        combine=metric.definition.combine,
        kind=metric.kind(new, old),
        bounds=metric.bounds or (0.0, metric.unit),
        unit=metric.unit,
    )


def joint_draws(paired: Paired, metric: Metric, *, seed: int) -> Floats:
    """The metric's values in resamples of the clusters: (runs, RESAMPLES), drawn together."""
    data = clustered(np.hstack(paired.vectors), paired.clusters)
    drawn = resampled_totals(
        np.column_stack([data.sums, data.sizes]), resamples=RESAMPLES, seed=seed
    )
    parts = np.split(drawn[:, :-1], len(paired.vectors), axis=1)
    return np.stack([metric.combine(part, drawn[:, -1]) for part in parts])


def values_of(paired: Paired, metric: Metric) -> Floats:
    """The metric's value of each run."""
    return np.array([value_of(vectors, metric.combine) for vectors in paired.vectors])


def ends(draws: Floats) -> tuple[float, float]:
    """The 95 % interval of resampled values."""
    return percentile_interval(draws)
