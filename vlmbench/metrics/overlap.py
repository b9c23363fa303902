"""Metrics that measure how much of its references an open answer shares.

Texts are compared as `text.japanese.normalize` leaves them, in fugashi's words or, by option, in
characters without white space. An answer that differs from a reference only in white space is
taken for equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from vlmbench.metrics.base import Answer, Range, metric
from vlmbench.metrics.ngrams.comparison import CHARACTER_ORDERS, TextComparison, Unit, compare_texts
from vlmbench.metrics.ngrams.scores import (
    BLEU_ORDER,
    best_chrf,
    bleu_counts,
    bleu_score,
    chrf_rows,
    chrf_score,
    f_measures,
    rouge_n,
)
from vlmbench.metrics.vectors import Vectors
from vlmbench.stats import Floats

_CHRF_WORD_ORDER = 2

_BLEU = "Papineni et al., BLEU, 2002; equal to sacrebleu (smoothing exp) on the same words"
_ROUGE = "C.-Y. Lin, ROUGE, 2004; F-measure and choice of reference as in rouge_score"


@metric(compares="tokens", source=_ROUGE, batched=True)
def rouge_1(answers: Sequence[Answer], *, tokenizer: Unit = "words") -> Vectors:
    """Mean F-measure of shared words, from 0 to 1, higher is better.

    A word counts as often as in the text that has it less often. Precision is the share of the
    answer's words that the reference has, recall the other way round, F their harmonic mean. With
    several references the one with the highest F counts. An answer or reference without words
    scores 0, and 1 if both are without.

    Args:
        tokenizer: "words", or "characters" without white space.
    """
    return means(rouge_n(compared(answers, tokenizer), 1))


@metric(compares="tokens", source=_ROUGE, batched=True)
def rouge_2(answers: Sequence[Answer], *, tokenizer: Unit = "words") -> Vectors:
    """Mean F-measure of shared pairs of neighboring words, from 0 to 1, higher is better.

    As `overlap.rouge_1`, on pairs. An answer or reference of a single word has no pair and scores
    0, but 1 when both are the same.

    Args:
        tokenizer: "words", or "characters" without white space.
    """
    return means(rouge_n(compared(answers, tokenizer), 2))


@metric(compares="tokens", source=_ROUGE, batched=True)
def rouge_l(
    answers: Sequence[Answer],
    *,
    beta: Annotated[float, Range(0.01, 100)] = 1.0,
    tokenizer: Unit = "words",
) -> Vectors:
    """Mean F-measure of the longest common subsequence of words, from 0 to 1, higher is better.

    Precision is the subsequence's share of the answer's words, recall that of the reference's.
    With several references the one with the highest F counts. An answer or reference without
    words scores 0, and 1 if both are without.

    Args:
        beta: Weight of recall against precision; 1 weighs both the same.
        tokenizer: "words", or "characters" without white space.
    """
    texts = compared(answers, tokenizer)
    scores = f_measures(texts.subsequences, texts.lengths, beta=beta)
    best: Floats = scores.max(axis=1)
    return means(best)


@metric(
    compares="tokens",
    source=_BLEU,
    size=2 * BLEU_ORDER + 2,
    combine=lambda totals, n: bleu_score(totals, effective_order=True),
    batched=True,
)
def bleu(answers: Sequence[Answer], *, tokenizer: Unit = "words") -> Vectors:
    """Corpus BLEU of word n-grams of order 1 to 4, from 0 to 1, higher is better.

    The geometric mean of the n-gram precisions over the whole task, times the brevity penalty.
    An n-gram counts as often as in the reference that has it most often; the reference closest
    in length sets the penalty, the shorter of two equally close. Orders without a match are
    smoothed (1/2, 1/4, ... of a match). Unlike sacrebleu's, orders that no answer of the task is
    long enough for are left out instead of making the value 0, and a task of empty answers with
    empty references scores 1.

    Args:
        tokenizer: "words", or "characters" without white space.
    """
    return bleu_vectors(compared(answers, tokenizer))


@metric(compares="tokens", source=f"{_BLEU}, with effective order", batched=True)
def sentence_bleu(answers: Sequence[Answer], *, tokenizer: Unit = "words") -> Vectors:
    """Mean of the BLEU of single answers, from 0 to 1, higher is better.

    As `overlap.bleu` for each answer; orders that the answer is too short for are left out. Not
    to be compared with corpus BLEU, which is what papers mean by BLEU.

    Args:
        tokenizer: "words", or "characters" without white space.
    """
    counts = bleu_counts(compared(answers, tokenizer))
    return means(bleu_score(counts, effective_order=True))


@metric(
    compares="characters",
    source="M. Popović, chrF, 2015; equal to sacrebleu's chrF2 on the same characters",
    size=3 * CHARACTER_ORDERS,
    combine=lambda totals, n: chrf_score(totals),
    batched=True,
)
def chrf(answers: Sequence[Answer]) -> Vectors:
    """Corpus chrF2 of character n-grams of order 1 to 6, from 0 to 1, higher is better.

    Precisions and recalls over the whole task are averaged over the orders, and recall weighs
    four times as much as precision. White space does not count. With several references the one
    with the highest score counts. A task of empty answers with empty references scores 1.
    """
    return Vectors(best_chrf(chrf_rows(compared(answers, "characters"), CHARACTER_ORDERS)))


@metric(
    compares="tokens",
    source="M. Popović, chrF++, 2017; equal to sacrebleu's chrF2++ on the same words",
    size=3 * (CHARACTER_ORDERS + _CHRF_WORD_ORDER),
    combine=lambda totals, n: chrf_score(totals),
    batched=True,
)
def chrf_pp(answers: Sequence[Answer]) -> Vectors:
    """Corpus chrF++: chrF2 with word n-grams of order 1 and 2, from 0 to 1, higher is better.

    As `overlap.chrf`, averaged over six orders of characters and two of fugashi's words.
    """
    characters = chrf_rows(compared(answers, "characters"), CHARACTER_ORDERS)
    words = chrf_rows(compared(answers), _CHRF_WORD_ORDER)
    return Vectors(best_chrf(np.concatenate([characters, words], axis=2)))


_latest: tuple[Sequence[Answer], dict[Unit, TextComparison]] = (), {}


def compared(answers: Sequence[Answer], unit: Unit = "words") -> TextComparison:
    """The comparison of answers with their references; the same for all metrics of a batch."""
    global _latest
    batch, known = _latest
    if batch is not answers:
        known = {}
        if isinstance(answers, tuple):  # which stays what it is
            _latest = answers, known
    if unit not in known:
        pairs = tuple((one.prediction, one.references) for one in answers)
        known[unit] = compare_texts(pairs, unit)
    return known[unit]


def means(values: Floats) -> Vectors:
    """Scores of a metric that is the mean of these values."""
    return Vectors(values[:, None])


def bleu_vectors(texts: TextComparison) -> Vectors:
    """The counts of BLEU; the same object for all metrics that are made of them."""
    return texts.remember("BLEU vectors", None, lambda: Vectors(bleu_counts(texts)))
