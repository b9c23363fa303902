"""How far a stream of responses is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vlmbench.records import Response

if TYPE_CHECKING:
    from rich.progress import Task
    from rich.text import Text

Progress = Callable[[int, int, int], None]
"""Called with the number of samples done, in all, and of errors in this call: first when the model
is loaded, then after each response."""


class ProgressCounter:
    """Counts for a progress bar. Skipped samples are counted in another thread than answers."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._total, self._progress = total, progress
        self._skipped = self._answered = self.errors = 0

    def show_start(self) -> None:
        """Show what is done before the first answer comes: the model is loaded."""
        self._progress(self._skipped, self._total, 0)

    def count_skipped(self) -> None:
        """Count a sample that was answered in an earlier call."""
        self._skipped += 1

    def count_answered(self, response: Response) -> None:
        """Count a sample that was answered, or failed, now."""
        self._answered += 1
        self.errors += response.error is not None
        self._progress(self._skipped + self._answered, self._total, self.errors)


@contextmanager
def progress_bar(label: str, *, quiet: bool) -> Iterator[Progress]:
    """A bar on stderr with samples a second and the remaining time."""
    if quiet:
        yield lambda done, total, errors: None
        return
    from rich import progress as widgets
    from rich.console import Console
    from rich.table import Column
    from rich.text import Text

    class Speed(widgets.ProgressColumn):
        """Samples a second."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(
                f"{speed:.1f} samples/s" if speed else "loading" if not task.completed else ""
            )

    with widgets.Progress(
        widgets.TextColumn("{task.description}", markup=False),
        widgets.BarColumn(bar_width=24),
        widgets.MofNCompleteColumn(),
        Speed(table_column=Column(no_wrap=True, min_width=16)),
        widgets.TimeRemainingColumn(compact=True),
        widgets.TextColumn("{task.fields[errors]}", markup=False),
        console=Console(stderr=True),
    ) as bars:
        bar = bars.add_task(label, total=None, errors="")
        started = False

        def advance(done: int, total: int, errors: int) -> None:
            nonlocal started
            if not started:
                # What an earlier call answered and the loading do not count as speed.
                bars.reset(bar, total=total, completed=done)
                started = True
            bars.update(bar, completed=done, errors=f"{errors} errors" if errors else "")

        # A bar that never moved, or that an error ends, does not stay on the screen.
        bars.live.transient = True
        yield advance
        bars.live.transient = not started
