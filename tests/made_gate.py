"""Runs with known answers for the gate's tests, and baselines of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from made_runs import answered_run, make_task, question

from vlmbench.compare.gate.baseline import make_baseline
from vlmbench.compare.gate.baseline_file import write_baseline
from vlmbench.compare.gate.check import check
from vlmbench.compare.gate.report import GateReport, GateRow
from vlmbench.compare.gate.rules import Rules
from vlmbench.schema import parse


def color_answers(right: int, wrong: int = 0, *, other: str = "青") -> dict[str, str]:
    """Answers to `right` questions and then to `wrong` ones more, by sample id."""
    return {f"q{n}": "赤" if n < right else other for n in range(right + wrong)}


def color_task(folder: Path, count: int, **changes: Any) -> Path:
    """A task of so many questions, whose right answer is 赤."""
    return make_task(folder, [question(number) for number in range(count)], **changes)


def rules(**values: Any) -> Rules:
    """Rules as a YAML file has them."""
    return parse(Rules, values, location="gate.yaml")


def save(runs: Sequence[Path], file: Path, **options: Any) -> Path:
    """A baseline in a file."""
    write_baseline(make_baseline(runs, **options), file)
    return file


def gate(
    folder: Path,
    task: Path,
    old: Mapping[str, str],
    new: Mapping[str, str],
    **values: Any,
) -> GateReport:
    """The gate of a run with the new answers against a baseline with the old ones."""
    folder /= f"gate-{sum(1 for _ in folder.glob('gate-*'))}"
    folder.mkdir(parents=True)
    before = answered_run(task, folder / "old", "old", old)
    after = answered_run(task, folder / "new", "new", new)
    return check([after], save([before], folder / "b.json"), rules=rules(**values))


def task_row(report: GateReport) -> GateRow:
    """The row of the only headline metric of the only task."""
    (row,) = (one for one in report.rows if one.kind == "task")
    return row
