"""Baseline and run as pairs of vectors, sample by sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vlmbench.compare.gate.baseline import (
    COMPARED_FINGERPRINTS,
    BaselineTask,
    SavedSample,
    SavedVector,
    answer_hash,
    asked_hash,
    saved_vector,
    signatures,
)
from vlmbench.compare.gate.runs import GateRun
from vlmbench.errors import ConfigError
from vlmbench.records import SampleScores


@dataclass(frozen=True, slots=True)
class Pair:
    """One sample of the baseline, and what the run has of it."""

    old: SavedSample
    row: SampleScores | None
    """None where the run has not asked it."""
    text: str | None
    """The run's answer; None where there is none."""

    @property
    def missing(self) -> bool:
        """Whether the run has no answer to what the baseline answered."""
        return self.text is None and self.old.answer is not None

    @property
    def same(self) -> bool:
        """Whether both gave the same answer."""
        return self.text is not None and answer_hash(self.text) == self.old.answer


@dataclass(frozen=True, slots=True)
class ScoredPairs:
    """One metric's vectors on a task."""

    ids: tuple[str, ...]
    old: tuple[tuple[float, ...], ...]
    new: tuple[tuple[float, ...], ...]
    clusters: tuple[int, ...]
    lost: int
    """Samples that one side only could score."""
    missing: tuple[tuple[tuple[float, ...], int], ...]
    """The baseline's vector and cluster of each sample without an answer in the run."""


def pair_samples(saved: BaselineTask, run: GateRun) -> list[Pair]:
    """Every sample of the baseline with what the run has of it."""
    responses = run.journal.responses
    return [
        Pair(
            sample,
            row := run.scores.get(sample.id),
            responses[sample.id].text if row is not None else None,
        )
        for sample in saved.samples
    ]


def scored_pairs(pairs: Sequence[Pair], number: int, metric: str) -> ScoredPairs:
    """The vectors of one metric on both sides.

    Args:
        pairs: Of the task, or of a slice of it.
        number: The metric's place in the baseline.
        metric: Its id.
    """
    ids: list[str] = []
    old: list[tuple[float, ...]] = []
    new: list[tuple[float, ...]] = []
    clusters: list[int] = []
    missing = []
    lost = 0
    for pair in pairs:
        before = pair.old.vectors[number]
        if pair.missing:
            if before:
                missing.append((before, pair.old.cluster))
            continue
        after: SavedVector = saved_vector(pair.row, metric) if pair.row is not None else None
        if before and after:
            ids.append(pair.old.id)
            old.append(before)
            new.append(after)
            clusters.append(pair.old.cluster)
        elif bool(before) != bool(after):
            lost += 1
    return ScoredPairs(tuple(ids), tuple(old), tuple(new), tuple(clusters), lost, tuple(missing))


def refuse_different(run: GateRun, saved: BaselineTask, file: object) -> None:
    """Raises ConfigError where the run's numbers do not compare with the baseline's."""
    record = run.record
    fields: list[tuple[str, object, object]] = [
        (name, record.fingerprints.get(name), saved.fingerprints.get(name))
        for name in COMPARED_FINGERPRINTS
    ]
    now = signatures(record, headline=None)
    fields += [
        (f"metric signature of {metric.id}", now.get(metric.id), metric.signature)
        for metric in saved.metrics
        if metric.headline or metric.id in now
    ]
    for name, value, other in fields:
        if value != other:
            raise _different(record.task, name, file, f"run: {value}, baseline: {other}")
    by_id = {sample.id: sample for sample in saved.samples}
    for name, row in run.scores.items():
        if name in by_id:
            refuse_other_request(record.task, by_id[name], asked_hash(row), file)


def refuse_other_request(task: str, saved: SavedSample, asked: str, file: object) -> None:
    """Raises ConfigError where a sample is asked otherwise than the baseline was."""
    if asked != saved.asked:
        detail = f"sample '{saved.id}' has another prompt, image or generation argument"
        raise _different(task, "prompt", file, detail)


def _different(task: str, name: str, file: object, detail: str) -> ConfigError:
    return ConfigError(
        f"The field '{name}' of task '{task}' differs between the run and {file} ({detail}), so "
        "their scores do not compare; run the baseline's model again and save a new baseline."
    )


def what_is_missing(run: GateRun, pairs: Sequence[Pair], tolerated: float) -> str:
    """Why a task cannot be judged: more of it is missing than tolerated; empty if it can be."""
    absent = sum(pair.row is None for pair in pairs)
    failed = sum(pair.missing for pair in pairs) - sum(
        pair.row is None and pair.old.answer is not None for pair in pairs
    )
    record = run.record
    if absent > tolerated * len(pairs) + 1e-9:
        limited = "" if record.limit is None else f"; it was run with --limit {record.limit}"
        return f"{absent} samples of the baseline are missing from the run{limited}"
    if absent + failed > tolerated * len(pairs) + 1e-9:
        return f"{absent + failed} of {len(pairs)} samples have no answer"
    if run.missing > tolerated * record.coverage.total + 1e-9:
        return f"{run.missing} of {record.coverage.total} samples have no answer"
    return ""


def all_same(pairs: Sequence[Pair]) -> bool:
    """Whether the run answered every sample as the baseline did."""
    return all(pair.same for pair in pairs)


def slices_of(pairs: Sequence[Pair]) -> Mapping[tuple[str, str], list[Pair]]:
    """The pairs by (field, value) of the task's slices, as the run has them."""
    found: dict[tuple[str, str], list[Pair]] = {}
    for pair in pairs:
        if pair.row is None:
            continue
        for field, value in pair.row.slices.items():
            if value is not None:
                found.setdefault((field, str(value)), []).append(pair)
    return dict(sorted(found.items()))
