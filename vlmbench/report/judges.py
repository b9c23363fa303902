"""What a task's page says of its judges: their numbers, and whether they can be trusted.

Values, unscored answers and bounds come from the run record; the rest from the results that
`vlmbench judge` has written beside it. A result about other answers than those that lie there now
is not shown, and said to be so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vlmbench.errors import JournalError
from vlmbench.judges.results import (
    Agreement,
    CheckRecord,
    ComparedRun,
    JudgeCheck,
    Kind,
    PairResult,
    Provenance,
    answers_hash,
    read_results,
)
from vlmbench.records import Estimate
from vlmbench.report.tables import Entry, Run, TaskRuns
from vlmbench.runs.journal import read_journal

NO_PREFERENCE = 0.5


@dataclass(frozen=True, slots=True)
class JudgedRow:
    """One judge's metric on one model's answers."""

    entry: Entry
    estimate: Estimate
    check: JudgeCheck | None
    """None where nobody has looked at these verdicts."""


@dataclass(frozen=True, slots=True)
class PairRow:
    """One comparison of two models."""

    entry: Entry
    """The first."""
    result: PairResult

    @property
    def biased(self) -> bool:
        """Whether the place of an answer moves this judge, as far as the interval tells."""
        shown = self.result.first_shown
        return shown is not None and not shown.low <= NO_PREFERENCE <= shown.high


@dataclass(frozen=True, slots=True)
class AgreementRow:
    """One comparison of labels."""

    first: str
    second: str
    result: Agreement


@dataclass(frozen=True, slots=True)
class Judges:
    """All that a page shows of them."""

    rows: tuple[JudgedRow, ...]
    pairs: tuple[PairRow, ...]
    agreements: tuple[AgreementRow, ...]
    problems: tuple[str, ...]
    """What is not shown, a sentence each."""

    def __bool__(self) -> bool:
        return bool(self.rows or self.pairs or self.agreements or self.problems)

    @property
    def consistency(self) -> bool:
        """Whether any judge was asked for several replies."""
        return any(row.check and row.check.consistency for row in self.rows)


def judges_of(task: TaskRuns, entries: Sequence[Entry]) -> Judges:
    """What there is about the judges of a task.

    Args:
        task: The runs.
        entries: The rows that ran it, in their order.
    """
    rows: list[JudgedRow] = []
    pairs: list[PairRow] = []
    agreements: list[AgreementRow] = []
    read = _Reader(tuple(entry.runs[task.name] for entry in entries))
    for entry in entries:
        run = entry.runs[task.name]
        checks = {check.metric: check for one in read(run, CheckRecord) for check in one.checks}
        rows += [JudgedRow(entry, one, _check_of(one, checks)) for one in _judged(run)]
        pairs += [PairRow(entry, one) for one in read(run, PairResult)]
        for agreement in read(run, Agreement):
            first, second = map(_side_name, agreement.about.compared)
            agreements.append(AgreementRow(first, second, agreement))
    return Judges(tuple(rows), tuple(pairs), tuple(agreements), tuple(read.problems))


class _Reader:
    """Reads the results in a run's directory that are about answers as they are now.

    Args:
        runs: All of the task, to which results may refer.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        self.problems: list[str] = []
        self._runs = runs
        self._hashes: dict[Path, str] = {}

    def __call__(self, run: Run, kind: type[Kind]) -> list[Kind]:
        found, problems = read_results(run.directory.path, kind)
        self.problems += problems
        return [one for one in found if self._is_fresh(one.about)]

    def _is_fresh(self, about: Provenance) -> bool:
        stale = [side for side in about.compared if not self._is_as_it_was(side)]
        if stale:
            self.problems.append(
                f"A result of 'vlmbench judge' about {stale[0].name} ({about.created}) is not "
                "shown, as the answers have changed since or cannot be read; make it again."
            )
        return not stale

    def _is_as_it_was(self, side: ComparedRun) -> bool:
        """Whether the answers have not changed; those of a run that is not here count as such."""
        there = [
            one
            for one in self._runs
            if (one.record.model, one.record.task) == (side.name, side.task)
        ]
        return not there or any(self._hash(one) == side.answers for one in there)

    def _hash(self, run: Run) -> str:
        path = run.directory.journal
        if path not in self._hashes:
            try:
                self._hashes[path] = answers_hash(read_journal(path))
            except JournalError:
                self._hashes[path] = ""
        return self._hashes[path]


def _judged(run: Run) -> list[Estimate]:
    """The estimates over the whole task that a judge gave."""
    whole = [one for one in run.record.estimates if one.slice is None]
    return [one for one in whole if "|judge:" in one.signature]


def _check_of(estimate: Estimate, checks: Mapping[str, JudgeCheck]) -> JudgeCheck | None:
    """What is known of an estimate's verdicts, unless the judge was asked otherwise since."""
    check = checks.get(estimate.metric)
    return check if check is not None and check.signature == estimate.signature else None


def _side_name(side: ComparedRun) -> str:
    return f"{side.name} · {side.metric}" if side.metric else side.name
