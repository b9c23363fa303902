"""Judges: how another model is asked about answers, and whether it can be trusted."""
