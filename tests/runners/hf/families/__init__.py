"""Tiny models with random weights, each of a real family's architecture and processor."""
