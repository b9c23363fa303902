"""The report as Markdown, for a pull request comment or a step summary."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from vlmbench.compare.gate.outputs.rows import (
    change,
    headline,
    labels,
    moved_slices,
    number,
    one_line,
    shown_rows,
)
from vlmbench.compare.gate.report import GateReport, GateRow
from vlmbench.text.visible import visible

_LONGEST = 200
"""Characters of a prompt or an answer that are shown."""

_SPECIAL = re.compile(r"[!-/:-@\[-`{-~]")
"""ASCII punctuation: all that Markdown, HTML and mentions of people are made of."""


def markdown_report(report: GateReport) -> str:
    """The report as GitHub's and GitLab's Markdown; texts of others are shown as they are."""
    return "\n".join(_lines(report)) + "\n"


def escaped(text: str) -> str:
    """A text of somebody else as Markdown that shows it and does nothing more."""
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", " ".join(visible(text).split()))


def _lines(report: GateReport) -> Iterator[str]:
    yield f"### vlmbench gate: {report.verdict}"
    yield ""
    yield escaped(headline(report)) + f" (exit code {report.exit_code})"
    yield ""
    yield from _table(shown_rows(report))
    for note in report.notes:
        yield ""
        yield escaped(note)
    if moved := moved_slices(report):
        yield from _folded("Slices that moved (not gated)", [*_table(moved)])
    if report.changes:
        yield from _folded(f"The {len(report.changes)} samples that lost most", [*_changes(report)])


def _table(rows: Sequence[GateRow]) -> Iterator[str]:
    yield "| | before | after | change, 95 % interval | n | verdict |"
    yield "|---|---:|---:|---:|---:|---|"
    for row, label in zip(rows, labels(rows), strict=True):
        verdict, _, rest = row.text.partition(":")
        shown = f"**{verdict}**" if verdict in ("regressed", "incomplete") else verdict
        cells = (
            escaped(label),
            number(row.baseline),
            number(row.value),
            change(row),
            f"{row.n:,}",
            shown + (f":{escaped_reason(rest)}" if rest else ""),
        )
        yield f"| {' | '.join(cells)} |"


def escaped_reason(text: str) -> str:
    """A reason of ours, which may name a task or field of others."""
    return re.sub(r"[|<>&`@*_\[\]\\]", lambda found: f"&#{ord(found[0])};", text)


def _folded(title: str, lines: Sequence[str]) -> Iterator[str]:
    yield ""
    yield f"<details><summary>{title}</summary>"
    yield ""
    yield from lines
    yield ""
    yield "</details>"


def _changes(report: GateReport) -> Iterator[str]:
    yield "| sample | prompt | references | before | after |"
    yield "|---|---|---|---|---|"
    for one in report.changes:
        cells = (
            f"{one.task} {one.id}",
            one_line(one.prompt, _LONGEST),
            one_line(" / ".join(one.references), _LONGEST),
            f"{one_line(one.before, _LONGEST)} ({number(one.scores[0])})",
            f"{one_line(one.after, _LONGEST)} ({number(one.scores[1])})",
        )
        yield f"| {' | '.join(escaped(cell) for cell in cells)} |"
