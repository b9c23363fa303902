"""What a task's page says of its judges: their numbers, and whether they can be trusted.

Values, unscored answers and bounds come from the run record; the rest from the results that
`vlmbench judge` has written beside it. A result about other answers than those that lie there now
is left out, and the page says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

from vlmbench.errors import JournalError
from vlmbench.judges.results import (
    Agreement,
    CheckRecord,
    ComparedRun,
    JudgeCheck,
    PairResult,
    ResultT,
    answers_hash,
    read_results,
)
from vlmbench.records import Estimate
from vlmbench.report.entries import Entry, Run, TaskRuns
from vlmbench.runs.directory import RunDir
from vlmbench.runs.journal import read_journal


@dataclass(frozen=True, slots=True)
class Judges:
    """All that a page shows of them."""

    rows: list[tuple[Entry, Estimate, JudgeCheck | None]] = field(default_factory=list)
    """A judge's metric on a model's answers; None where its verdicts have not been checked."""
    pairs: list[tuple[Entry, PairResult]] = field(default_factory=list)
    """With the entry of the first model."""
    agreements: list[Agreement] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """What is not shown, a sentence each."""

    def __bool__(self) -> bool:
        return bool(self.rows or self.pairs or self.agreements or self.problems)

    @property
    def consistency(self) -> bool:
        """Whether any judge was asked for several replies."""
        return any(check and check.consistency for _, _, check in self.rows)


def judges_of(task: TaskRuns, entries: Sequence[Entry]) -> Judges:
    """What there is about the judges of a task, for the entries that ran it, in their order."""
    found = Judges()
    runs = [entry.runs[task.name] for entry in entries]
    answers = cache(_answers)  # a journal is read once, and only where there is a result

    def results(run: Run, kind: type[ResultT]) -> list[ResultT]:
        read, problems = read_results(run.directory.path, kind)
        found.problems.extend(problems)
        fresh = []
        for one in read:
            stale = [side for side in one.about.compared if not _is_current(side, runs, answers)]
            if stale:
                found.problems.append(
                    f"A result of 'vlmbench judge' about {stale[0].name} ({one.about.created}) is "
                    "not shown, as the answers have changed since or cannot be read; make it again."
                )
            else:
                fresh.append(one)
        return fresh

    for entry, run in zip(entries, runs, strict=True):
        # By signature too: a judge that was configured differently since is another judge.
        checks = {
            (check.metric, check.signature): check
            for record in results(run, CheckRecord)
            for check in record.checks
        }
        found.rows.extend(
            (entry, one, checks.get((one.metric, one.signature)))
            for one in run.record.estimates
            if one.slice is None and "|judge:" in one.signature
        )
        found.pairs.extend((entry, one) for one in results(run, PairResult))
        found.agreements.extend(results(run, Agreement))
    return found


def _is_current(
    side: ComparedRun, runs: Sequence[Run], answers: Callable[[RunDir], str | None]
) -> bool:
    """Whether the answers have not changed; those of a run that is not here count as such."""
    here = [run for run in runs if (run.record.model, run.record.task) == (side.name, side.task)]
    return not here or any(answers(run.directory) == side.answers for run in here)


def _answers(directory: RunDir) -> str | None:
    """A hash of a run's answers; None if they cannot be read."""
    try:
        return answers_hash(read_journal(directory.journal))
    except JournalError:
        return None
