"""What a baseline keeps of one model's runs: scores and answers sample by sample, no images.

Kept are the headline metrics, and the two of `language` that the gate watches. Of each sample: its
id, what it was asked (a hash of prompt, images and generation arguments), a hash of the answer and
its beginning, its cluster, and each metric's vector.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from vlmbench.compare.gate.runs import GateRun, model_name, refuse_incomplete, runs_of_one_model
from vlmbench.errors import UsageError
from vlmbench.judges.scores import judged_key
from vlmbench.records import RunRecord, SampleScores, Scalar
from vlmbench.tasks.registry import journal_task
from vlmbench.text.reasoning import without_reasoning

BASELINE_VERSION = 2

COMPARED_FINGERPRINTS = ("task", "prompt", "data")

WATCHED = ("language.japanese", "language.refusal")
"""Metrics that are kept beside the headline ones."""

MEASURES = ("samples_per_second", "latency_p50", "peak_memory_mib", "peak_device_memory_mib")
"""What a baseline keeps of `RunRecord.performance`, as far as it is known."""

EXCERPT = 160
"""Characters of an answer that are kept, to be shown beside the new one."""

_HASH_LENGTH = 10
"""Hex digits: two different answers look the same once in 10**12 times."""

Vector: TypeAlias = tuple[float, ...]
SavedVector: TypeAlias = Vector | Literal[False] | None
"""A vector; None for an answer that could not be scored; False where the metric does not apply."""


@dataclass(frozen=True, slots=True)
class SavedSample:
    """One sample of a baseline."""

    id: str
    asked: str
    """Beginning of the request's content hash."""
    answer: str | None
    """Beginning of the answer's hash; None where there was an error instead."""
    excerpt: str
    """The first characters of the answer, without its reasoning."""
    cluster: int
    """Number of what the sample shares with others, from 0 in the order of ids."""
    vectors: tuple[SavedVector, ...]
    """One for each of the task's metrics."""


@dataclass(frozen=True, slots=True)
class BaselineMetric:
    """A metric with enough to load it again, and what it came to."""

    id: str
    use: str
    options: Mapping[str, Scalar]
    signature: str
    headline: bool
    value: float | None
    """For the reader of the file; None if nothing could be scored."""
    n: int


@dataclass(frozen=True, slots=True)
class BaselineTask:
    """One run of the baseline's model."""

    fingerprints: Mapping[str, str]
    limit: int | None
    """Set where only a part of the task was run."""
    total: int
    metrics: tuple[BaselineMetric, ...]
    samples: tuple[SavedSample, ...]
    measures: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Speed, latency and memory by the name in `RunRecord.performance`: of the run itself, then of
    each repeat."""
    machine: str = ""
    """What they were measured on."""

    @property
    def headlines(self) -> tuple[BaselineMetric, ...]:
        """The metrics that decide."""
        return tuple(one for one in self.metrics if one.headline)


@dataclass(frozen=True, slots=True)
class Baseline:
    """One model's runs."""

    model: str
    tasks: Mapping[str, BaselineTask]
    schema_version: int = BASELINE_VERSION


def make_baseline(
    runs: Sequence[Path], *, repeats: Sequence[Path] = (), max_missing: float = 0.0
) -> Baseline:
    """The baseline of one model's runs.

    Args:
        runs: Run directories, or one model's directory.
        repeats: Output directories with further runs of the same model and tasks, for how much
            speed, latency and memory differ from run to run.
        max_missing: Tolerated share of a task's samples without an answer.

    Raises:
        UsageError: There is no run, the runs are of several models, or a repeat is no further run.
        IncompleteError: A run lacks more answers than tolerated.
        JournalError: A run cannot be read, or its files do not fit together.
    """
    found = runs_of_one_model(runs)
    for run in found.values():
        refuse_incomplete(run, max_missing)
    again = [_repeat(found, root) for root in repeats]
    _refuse_twice([run for one in (found, *again) for run in one.values()])
    tasks = {
        task: _baseline_task(run, [other[task] for other in again if task in other])
        for task, run in found.items()
    }
    return Baseline(model_name(found), tasks)


