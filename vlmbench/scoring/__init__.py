"""From answers to estimates: scores, bootstrap intervals, groups of tasks."""
