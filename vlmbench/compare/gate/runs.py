"""One model's runs as the gate takes them: whole, of one model, each task once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from vlmbench.compare.paired_runs import headline_metrics
from vlmbench.errors import IncompleteError, JournalError, UsageError
from vlmbench.metrics.base import Metric
from vlmbench.records import JournalSample, RunRecord, SampleScores
from vlmbench.runs.directory import RunDir, find_runs
from vlmbench.runs.journal import JournalContent, read_journal

_TOLERANCE = 1e-9


@dataclass(frozen=True)
class GateRun:
    """A run's files, read when they are asked for."""

    directory: RunDir
    record: RunRecord

    @cached_property
    def journal(self) -> JournalContent:
        """What was asked and answered."""
        return read_journal(self.directory.journal)

    @property
    def samples(self) -> Mapping[str, JournalSample]:
        """What was asked, by id, within the run's limit."""
        return self.journal.asked

    @cached_property
    def scores(self) -> Mapping[str, SampleScores]:
        """The sample scores by id.

        Raises:
            JournalError: scores.jsonl holds other samples than the journal, one of them twice, or
                a score that its metric cannot give.
        """
        rows = self.directory.read_scores()
        by_id = {row.id: row for row in rows}
        asked = self.samples.keys() & self.journal.responses.keys()
        problem = None
        if len(by_id) < len(rows):
            problem = f"holds {len(rows) - len(by_id)} samples twice"
        elif by_id.keys() != asked:
            problem = (
                f"holds {len(by_id.keys() & asked)} of the {len(asked)} samples of its journal"
            )
            more = len(by_id.keys() - asked)
            problem += f" and {more} others" if more else ""
        elif any(row.key != self.journal.responses[name].key for name, row in by_id.items()):
            problem = "was derived from other answers than its journal holds"
        else:
            problem = self._wrong_score(rows)
        if problem is not None:
            raise JournalError(
                f"{self.directory.scores} {problem}; derive it again with "
                f"'vlmbench score {self.directory.path}'."
            )
        return by_id

    def _wrong_score(self, rows: Sequence[SampleScores]) -> str | None:
        for name, metric in headline_metrics(self.record).items():
            for row in rows:
                score = row.scores.get(name)
                vector = score.vector if score is not None else None
                if vector is not None and (problem := vector_problem(vector, metric)):
                    return f"has a score of {name} for sample '{row.id}' {problem}"
        return None

    @property
    def missing(self) -> int:
        """Samples of the run without an answer."""
        return self.record.coverage.total - self.record.coverage.answered


def vector_problem(vector: Sequence[float], metric: Metric) -> str | None:
    """Why the metric cannot have given this vector; None if it can."""
    if len(vector) != metric.size:
        return f"of {len(vector)} numbers instead of {metric.size}"
    if not all(map(math.isfinite, vector)):
        return "that is no number"
    if metric.bounds is not None and metric.is_mean:
        low, high = metric.bounds
        if not low - _TOLERANCE <= vector[0] <= high + _TOLERANCE:
            return f"of {vector[0]:g}, out of its range from {low:g} to {high:g}"
    return None


def runs_of_one_model(roots: Sequence[Path]) -> dict[str, GateRun]:
    """The plain runs by task; those of variants (`<task>@<variant>`) are passed over.

    Raises:
        UsageError: There is no run, or the runs are of several models or of a task twice.
        JournalError: A run record cannot be read.
    """
    everything = [GateRun(directory, directory.read_record()) for directory in find_runs(roots)]
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
    found: dict[str, GateRun] = {}
    for run in runs:
        other = found.setdefault(run.record.task, run)
        if other is not run:
            raise UsageError(
                f"There are two runs of task '{run.record.task}', {other.directory.path} and "
                f"{run.directory.path}; give one of them."
            )
    return found


def model_name(runs: Mapping[str, GateRun]) -> str:
    """The name of the runs' model."""
    return next(iter(runs.values())).record.model


def refuse_incomplete(run: GateRun, max_missing: float) -> None:
    """A baseline is a whole run, but for a tolerated share of samples.

    Raises:
        IncompleteError: More samples are without an answer.
    """
    total = run.record.coverage.total
    if run.missing > max_missing * total + 1e-9:
        raise IncompleteError(
            f"The run of {run.record.model} on {run.record.task} has "
            f"{run.record.coverage.answered} of {total} answers and cannot be a baseline; finish "
            "it with 'vlmbench run' first, or tolerate a share of failures with --max-missing."
        )
