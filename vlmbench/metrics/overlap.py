"""Metrics that measure how much of its references an open answer shares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from vlmbench.metrics.base import Answer, Range, metric
from vlmbench.stats import Floats
from vlmbench.text.japanese import normalise, tokenise
from vlmbench.text.sequences import common_subsequence_length, ngram_counts

BLEU_ORDER = 4
CHRF_ORDER = 6
CHRF_BETA = 2


@metric(
    bounds=(0, 1),
    compares="tokens",
    source="C.-Y. Lin, ROUGE, 2004; F-measure and choice of reference as in rouge_score",
)
def rouge_l(answer: Answer, *, beta: Annotated[float, Range(0.01, 100)] = 1.0) -> float:
    """Mean F-measure of the longest common subsequence of words, from 0 to 1, higher is better.

    Precision is the subsequence's share of the answer's words, recall that of the reference's.
    With several references the one with the highest F counts. An answer or reference without
    words scores 0, and 1 if both are without.

    Args:
        beta: Weight of recall against precision; 1 weighs both the same.
    """
    words = tokenise(answer.prediction)
    return max(
        subsequence_f(words, tokenise(reference), beta=beta) for reference in answer.references
    )


@metric(
    bounds=(0, 1),
    compares="tokens",
    source="Papineni et al., BLEU, 2002; equal to sacrebleu (smoothing exp) on the same words",
    size=2 * BLEU_ORDER + 2,
    combine=lambda totals, n: bleu_score(totals),
)
def bleu(answer: Answer) -> tuple[float, ...]:
    """Corpus BLEU of word n-grams of order 1 to 4, from 0 to 1, higher is better.

    The geometric mean of the n-gram precisions over the whole task, times the brevity penalty.
    An n-gram counts as often as in the reference that has it most often; the reference closest
    in length sets the penalty, the shorter of two equally close. Orders without a match are
    smoothed (1/2, 1/4, ... of a match); a task in which no answer has four words scores 0.
    """
    return bleu_counts(
        tokenise(answer.prediction), [tokenise(reference) for reference in answer.references]
    )


@metric(
    bounds=(0, 1),
    compares="characters",
    source="M. Popović, chrF, 2015; equal to sacrebleu's chrF2 on the same characters",
    size=3 * CHRF_ORDER,
    combine=lambda totals, n: chrf_score(totals),
)
def chrf(answer: Answer) -> tuple[float, ...]:
    """Corpus chrF2 of character n-grams of order 1 to 6, from 0 to 1, higher is better.

    Precisions and recalls over the whole task are averaged over the orders, and recall weighs
    four times as much as precision. White space does not count. With several references the one
    with the highest score counts.
    """
    return chrf_counts(
        _characters(answer.prediction), [_characters(text) for text in answer.references]
    )


def subsequence_f(words: Sequence[str], reference: Sequence[str], *, beta: float) -> float:
    """ROUGE-L's F of two word sequences."""
    if not words or not reference:
        return float(not words and not reference)
    common = common_subsequence_length(words, reference)
    precision, recall = common / len(words), common / len(reference)
    if not common:
        return 0.0
    return (1 + beta**2) * precision * recall / (recall + beta**2 * precision)


def bleu_counts(words: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[float, ...]:
    """Matches and totals of each order, then the lengths of answer and closest reference."""
    matches, totals = [], []
    for order in range(1, BLEU_ORDER + 1):
        counts = ngram_counts(words, order)
        in_references = [ngram_counts(reference, order) for reference in references]
        matches.append(
            sum(
                min(count, max(reference.get(ngram, 0) for reference in in_references))
                for ngram, count in counts.items()
            )
        )
        totals.append(counts.total())
    closest = min(map(len, references), key=lambda length: (abs(length - len(words)), length))
    return tuple(map(float, (*matches, *totals, len(words), closest)))


def bleu_score(totals: Floats) -> Floats:
    """BLEU of summed `bleu_counts`, of shape (..., 10)."""
    matches, possible = totals[..., :BLEU_ORDER], totals[..., BLEU_ORDER : 2 * BLEU_ORDER]
    length, closest = totals[..., -2], totals[..., -1]
    unmatched = (matches == 0) & (possible > 0)
    smoothed = np.where(unmatched, 0.5 ** np.cumsum(unmatched, axis=-1), matches)
    # Orders that no answer is long enough for have the precision 0 and make the whole score 0.
    scorable = (possible > 0).all(axis=-1) & (matches > 0).any(axis=-1)
    precisions = np.where(possible > 0, smoothed, 1.0) / np.maximum(possible, 1.0)
    penalty = np.exp(np.minimum(0.0, 1 - closest / np.maximum(length, 1.0)))
    return np.where(scorable, penalty * np.exp(np.log(precisions).mean(axis=-1)), 0.0)


def chrf_counts(text: str, references: Sequence[str]) -> tuple[float, ...]:
    """N-grams of the answer, of the best reference, and of both, order by order."""
    orders = range(1, CHRF_ORDER + 1)
    counts = [_substring_counts(text, order) for order in orders]
    candidates = np.array([_chrf_row(counts, reference) for reference in references], dtype=float)
    best = candidates[int(np.argmax(chrf_score(candidates)))]
    return tuple(best.tolist())


def chrf_score(totals: Floats) -> Floats:
    """chrF2 of summed `chrf_counts`, of shape (..., 18)."""
    ours, theirs, both = totals[..., 0::3], totals[..., 1::3], totals[..., 2::3]
    present = (ours > 0) & (theirs > 0)
    orders = np.maximum(present.sum(axis=-1), 1)
    precision = np.where(present, both / np.maximum(ours, 1.0), 0.0).sum(axis=-1) / orders
    recall = np.where(present, both / np.maximum(theirs, 1.0), 0.0).sum(axis=-1) / orders
    weight = CHRF_BETA**2
    denominator = weight * precision + recall
    product = (1 + weight) * precision * recall
    return np.where(denominator > 0, product / np.where(denominator > 0, denominator, 1.0), 0.0)


def _characters(text: str) -> str:
    return normalise(text).replace(" ", "")


def _substring_counts(text: str, order: int) -> dict[str, int]:
    """Like `ngram_counts`, but on slices of the text, which is faster than on tuples."""
    counts: dict[str, int] = {}
    for start in range(len(text) - order + 1):
        piece = text[start : start + order]
        counts[piece] = counts.get(piece, 0) + 1
    return counts


def _chrf_row(counts: Sequence[dict[str, int]], reference: str) -> list[int]:
    row = []
    for order, ours in enumerate(counts, start=1):
        theirs = _substring_counts(reference, order)
        both = sum(min(count, theirs[piece]) for piece, count in ours.items() if piece in theirs)
        # An order that the reference is too short for cannot count against the answer.
        row += [sum(ours.values()) if theirs else 0, sum(theirs.values()), both]
    return row
