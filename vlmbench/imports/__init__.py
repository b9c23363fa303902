"""Answers that other harnesses have on file, as runs: read, matched to samples, journaled."""
