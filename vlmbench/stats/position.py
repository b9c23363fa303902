"""Is one place among a question's options chosen for being that place?

Each question is asked once with each of its options in front. If places do not matter, it does not
matter either in which of these rotations an option was chosen, so the choices of a question may be
exchanged among its rotations. Exchanging them at random many times shows how often each place is
chosen then; a place is biased if its count is rarer than that, for the most extreme of all places
(so 5 % holds for all of them together, at any number of questions).

Sources: E. J. G. Pitman, Significance tests which may be applied to samples from any populations,
Supplement to JRSS 4 (1937); P. H. Westfall and S. S. Young, Resampling-Based Multiple Testing
(1993), for the largest of several statistics.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vlmbench.stats.values import Floats

UNREAD = -1
_CELLS = 1 << 20
"""Choices that are exchanged at a time."""


def position_p_values(
    chosen: Sequence[Sequence[int]], *, exchanges: int = 1999, seed: int = 0
) -> list[float]:
    """A p-value for each place, of all places together.

    Args:
        chosen: For each question the option chosen in each rotation, by its number without
            rotation, or UNREAD; rotation r has the options moved r places to the front, so that
            option o stands at place (o - r) modulo their number.
        seed: Of the exchanges; the order of the questions does not matter.
    """
    tables = _by_length(chosen)
    places = max(tables)
    seen = sum((_counts(table[None], places)[0] for table in tables.values()), np.zeros(places))
    draws = np.zeros((exchanges, places))
    random = np.random.Generator(np.random.PCG64(seed))
    for table in tables.values():
        at_once = max(1, _CELLS // table.size)
        for start in range(0, exchanges, at_once):
            some = min(at_once, exchanges - start)
            order = random.random((some, *table.shape)).argsort(axis=-1)
            exchanged = np.take_along_axis(np.broadcast_to(table, order.shape), order, axis=-1)
            draws[start : start + some] += _counts(exchanged, places)
    center, spread = draws.mean(axis=0), draws.std(axis=0)
    spread = np.where(spread > 0, spread, np.inf)
    largest = (np.abs(draws - center) / spread).max(axis=1)
    distance = np.abs(seen - center) / spread
    beyond = (largest[:, None] >= distance - 1e-9).sum(axis=0)
    return [float(p) for p in (beyond + 1) / (exchanges + 1)]


def _by_length(chosen: Sequence[Sequence[int]]) -> dict[int, NDArray[np.int64]]:
    found: dict[int, list[tuple[int, ...]]] = {}
    for options in chosen:
        found.setdefault(len(options), []).append(tuple(options))
    return {count: np.array(sorted(rows)) for count, rows in sorted(found.items())}


def _counts(options: NDArray[np.int64], places: int) -> Floats:
    """How often each place is chosen: (draws, questions, rotations) -> (draws, places)."""
    count = options.shape[-1]
    at = np.where(options == UNREAD, places, (options - np.arange(count)) % count)
    rows = np.arange(len(at))[:, None, None] * (places + 1)
    counts = np.bincount((at + rows).ravel(), minlength=len(at) * (places + 1))
    return counts.reshape(len(at), places + 1)[:, :places].astype(np.float64)
