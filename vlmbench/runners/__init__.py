"""Runners: what turns requests into responses."""
