"""Has a model become worse? Runs compared with a saved baseline, sample by sample.

A verdict for each headline metric of each task of the baseline, from the difference d (run minus
baseline), its paired bootstrap interval [low, high] at 95 % and the margin m, the drop that is
tolerated:

    better         low > 0
    within margin  low >= -m                       even the lower end is tolerable
    regressed      high < 0 and d < -m             surely a drop, and more of one than tolerated
    inconclusive   anything else                   the interval reaches beyond -m: more samples,
                                                   or a wider margin, would tell
    incomplete     samples are missing or have errors, or the task was not run

Nothing passes by luck: the interval, not d, has to lie above -m. The exit code is 1 if anything
regressed, else 3 if anything is incomplete, else 4 if anything is inconclusive, else 0. Each
verdict has its own 2.5 % chance of a false alarm (less with a margin); many metrics at once raise
it accordingly.

The margin is in the unit of the metric. `DEFAULT_MARGIN` means two answers in a hundred on a 0-1
metric. On CIDEr-D it is 0.02 too: its range goes to 10, but human captions reach about 1 against
one another, so 1 and not 10 is its practical scale.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from vlmbench.compare.gate_baseline import (
    Baseline,
    BaselineMetric,
    BaselineTask,
    SavedSample,
    SavedVector,
    Vector,
    baseline_task,
    headline_signatures,
    read_baseline,
    saved_samples,
    write_baseline,
)
from vlmbench.compare.paired_runs import RESAMPLES, metric_difference
from vlmbench.errors import ConfigError, IncompleteError, UsageError
from vlmbench.metrics.base import Metric, load_metric
from vlmbench.records import RunRecord
from vlmbench.runs.directory import RunDir, find_runs
from vlmbench.stats import Floats, PairedDifference, value_of

DEFAULT_MARGIN = 0.02
LEVEL = 0.95
COMPARED_FINGERPRINTS = ("task", "prompt", "data")

Verdict: TypeAlias = Literal["better", "within margin", "regressed", "inconclusive", "incomplete"]


@dataclass(frozen=True, slots=True)
class GateRow:
    """The verdict on one headline metric of one task."""

    task: str
    metric: str
    verdict: Verdict
    reason: str | None = None
    """Why the verdict is incomplete or inconclusive where the numbers alone do not say it."""
    n: int = 0
    """Samples that both sides scored."""
    lost: int = 0
    """Samples that only one side could score; they are left out of the difference, and the
    verdict must hold whatever they would have scored."""
    baseline: float | None = None
    """Value of the baseline on the n samples."""
    value: float | None = None
    """Value of the run on the n samples."""
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None


@dataclass(frozen=True, slots=True)
class GateReport:
    """All verdicts, and what they were made with."""

    baseline_model: str
    model: str
    margin: float
    level: float
    resamples: int
    seed: int
    rows: tuple[GateRow, ...]
    ungated: tuple[str, ...]
    """Tasks that were run but that the baseline does not have."""

    @property
    def exit_code(self) -> int:
        """1 if anything regressed, else 3 if incomplete, else 4 if inconclusive, else 0."""
        verdicts = {row.verdict for row in self.rows}
        codes: dict[Verdict, int] = {"regressed": 1, "incomplete": 3, "inconclusive": 4}
        return next((code for verdict, code in codes.items() if verdict in verdicts), 0)

    def as_json(self) -> dict[str, Any]:
        """The report as plain values, for `json.dumps`."""
        return {**asdict(self), "exit_code": self.exit_code}


def save_baseline(runs: Sequence[Path], file: Path) -> None:
    """Save the headline scores of one model's runs for later gates.

    The same runs give the same bytes.

    Args:
        runs: Run directories, or one model's directory.
        file: JSON file to write; replaced if it exists.

    Raises:
        UsageError: There is no run, or the runs are of several models.
        IncompleteError: A run has samples without an answer.
        JournalError: A run or the file cannot be read or written.
    """
    found = _runs_of_one_model(runs)
    for run in found.values():
        if not run.record.coverage.complete:
            raise IncompleteError(_incomplete_baseline(run.record))
    tasks = {task: baseline_task(run.directory, run.record) for task, run in found.items()}
    write_baseline(Baseline(_model(found), tasks), file)


def check(
    runs: Sequence[Path],
    baseline_file: Path,
    *,
    margin: float = DEFAULT_MARGIN,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> GateReport:
    """Compare one model's runs with a saved baseline.

    Args:
        runs: Run directories, or one model's directory.
        margin: Tolerated drop in the unit of each metric, 0 or more.

    Raises:
        UsageError: There is no run, the runs are of several models, or the margin is negative.
        ConfigError: The baseline file is damaged, or a run and the baseline differ in task
            version, prompt, data or metric signature, so that their numbers do not compare.
        JournalError: A run cannot be read.
    """
    if not margin >= 0:
        raise UsageError(f"The margin is {margin}; give the tolerated drop as 0 or more.")
    baseline = read_baseline(baseline_file)
    found = _runs_of_one_model(runs)
    bootstrap = _Bootstrap(margin, resamples, seed)
    rows: list[GateRow] = []
    for task, saved in sorted(baseline.tasks.items()):
        if task in found:
            _refuse_different(found[task].record, saved, baseline_file)
            rows += _compare_task(task, found[task], saved, baseline_file, bootstrap)
        else:
            reason = "the task was not run"
            rows += [GateRow(task, metric.id, "incomplete", reason) for metric in saved.metrics]
    return GateReport(
        baseline_model=baseline.model,
        model=_model(found),
        margin=margin,
        level=LEVEL,
        resamples=resamples,
        seed=seed,
        rows=tuple(rows),
        ungated=tuple(sorted(set(found) - set(baseline.tasks))),
    )


def verdict_of(low: float, high: float, difference: float, *, margin: float) -> Verdict:
    """The verdict that an interval allows; the rules stand at the top of this file."""
    if low > 0:
        return "better"
    if low >= -margin:
        return "within margin"
    if high < 0 and difference < -margin:
        return "regressed"
    return "inconclusive"


@dataclass(frozen=True, slots=True)
class _Run:
    directory: RunDir
    record: RunRecord


@dataclass(frozen=True, slots=True)
class _Bootstrap:
    margin: float
    resamples: int
    seed: int


def _runs_of_one_model(roots: Sequence[Path]) -> dict[str, _Run]:
    """The plain runs by task; those of variants (`<task>@<variant>`) are passed over."""
    everything = [_Run(directory, directory.read_record()) for directory in find_runs(roots)]
    runs = [run for run in everything if run.record.variant is None]
    if not runs:
        raise UsageError(
            f"{everything[0].directory.path} is a run of a variant "
            f"({everything[0].record.variant}) and is not gated; give the run of the task itself."
        )
    models = {run.record.model: run.directory.path.parent for run in runs}
    if len(models) > 1:
        raise UsageError(
            f"The runs are of several models ({', '.join(sorted(models))}); give the directory of "
            f"one, such as {models[min(models)]}."
        )
    found: dict[str, _Run] = {}
    for run in runs:
        other = found.setdefault(run.record.task, run)
        if other is not run:
            raise UsageError(
                f"There are two runs of task '{run.record.task}', {other.directory.path} and "
                f"{run.directory.path}; give one of them."
            )
    return found


def _model(found: Mapping[str, _Run]) -> str:
    return next(iter(found.values())).record.model


def _incomplete_baseline(record: RunRecord) -> str:
    coverage = record.coverage
    return (
        f"The run of {record.model} on {record.task} has {coverage.answered} of {coverage.total} "
        "answers and cannot be a baseline; finish it with 'vlmbench run' first."
    )


def _refuse_different(record: RunRecord, saved: BaselineTask, file: Path) -> None:
    """Raises ConfigError where the run's numbers do not compare with the baseline's."""
    fields = [
        (name, record.fingerprints.get(name), saved.fingerprints.get(name))
        for name in COMPARED_FINGERPRINTS
    ]
    signatures = headline_signatures(record)
    fields += [
        (f"metric signature of {metric.id}", signatures.get(metric.id), metric.signature)
        for metric in saved.metrics
    ]
    for name, value, other in fields:
        if value != other:
            raise _different(record.task, name, file, f"run: {value}, baseline: {other}")


def _different(task: str, name: str, file: Path, detail: str) -> ConfigError:
    return ConfigError(
        f"The field '{name}' of task '{task}' differs between the run and {file} ({detail}), so "
        "their scores do not compare; run the baseline's model again and save a new baseline."
    )


def _compare_task(
    task: str, run: _Run, saved: BaselineTask, file: Path, bootstrap: _Bootstrap
) -> list[GateRow]:
    names = [metric.id for metric in saved.metrics]
    baseline = _frame(saved.samples, names)
    now = _frame(saved_samples(run.directory.read_scores(), names), names)
    both = pd.concat([baseline, now], axis=1, join="inner", keys=["baseline", "run"])
    changed = both.index[both["baseline", "content"] != both["run", "content"]]
    if len(changed):
        detail = f"sample '{changed[0]}' has another prompt, image or generation argument"
        raise _different(task, "prompt", file, detail)
    reason = _what_is_missing(run.record, len(baseline) - len(both))
    if reason is not None:
        return [GateRow(task, name, "incomplete", reason) for name in names]
    pairs = {name: both.xs(name, axis=1, level=1).itertuples(index=False) for name in names}
    return [_compare(task, metric, [*pairs[metric.id]], bootstrap) for metric in saved.metrics]


def _frame(samples: Iterable[SavedSample], metrics: Sequence[str]) -> pd.DataFrame:
    """A row a sample by id: what it was asked, and each metric's vector."""
    rows = {name: (content, *vectors) for name, content, vectors in samples}
    columns = ["content", *metrics]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns, dtype=object)


