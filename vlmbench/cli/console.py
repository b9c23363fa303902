"""What the commands print: a progress bar on stderr, tables or one JSON document on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vlmbench.scoring.aggregate import DIAGNOSTICS

if TYPE_CHECKING:
    from rich.console import Console

    from vlmbench.compare.gate import GateReport
    from vlmbench.compare.published import Comparison, Mismatch
    from vlmbench.records import Estimate, RunRecord
    from vlmbench.scoring.groups import GroupScore


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    print(json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True))


def print_table(
    columns: Mapping[str, str], rows: Sequence[Sequence[str]], *, title: str = ""
) -> None:
    """A table on stdout, whose texts are printed as they are.

    Args:
        columns: Heading -> "left" or "right".
        rows: The cells.
        title: Above the table.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left")
    for heading, side in columns.items():
        table.add_column(heading, justify="right" if side == "right" else "left", overflow="fold")
    for row in rows:
        # Text, not str: names and answers may hold what rich would take for its markup.
        table.add_row(*(Text(cell) for cell in row))
    _stdout().print(table)


def print_records(records: Sequence[RunRecord]) -> None:
    """The overall estimates: model, task, metric, value, interval, n, errors.

    What `print_answers` prints is left out.
    """
    rows = [
        [
            record.model,
            record.title,
            estimate.metric + (" *" if estimate.headline else ""),
            _number(estimate.value),
            _interval(estimate),
            str(estimate.n),
            str(sum(record.coverage.errors.values())),
        ]
        for record in records
        for estimate in record.estimates
        if estimate.slice is None and (estimate.headline or estimate.metric not in DIAGNOSTICS)
    ]
    columns = dict.fromkeys(("model", "task", "metric"), "left")
    print_table(columns | dict.fromkeys(("value", "95 % interval", "n", "errors"), "right"), rows)
    print("* headline metric: on the leaderboard, and compared by the gate")


def print_groups(groups: Sequence[GroupScore]) -> None:
    """The score of each group that was run as a whole, with its parts; nothing without one."""
    if not groups:
        return
    rows = []
    for group in groups:
        interval = f"[{_number(group.low)}, {_number(group.high)}]"
        rows.append([group.model, group.group, "", _number(group.value), interval, group.reason])
        rows += [["", "", task, _number(value), "", ""] for task, value in group.parts.items()]
    columns = dict.fromkeys(("model", "group", "task"), "left")
    numbers = dict.fromkeys(("value", "95 % interval"), "right")
    title = "Groups: 0 is chance, 1 the best possible; plain mean over tasks"
    print_table(columns | numbers | {"note": "left"}, rows, title=title)


def print_published(comparisons: Sequence[Comparison], mismatches: Sequence[Mismatch]) -> None:
    """Ours beside published scores, then what cannot be put beside ours and why."""
    columns = {"": "left", "model": "left", "value": "right", "source": "left"}
    for one in comparisons:
        rows = [[">" if r.ours else "", r.model, _number(r.value), r.source] for r in one.rows]
        print_table(columns, rows, title=f"{one.task}: {one.metric} ({one.harness} {one.name})")
        for caveat in one.caveats:
            print(f"Mind: {caveat.text}.")
    if mismatches:
        keys = dict.fromkeys(("task", "harness", "metric"), "left")
        rows = [
            [one.task, one.harness, one.name, str(one.models), one.reason, one.source]
            for one in mismatches
        ]
        title = "Published, but not comparable"
        other = {"models": "right", "what differs": "left", "source": "left"}
        print_table(keys | other, rows, title=title)
    if not comparisons and not mismatches:
        print("No published scores of these tasks ship with vlmbench.")


def print_gate(report: GateReport) -> None:
    """A verdict for each headline metric."""
    rows = [
        [
            row.task,
            row.metric,
            _number(row.baseline),
            _number(row.value),
            _number(row.difference, signed=True),
            f"[{_number(row.low, signed=True)}, {_number(row.high, signed=True)}]",
            str(row.n),
            row.verdict + (f": {row.reason}" if row.reason else ""),
        ]
        for row in report.rows
    ]
    numbers = ("baseline", "run", "difference", "95 % interval", "n")
    columns = {"task": "left", "metric": "left", **dict.fromkeys(numbers, "right")}
    title = f"{report.model} against {report.baseline_model}, margin {report.margin:g}"
    print_table(columns | {"verdict": "left"}, rows, title=title)
    if report.ungated:
        print(f"Not in the baseline: {', '.join(report.ungated)}.")


def _number(value: float | None, *, signed: bool = False) -> str:
    if value is None:
        return "–"
    return f"{value:+.3f}" if signed else f"{value:.3f}"


def _interval(estimate: Estimate) -> str:
    text = f"[{_number(estimate.low)}, {_number(estimate.high)}]"
    if estimate.bounds is not None:
        low, high = estimate.bounds
        why = f"{estimate.unscored} unscored" if "|judge:" in estimate.signature else "incomplete"
        text += f" {why}: {_number(low)} to {_number(high)} possible"
    return text


def _stdout() -> Console:
    from rich.console import Console

    # Without a terminal there is no width to respect: lines stay whole for grep and logs.
    return Console() if sys.stdout.isatty() else Console(width=200)