def signatures(record: RunRecord, *, headline: bool | None = True) -> dict[str, str]:
    """Signature of each headline metric (or of all, for None), by its id in the task."""
    return {
        one.metric: one.signature
        for one in record.estimates
        if one.slice is None and headline in (None, one.headline)
    }


def asked_prefix(content_hash: str) -> str:
    """What a baseline keeps of a request's hash."""
    return content_hash[:_HASH_LENGTH]


def asked_hash(row: SampleScores) -> str:
    """What a baseline keeps of a sample's request."""
    return asked_prefix(row.key.removeprefix(f"{row.id}#"))


def answer_hash(text: str | None) -> str | None:
    """What a baseline keeps of an answer beside its excerpt; None for an error."""
    if text is None:
        return None
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_LENGTH]


def saved_vector(row: SampleScores, metric: str) -> SavedVector:
    """What a baseline keeps of a sample's score."""
    score = row.scores.get(metric)
    return False if score is None else score.vector


def machine_of(record: RunRecord) -> str:
    """What speed and memory depend on, in words; equal words, comparable numbers."""
    known = ("platform", "cpu", "cpu_count", "device", "gpu", "gpus", "replicas")
    parts = (f"{name} {record.environment[name]}" for name in known if name in record.environment)
    return ", ".join(parts)


def measures_of(record: RunRecord) -> dict[str, float]:
    """Speed, latency and memory of a run as far as they are known."""
    return {name: value for name in MEASURES if (value := record.performance.get(name)) is not None}


def _repeat(found: Mapping[str, GateRun], root: Path) -> dict[str, GateRun]:
    again = runs_of_one_model([root])
    for task, run in again.items():
        if task not in found:
            continue
        if run.record.fingerprints.get("model") != found[task].record.fingerprints.get("model"):
            raise UsageError(
                f"{run.directory.path} is no repeat of {found[task].directory.path}: it is of "
                "another model; give further runs of the same one with --repeats."
            )
    return again


def _refuse_twice(runs: Sequence[GateRun]) -> None:
    """A run that is its own repeat would say that nothing differs from run to run."""
    places = Counter(run.directory.path.resolve() for run in runs)
    for run in runs:
        if places[run.directory.path.resolve()] > 1:
            raise UsageError(
                f"{run.directory.path} is given twice; give further runs of the same model with "
                "--repeats."
            )


def _baseline_task(run: GateRun, repeats: Sequence[GateRun]) -> BaselineTask:
    metrics = tuple(_metrics(run))
    clusters: dict[str, int] = {}
    samples = tuple(
        _saved_sample(run, row, metrics, clusters.setdefault(row.cluster or row.id, len(clusters)))
        for _, row in sorted(run.scores.items())
    )
    all_measures = [measures_of(one.record) for one in (run, *repeats)]
    return BaselineTask(
        fingerprints=run.record.fingerprints,
        limit=run.record.limit,
        total=run.record.coverage.total,
        metrics=metrics,
        samples=samples,
        measures={
            name: tuple(one[name] for one in all_measures if name in one)
            for name in all_measures[0]
        },
        machine=machine_of(run.record),
    )


def _metrics(run: GateRun) -> Iterator[BaselineMetric]:
    headlines = signatures(run.record)
    uses = {use.key: use for use in journal_task(run.journal.header).metrics}
    estimates = {one.metric: one for one in run.record.estimates if one.slice is None}
    for name, estimate in estimates.items():
        use = uses.get(name) or uses.get(judged_key(name))
        if name in headlines and use is not None:
            source, options = use.use, use.options
        elif name in WATCHED:
            source, options = name, {}
        else:
            continue
        yield BaselineMetric(
            id=name,
            use=source,
            options=options,
            signature=estimate.signature,
            headline=name in headlines,
            value=estimate.value,
            n=estimate.n,
        )


def _saved_sample(
    run: GateRun, row: SampleScores, metrics: Sequence[BaselineMetric], cluster: int
) -> SavedSample:
    text = run.journal.responses[row.id].text
    return SavedSample(
        id=row.id,
        asked=asked_hash(row),
        answer=answer_hash(text),
        excerpt=without_reasoning(text or "").strip()[:EXCERPT],
        cluster=cluster,
        vectors=tuple(saved_vector(row, one.id) for one in metrics),
    )