def _what_is_missing(record: RunRecord, missing: int) -> str | None:
    coverage = record.coverage
    if missing:
        limited = "" if record.limit is None else f"; it was run with --limit {record.limit}"
        return f"{missing} samples of the baseline are missing from the run{limited}"
    if not coverage.complete:
        return f"{coverage.total - coverage.answered} of {coverage.total} samples have no answer"
    return None


def _compare(
    task: str,
    saved: BaselineMetric,
    pairs: Sequence[tuple[SavedVector, SavedVector]],
    bootstrap: _Bootstrap,
) -> GateRow:
    """One metric's verdict from (baseline, run) vectors."""
    metric = load_metric(saved.use, saved.options)
    scored = [(old, new) for old, new in pairs if old and new]
    lost = sum(bool(old) != bool(new) for old, new in pairs)
    if not scored:
        return GateRow(
            task, saved.id, "inconclusive", "no sample has a score on both sides", lost=lost
        )
    old, new = (_matrix([pair[side] for pair in scored], metric) for side in (0, 1))
    paired = metric_difference(metric, new, old, [str(place) for place in range(len(new))])
    gain = paired.negated() if metric.definition.lower_is_better else paired
    verdict, reason = _verdict(gain, bootstrap.margin, _max_shift(metric, lost, len(pairs)), lost)
    return GateRow(
        task=task,
        metric=saved.id,
        verdict=verdict,
        reason=reason,
        n=len(scored),
        lost=lost,
        baseline=value_of(old, metric.combine),
        value=value_of(new, metric.combine),
        difference=paired.difference,
        low=paired.low,
        high=paired.high,
        p_value=paired.p_two_sided,
    )


def _verdict(
    paired: PairedDifference, margin: float, leeway: float, lost: int
) -> tuple[Verdict, str | None]:
    """The verdict, provided it stands whatever the lost samples would have scored."""
    verdicts = {
        verdict_of(
            paired.low + shift, paired.high + shift, paired.difference + shift, margin=margin
        )
        for shift in (-leeway, 0.0, leeway)
    }
    if len(verdicts) == 1:
        return verdicts.pop(), None
    if verdicts == {"better", "within margin"}:
        return "within margin", None
    return "inconclusive", f"{lost} samples could be scored on one side only"


def _max_shift(metric: Metric, lost: int, total: int) -> float:
    """How far the lost samples could move the difference either way."""
    if not lost:
        return 0.0
    if metric.bounds is None or not metric.is_mean:
        return float("inf")
    return (metric.bounds[1] - metric.bounds[0]) * lost / total


def _matrix(vectors: Sequence[Vector], metric: Metric) -> Floats:
    if any(len(vector) != metric.size for vector in vectors):
        raise ConfigError(
            f"A vector of {metric.name} in the baseline does not have its {metric.size} numbers; "
            "save the baseline again with 'vlmbench gate save RUNS -o FILE'."
        )
    return np.array(vectors, dtype=np.float64)
