"""Counting what answers share with references, many at a time."""
