"""The rows of the parity report, and their table in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from parity.checks import Check, Disagreement, ParityRow
from parity.gold import read_gold
from parity.own import own_checks
from parity.table import LEFT_OUT, compat_checks
from vlmbench.errors import VlmbenchError

_SHOWN = 3
"""Disagreements that a row of the table names."""


def parity_rows(gold: Path) -> list[ParityRow]:
    """A row for each check that the gold files have a run for, then the runs left out.

    First the forms named after a harness, then our own.

    Args:
        gold: The folder with the gold files.

    Raises:
        DataError: A gold file is missing or cannot be read.
    """
    checks = [*compat_checks(), *own_checks()]
    rows = [row for check in checks if (row := _row(check, gold)) is not None]
    return rows + [
        ParityRow("", "", run, 0, 0, 0, 0, missing=reason) for run, reason in LEFT_OUT.items()
    ]


def markdown(rows: Iterable[ParityRow]) -> str:
    """The table: a line a row, with the first disagreements."""
    lines = [
        "| metric | compared with | gold file: run | items | aggregates | exceptions |",
        "|---|---|---|---|---|---|",
    ]
    lines += ["| " + " | ".join(map(_cell, _cells(row))) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _row(check: Check, gold: Path) -> ParityRow | None:
    read_gold(gold, check.file)  # a missing file ends the report, a metric's problem only its row
    try:
        return check.row(gold)
    except VlmbenchError as problem:
        run = f"{check.file}: {check.run}"
        return ParityRow(check.label, "", run, 0, 0, 0, 0, missing=str(problem))


def _cells(row: ParityRow) -> Iterator[str]:
    yield f"`{row.metric}`" if row.metric else ""
    yield row.against
    yield row.run
    yield f"{row.agreeing} of {row.items}" if row.items else ""
    yield f"{row.aggregates_agreeing} of {row.aggregates}" if row.aggregates else ""
    yield row.missing or _listed(row.exceptions)


def _listed(exceptions: Sequence[Disagreement]) -> str:
    more = len(exceptions) - _SHOWN
    return "; ".join(map(str, exceptions[:_SHOWN])) + (f"; {more} more" if more > 0 else "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
