"""From counts of what texts share to BLEU, chrF and ROUGE."""

from __future__ import annotations

import numpy as np

from vlmbench.metrics.ngrams.comparison import TextComparison
from vlmbench.metrics.ngrams.encoding import Integers
from vlmbench.stats import Floats

BLEU_ORDER = 4
_CHRF_BETA = 2


def f_measures(common: Integers, sizes: Integers, *, beta: float = 1.0) -> Floats:
    """F of what answers have in common with their references; 1 for two empty texts.

    Args:
        common: (samples, references).
        sizes: Of the answer and of each reference, -1 for one that is missing and gets -1.
        beta: Weight of recall against precision.
    """
    ours, theirs = sizes[:, :1], sizes[:, 1:]
    precision, recall = common / np.maximum(ours, 1), common / np.maximum(theirs, 1)
    weighed = np.where(common > 0, recall + beta**2 * precision, 1.0)
    empty = ((ours == 0) & (theirs == 0)).astype(np.float64)
    scores = np.where(common > 0, (1 + beta**2) * precision * recall / weighed, empty)
    return np.where(theirs < 0, -1.0, scores)


def bleu_counts(compared: TextComparison) -> Floats:
    """Matches and totals of each order, then the lengths of answer and closest reference."""
    ours, theirs = compared.lengths[:, :1], compared.lengths[:, 1:]
    # Of two equally close lengths the shorter one: twice the distance, plus one for the longer.
    distance = np.where(
        theirs < 0, np.iinfo(np.int64).max, 2 * abs(theirs - ours) + (theirs > ours)
    )
    closest = np.take_along_axis(theirs, distance.argmin(axis=1)[:, None], axis=1)
    totals = np.maximum(ours - np.arange(BLEU_ORDER), 0)
    matches = compared.matches_with_any[:, :BLEU_ORDER]
    return np.concatenate([matches, totals, ours, closest], axis=1).astype(np.float64)


def bleu_score(
    totals: Floats, *, effective_order: bool, orders: int = BLEU_ORDER, smooth: bool = True
) -> Floats:
    """BLEU of summed `bleu_counts`, of shape (..., 10).

    Args:
        effective_order: Leave out the orders that no answer is long enough for; otherwise they
            make the value 0. Also makes 1 of empty answers to empty references.
        smooth: Halve a match for each order without one, instead of making the value 0.
    """
    matches, possible = totals[..., :orders], totals[..., BLEU_ORDER : BLEU_ORDER + orders]
    length, closest = totals[..., -2], totals[..., -1]
    present = possible > 0
    unmatched = (matches == 0) & present
    smoothed = np.where(unmatched, 0.5 ** np.cumsum(unmatched, axis=-1), matches)
    precisions = np.where(present, smoothed, 1.0) / np.maximum(possible, 1.0)
    used = np.maximum(present.sum(axis=-1), 1) if effective_order else orders
    penalty = np.exp(np.minimum(0.0, 1 - closest / np.maximum(length, 1.0)))
    scores = penalty * np.exp(np.log(precisions).sum(axis=-1) / used)
    scorable = (matches > 0).any(axis=-1) if smooth else ~unmatched.any(axis=-1) & (length > 0)
    if not effective_order:
        return np.where(scorable & present.all(axis=-1), scores, 0.0)
    nothing = ((length == 0) & (closest == 0)).astype(np.float64)
    value: Floats = np.where(scorable, scores, nothing)
    return value


def chrf_score(totals: Floats) -> Floats:
    """chrF2 of summed counts of answer, reference and both, order by order: (..., 3 * orders)."""
    ours, theirs, both = totals[..., 0::3], totals[..., 1::3], totals[..., 2::3]
    present = (ours > 0) & (theirs > 0)
    orders = np.maximum(present.sum(axis=-1), 1)
    precision = np.where(present, both / np.maximum(ours, 1.0), 0.0).sum(axis=-1) / orders
    recall = np.where(present, both / np.maximum(theirs, 1.0), 0.0).sum(axis=-1) / orders
    weight = _CHRF_BETA**2
    denominator = weight * precision + recall
    product = (1 + weight) * precision * recall
    nothing = (totals == 0).all(axis=-1).astype(np.float64)
    score: Floats = np.where(
        denominator > 0, product / np.where(denominator > 0, denominator, 1.0), nothing
    )
    return score


def chrf_rows(compared: TextComparison, orders: int) -> Floats:
    """For each answer and reference: n-grams of the answer, the reference and both, by order.

    An order that the reference is too short for cannot count against the answer, unless the
    reference is empty. A missing reference has -1.

    Returns:
        (samples, references, 3 * orders)
    """
    samples, width = compared.lengths.shape
    rows = np.empty((samples, width - 1, orders, 3))
    theirs = compared.lengths[:, 1:, None]
    shortened = np.arange(orders)
    rows[..., 1] = np.maximum(theirs - shortened, 0)
    ours = np.maximum(compared.lengths[:, :1, None] - shortened, 0)
    rows[..., 0] = np.where((rows[..., 1] > 0) | (theirs == 0), ours, 0)
    rows[..., 2] = compared.matches[:, :orders].transpose(0, 2, 1)
    rows[compared.lengths[:, 1:] < 0] = -1
    return rows.reshape(samples, width - 1, 3 * orders)


def best_chrf(rows: Floats) -> Floats:
    """Of what `chrf_rows` gives, the row of the reference with the highest score."""
    if rows.shape[1] == 1:
        return rows[:, 0]
    scores = np.where(rows[:, :, 0] < 0, -1.0, chrf_score(np.maximum(rows, 0)))
    best = scores.argmax(axis=1)
    # Of several that are as good, such as when the answer shares nothing with any, the smallest
    # counts: otherwise the order of references would decide on a corpus's counts.
    tied = scores == scores.max(axis=1, keepdims=True)
    for row in np.flatnonzero(tied.sum(axis=1) > 1).tolist():
        columns = np.flatnonzero(tied[row]).tolist()
        best[row] = min(columns, key=lambda column: rows[row, column].tolist())
    chosen: Floats = np.take_along_axis(rows, best[:, None, None], axis=1)[:, 0]
    return chosen


def rouge_n(compared: TextComparison, order: int) -> Floats:
    """The best F over the references."""
    sizes = compared.totals(order)
    scores: Floats = f_measures(compared.matches[:, order - 1], sizes).max(axis=1)
    # A text too short for the order shares nothing, but it may be the same as a reference.
    for row in np.flatnonzero(sizes[:, 0] == 0).tolist():
        answer, *references = compared.strings[row]
        scores[row] = float(answer in references)
    return scores
