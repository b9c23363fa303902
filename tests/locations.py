"""Where the checkout and the reference values beside it are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
"""The checkout."""
REFERENCE = ROOT.parent / "shared" / "reference"
"""Reference values that are not part of it; tests that need them are skipped where it is absent."""
GOLD = REFERENCE / "gold"
CASES = REFERENCE / "cases"
"""Inputs that once came out wrong, one folder each, and answers with a reader's verdict."""
