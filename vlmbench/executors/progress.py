"""How far a stream of responses is."""

from __future__ import annotations

from collections.abc import Callable

from vlmbench.records import Response

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
