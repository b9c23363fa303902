"""From answers to estimates: scores, intervals, groups of tasks."""
