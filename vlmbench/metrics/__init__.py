"""Metrics: pure functions from an answer and its references to an additive vector."""
