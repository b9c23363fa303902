"""Metrics that `vlmbench score --metrics` adds to those of the task."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from vlmbench.errors import UsageError
from vlmbench.metrics.base import load_metric, read_options
from vlmbench.scoring.aggregate import ScoredMetric


def extra_metrics(names: Sequence[str], options: Sequence[str]) -> list[ScoredMetric]:
    """Metrics by name, with the options that they have among those given.

    In results a metric with options is called such as "overlap.rouge_l:beta=2".

    Args:
        options: Such as "beta=2"; each must be an option of at least one of the metrics.

    Raises:
        UsageError: A metric, or an option that none of them has, is unknown.
    """
    if options and not names:
        raise UsageError("'--option' needs '--metrics' to say which metrics it is for.")
    loaded = []
    used: set[str] = set()
    for name in names:
        plain = load_metric(name)
        if name.startswith("judge."):
            raise UsageError(
                f"'{name}' reads a judge's replies, not answers; ask one with 'vlmbench judge run "
                f"RUNS --judge MODEL --metrics {name}'."
            )
        given = read_options(name, options)
        own = {option: value for option, value in given.items() if option in plain.options}
        used |= set(own)
        chosen = load_metric(name, own)
        label = ",".join(f"{option}={chosen.options[option]}" for option in sorted(own))
        loaded.append(ScoredMetric(f"{name}:{label}" if label else name, chosen))
    for name in names:
        given = read_options(name, options)
        # Raises for an option that none has, with the names that are near.
        load_metric(name, {key: value for key, value in given.items() if key not in used})
    return loaded


def with_extra(
    metrics: Sequence[ScoredMetric], extra: Sequence[ScoredMetric]
) -> list[ScoredMetric]:
    """The task's metrics, then those that are not among them.

    Where the task uses a metric's bare name for the metric with options of its own, the one with
    default options is called such as "overlap.rouge_l:default".
    """
    signatures = {metric.id: metric.metric.signature for metric in metrics}
    for metric in extra:
        signature = metric.metric.signature
        if signatures.get(metric.id, signature) != signature:
            metric = dataclasses.replace(metric, id=f"{metric.id}:default")
        if metric.id not in signatures:
            signatures[metric.id] = signature
            metrics = [*metrics, metric]
    return list(metrics)
