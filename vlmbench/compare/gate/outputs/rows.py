"""Which rows of a report a person sees, and how their numbers are written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from vlmbench.compare.gate.report import GateReport, GateRow
from vlmbench.stats import holm
from vlmbench.text.visible import visible

MOST_SLICES = 10
"""Slices that are shown though they are not gated."""


_LONGEST_SLICE = 60


def shown_rows(report: GateReport) -> list[GateRow]:
    """Tasks and all tasks together, gated slices and resources, and shares that went wrong."""
    return [
        row
        for row in report.rows
        if row.kind in ("task", "pooled")
        or (row.gated and row.kind in ("slice", "resource"))
        or (row.kind == "share" and (row.verdict == "regressed" or row.worse))
    ]


def moved_slices(report: GateReport) -> list[GateRow]:
    """Slices that are not gated and differ beyond chance, looked at all at once; worst first."""
    slices = [
        row
        for row in report.rows
        if row.kind == "slice" and not row.gated and row.p_value is not None
    ]
    adjusted = holm([row.p_value or 0.0 for row in slices])
    moved = [
        row
        for row, p in zip(slices, adjusted, strict=True)
        if p <= 1 - report.level and row.verdict != "unchanged"
    ]
    return sorted(moved, key=lambda row: row.p_value or 0.0)[:MOST_SLICES]


def labels(rows: Sequence[GateRow]) -> list[str]:
    """What each row is about; a task's only headline metric need not be named."""
    count = Counter(row.task for row in rows if row.kind == "task")
    return [_label(row, alone=count[row.task] == 1) for row in rows]


def _label(row: GateRow, *, alone: bool) -> str:
    if row.kind == "pooled":
        return row.task
    parts = [row.task]
    if row.kind in ("share", "resource") or not alone:
        parts.append(row.metric)
    if row.slice:
        parts.append(one_line(row.slice, _LONGEST_SLICE))
    return " ".join(parts)


def number(value: float | None, *, signed: bool = False) -> str:
    """Three decimals, less of them where the number is large; a dash for None."""
    if value is None:
        return "–"
    digits = 3 if abs(value) < 100 else 1
    return f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"


def change(row: GateRow) -> str:
    """Such as "-0.030 [-0.063, +0.003]"."""
    if row.difference is None:
        return "–"
    text = number(row.difference, signed=True)
    if row.low is None or row.high is None:
        return text
    return f"{text} [{number(row.low, signed=True)}, {number(row.high, signed=True)}]"


def headline(report: GateReport) -> str:
    """The verdict in a sentence."""
    return f"{report.model} against {report.baseline_model}: {report.verdict}"


def one_line(text: str | None, length: int) -> str:
    """A text of somebody else on one line, cut with an ellipsis, control characters written out; or
    what stands for no answer."""
    if text is None:
        return "(no answer)"
    flat = visible(" ".join(text.split()))
    if not flat:
        return "(empty)"
    return flat if len(flat) <= length else flat[: length - 1] + "…"
