"""Where a reproduced scorer would end its run with an exception."""

from __future__ import annotations

from vlmbench.records import MetricScore

RAISED = (AttributeError, OverflowError, RecursionError, TypeError, ValueError)
"""What the reproduced scorers let escape on a bad answer."""


def unscored(problem: Exception) -> MetricScore:
    """The score of an answer on which the original raises."""
    return MetricScore(unscored=f"the original raises {type(problem).__name__}: {problem}"[:200])
