"""The report for people: a table that fits a terminal of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from rich.cells import cell_len, set_cell_size

from vlmbench.compare.gate.outputs.rows import (
    change,
    headline,
    labels,
    moved_slices,
    number,
    one_line,
    shown_rows,
)
from vlmbench.compare.gate.report import ChangedSample, GateReport, GateRow
from vlmbench.text.visible import visible

WIDTH = 80
_NAME, _NUMBER, _N, _CHANGE = 19, 7, 6, 25


def text_report(report: GateReport) -> str:
    """The report as text, no line wider than 80 columns."""
    return "\n".join(_harmless(line.rstrip()) for line in _lines(report)) + "\n"


def _harmless(line: str) -> str:
    """A line that GitHub takes for no command to the workflow, as `::stop-commands::` would be."""
    shown = visible(line)
    return f"  .{shown}" if shown.lstrip().startswith(("::", "##[")) else shown


def _lines(report: GateReport) -> Iterator[str]:
    yield from _wrapped(headline(report))
    yield ""
    rows = shown_rows(report)
    yield from table_lines(rows)
    for block in (_slice_lines(report), report.notes):
        if block:
            yield ""
        for line in block:
            yield from _wrapped(line)
    if report.changes and any(row.worse for row in rows):
        yield ""
        yield "Samples that lost most:"
        for one in report.changes:
            yield from _change_lines(one)
    yield ""
    yield f"exit code {report.exit_code}"


def table_lines(rows: Sequence[GateRow]) -> Iterator[str]:
    """The rows as a table, and below it what a verdict alone does not say."""
    yield _row("", "before", "after", "n", "change, 95 % interval", "verdict")
    for row, label in zip(rows, labels(rows), strict=True):
        yield from _row_lines(row, label)
    details = [
        f"{label} {row.text}"
        for row, label in zip(rows, labels(rows), strict=True)
        if row.text != row.verdict
    ]
    if details:
        yield ""
    for line in details:
        yield from _wrapped(line)


def _row_lines(row: GateRow, label: str) -> Iterator[str]:
    if cell_len(label) > _NAME:
        yield _cut(label)
        label = ""
    yield _row(
        label,
        number(row.baseline),
        number(row.value),
        f"{row.n:,}" if row.n else "–",
        change(row),
        row.verdict,
    )


def _row(name: str, before: str, after: str, n: str, difference: str, verdict: str) -> str:
    return (
        f"{set_cell_size(name, _NAME)} {before:>{_NUMBER}} {after:>{_NUMBER}} {n:>{_N}} "
        f"{difference:>{_CHANGE}}  {verdict}"
    )


def _slice_lines(report: GateReport) -> list[str]:
    moved = moved_slices(report)
    return ["Slices that moved (not gated):"] * bool(moved) + [
        f"  {label} {change(row)}, n = {row.n:,}"
        for row, label in zip(moved, labels(moved), strict=True)
    ]


def _change_lines(one: ChangedSample) -> Iterator[str]:
    yield _cut(f"  {one.task} {one.id}: {number(one.scores[0])} -> {number(one.scores[1])}")
    yield _cut(f"    asked  {one_line(one.prompt, WIDTH)}")
    yield _cut(f"    wanted {one_line(' | '.join(one.references), WIDTH)}")
    yield _cut(f"    before {one_line(one.before, WIDTH)}")
    yield _cut(f"    after  {one_line(one.after, WIDTH)}")


def _cut(line: str) -> str:
    return line if cell_len(line) <= WIDTH else set_cell_size(line, WIDTH - 1) + "…"


def _wrapped(line: str) -> list[str]:
    """Broken at spaces; what is too wide without any, as Japanese may be, is cut."""
    indent = "  " if not line.startswith(" ") else "    "
    parts = textwrap.wrap(line, WIDTH, subsequent_indent=indent, break_long_words=False)
    return [_cut(part) for part in parts] or [""]
