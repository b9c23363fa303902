"""The runs that a report is made of, and those that cannot be read and are left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from vlmbench.errors import JournalError, UsageError
from vlmbench.records import SampleScores
from vlmbench.report.entries import Run
from vlmbench.runs.directory import RunDir, find_runs


class LeftOut(NamedTuple):
    """A run that is on no page."""

    run: str
    """Model and task, as its directories are called."""
    reason: str
    """A sentence: what is wrong, and what to do."""


@dataclass(frozen=True, slots=True)
class FoundRuns:
    """What lies below some directories."""

    plain: tuple[Run, ...]
    """In the order of their paths."""
    runs: tuple[Run, ...]
    """These and those of variants, in the order of their paths."""
    variants: Mapping[RunDir, Mapping[str, Run]]
    """The variants of each plain run by their labels."""
    left_out: tuple[LeftOut, ...]


def read_runs(roots: Sequence[Path]) -> FoundRuns:
    """The runs below some directories; one that goes on, was killed or is damaged is left out.

    Raises:
        UsageError: No run can be read, or a directory does not exist.
    """
    runs: list[Run] = []
    left_out: list[LeftOut] = []
    for directory in find_runs(roots):
        try:
            runs.append(Run(directory, directory.read_record(slices=False)))
            if not directory.scores.is_file():
                raise JournalError(_no_scores(directory))
        except JournalError as error:
            runs = [run for run in runs if run.directory != directory]
            left_out.append(left_out_run(directory, error))
    plain = [run for run in runs if run.record.variant is None]
    if not plain:
        raise UsageError(_nothing(runs, left_out))
    return FoundRuns(tuple(plain), tuple(runs), _variants(runs), tuple(left_out))


def left_out_run(directory: RunDir, error: JournalError) -> LeftOut:
    """A run that is left out because of an error."""
    name = f"{directory.path.parent.name}/{directory.path.name}"
    if not directory.record.exists():
        return LeftOut(
            name,
            "it has not finished; it goes on, or was stopped before its scores were written: "
            "'vlmbench score' makes them from the answers so far",
        )
    # The place is named already, and a page is to hold no path of this machine.
    return LeftOut(name, str(error).replace(str(directory.path), name))


def read_scores(run: Run) -> list[SampleScores]:
    """A run's sample scores, all of them.

    Raises:
        JournalError: The file is missing, damaged or shorter than the record says.
    """
    rows = run.directory.read_scores()
    coverage = run.record.coverage
    expected = coverage.answered + sum(coverage.errors.values())
    if len(rows) < expected:
        raise JournalError(
            f"{run.directory.scores} has {len(rows)} samples where run.json says {expected}; "
            f"derive it again with 'vlmbench score {run.directory.path}'."
        )
    return rows


def _variants(runs: Sequence[Run]) -> dict[RunDir, dict[str, Run]]:
    """Each plain run with its variants by label, those of one place and task."""
    plain = {
        (run.directory.path.parent.resolve(), run.record.task): run.directory
        for run in runs
        if run.record.variant is None
    }
    found: dict[RunDir, dict[str, Run]] = {directory: {} for directory in plain.values()}
    for run in runs:
        if run.record.variant is None:
            continue
        place = run.directory.path.parent.resolve(), run.record.task
        if place in plain:
            found[plain[place]][run.record.variant] = run
    return found


def _no_scores(directory: RunDir) -> str:
    return f"{directory.scores} is missing; derive it again with 'vlmbench score {directory.path}'."


def _nothing(runs: Sequence[Run], left_out: Sequence[LeftOut]) -> str:
    if runs:
        return (
            f"{runs[0].directory.path} is a run of a variant ({runs[0].record.variant}), and the "
            "run of the task itself is not there; give the directory of both."
        )
    return f"No run can be read: {left_out[0].run}: {left_out[0].reason}"
