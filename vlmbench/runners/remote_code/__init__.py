"""Models that bring their own Python code."""
