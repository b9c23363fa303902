"""Samples as a journal keeps them, where a test is about nothing but their texts."""

from __future__ import annotations

from collections.abc import Sequence

from vlmbench.records import JournalSample, Scalar


def journal_sample(
    *references: str, index: int = 0, choices: Sequence[str] = (), **meta: Scalar
) -> JournalSample:
    """A question without images."""
    return JournalSample(index, ("何？",), (), references, tuple(choices), meta, f"c{index}")
