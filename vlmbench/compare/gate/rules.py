"""What a project tolerates: the margins, in a YAML file of its own.

    margin: 0.02                    # share of a metric's range
    free_margin: 0.05               # share of the baseline's value, for metrics on a free scale
    margins:
      metrics: {caption.cider_d: 0.08}
      groups: {ja-core: 0.03}
      tasks: {ja-vqa: 0.03, ja-chart: {match.relaxed: 0.05}}
    slices: {ja-chart: [kind]}      # these are gated; all others are only reported
    shares: {empty: 0.02, refusal: null}
    resources: {speed: 0.1, memory: 0.1}
    max_missing: 0.01
    undecided: pass

The most particular margin counts: that of a task's metric, a task, a group, a metric, all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from vlmbench.errors import ConfigError, unknown_name
from vlmbench.metrics.base import Metric
from vlmbench.schema import Strict, parse, read_yaml
from vlmbench.tasks.groups import load_groups

DEFAULT_MARGIN = 0.02
DEFAULT_FREE_MARGIN = 0.05

Margin: TypeAlias = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
"""A tolerated drop as a share: of the metric's range, or of the baseline's value."""

Undecided: TypeAlias = Literal["pass", "fail", 4]
"""The exit code where nothing is decided: 0, 1 or 4."""

ShareName: TypeAlias = Literal["errors", "empty", "japanese", "refusal"]
ResourceName: TypeAlias = Literal["speed", "latency", "memory"]


class Margins(Strict):
    """Margins that differ from the general one."""

    metrics: dict[str, Margin] = Field(default_factory=dict)
    groups: dict[str, Margin] = Field(default_factory=dict)
    tasks: dict[str, Margin | dict[str, Margin]] = Field(default_factory=dict)


class Rules(Strict):
    """What is tolerated, and what is gated."""

    margin: Margin = DEFAULT_MARGIN
    free_margin: Margin = DEFAULT_FREE_MARGIN
    margins: Margins = Field(default_factory=Margins)
    slices: dict[str, list[str]] = Field(default_factory=dict)
    """Fields of each task whose slices are gated, not only reported."""
    shares: dict[ShareName, Margin | None] = Field(default_factory=dict)
    """Tolerated rise of the share of errors, empty answers and refusals, and fall of that of
    answers in Japanese; `margin` where not given, None: not gated."""
    resources: dict[ResourceName, Margin] = Field(default_factory=dict)
    """Tolerated share by which speed may fall, and latency and memory rise; others are only
    reported."""
    max_missing: Margin = 0.0
    """Share of a task's samples that may be missing or have no answer."""
    undecided: Undecided = 4

    def share_margin(self, name: ShareName) -> float | None:
        """The tolerated change of a share; None: it is not gated."""
        return self.shares.get(name, self.margin)

    def margin_share(self, task: str, metric_id: str, metric: Metric) -> float:
        """The tolerated drop as a share, the most particular that there is."""
        of_task = self.margins.tasks.get(task)
        if isinstance(of_task, Mapping):
            of_task = of_task.get(metric_id)
        if of_task is not None:
            return of_task
        groups = load_groups()
        in_groups = [
            margin for name, margin in self.margins.groups.items() if task in groups[name].tasks
        ]
        if in_groups:
            return min(in_groups)
        for name in (metric_id, metric.name):
            if name in self.margins.metrics:
                return self.margins.metrics[name]
        return self.free_margin if on_free_scale(metric) else self.margin


def on_free_scale(metric: Metric) -> bool:
    """Whether a metric has no practical range, as CIDEr-D whose formula goes to 10."""
    return metric.bounds is None or metric.bounds[1] - metric.bounds[0] > metric.unit


def unit_of(metric: Metric, baseline: float) -> float:
    """What a share of 1 is in the metric's unit: its range, or the baseline's value."""
    return abs(baseline) if on_free_scale(metric) else metric.unit


def read_rules(file: Path) -> Rules:
    """The rules of a YAML file.

    Raises:
        ConfigError: It cannot be read, or a key, a group or a value is wrong.
    """
    rules = parse(Rules, read_yaml(file) or {}, location=str(file))
    groups = load_groups()
    for name in rules.margins.groups:
        if name not in groups:
            problem = unknown_name("group", name, groups, next_step="see 'vlmbench tasks list'")
            raise ConfigError(f"{file}: {problem}")
    return rules


def check_names(
    rules: Rules,
    metrics: Mapping[str, Iterable[str]],
    slices: Mapping[str, Iterable[str]],
    file: str,
) -> None:
    """A name that the baseline does not have is a slip, not a rule that never holds.

    Args:
        metrics: Ids of the metrics by task.
        slices: Fields by task.

    Raises:
        ConfigError: A task, metric or field is none of the baseline.
    """
    every_metric = {name for names in metrics.values() for name in names}
    wanted = [("metric", name, every_metric) for name in rules.margins.metrics]
    for task, value in rules.margins.tasks.items():
        wanted.append(("task", task, set(metrics)))
        if isinstance(value, Mapping):
            wanted += [("metric", name, set(metrics.get(task, ()))) for name in value]
    for task, fields in rules.slices.items():
        wanted.append(("task", task, set(metrics)))
        wanted += [("slice", name, set(slices.get(task, ()))) for name in fields]
    for kind, name, known in wanted:
        if name not in known:
            step = f"the baseline has {', '.join(sorted(known)) or 'none'}"
            raise ConfigError(f"{file}: {unknown_name(kind, name, known, next_step=step)}")
