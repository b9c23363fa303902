"""Models that transformers loads."""
