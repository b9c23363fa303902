"""What a user sees while a report is built."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from vlmbench.report.html import Progress, Report


@contextmanager
def build_progress() -> Iterator[Progress | None]:
    """A progress bar over tasks, where stderr is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bar(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("")

        def advance(done: int, total: int, name: str) -> None:
            bar.update(task, completed=done, total=total, description=name)

        yield advance


def print_left_out(report: Report) -> None:
    """Names the runs that are on no page, on stderr."""
    for one in report.left_out:
        print(f"Left out: {one.run}: {one.reason}", file=sys.stderr)
