"""Metrics made for image captions with several references, as the COCO evaluation defines them.

Texts are compared in fugashi's words after `text.japanese.normalize`, or by option in characters
without white space.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated, NamedTuple

import numpy as np

from vlmbench.metrics.base import Answer, Range, References, metric
from vlmbench.metrics.ngrams.comparison import TextComparison, Unit
from vlmbench.metrics.ngrams.encoding import EncodedTexts, Integers, encode_words
from vlmbench.metrics.ngrams.frequencies import DocumentFrequencies, count_documents
from vlmbench.metrics.ngrams.scores import BLEU_ORDER, bleu_score
from vlmbench.metrics.ngrams.table import NgramTable, Rows
from vlmbench.metrics.overlap import bleu_vectors, compared, means
from vlmbench.metrics.vectors import Vectors
from vlmbench.records import MetricScore
from vlmbench.stats import Count, Floats
from vlmbench.text.japanese import lines_of_words

CIDER_ORDER = 4
_BATCH_SIZE = 1024
"""Samples whose references are tokenized together."""
_COCO_BETA = 1.2
"""Weight of recall in the COCO evaluation's ROUGE-L."""

_CIDER = "Vedantam et al., CIDEr, 2015"


def _document_frequencies(all_references: References) -> DocumentFrequencies:
    """Frequencies over the references of the whole task, in words."""
    return count_documents(_in_words(all_references), CIDER_ORDER)


def _in_words(all_references: References) -> Iterator[EncodedTexts]:
    for start in range(0, len(all_references), _BATCH_SIZE):
        some = all_references[start : start + _BATCH_SIZE]
        lines = lines_of_words([text for texts in some for text in texts])
        yield encode_words(lines, np.fromiter(map(len, some), np.int64))


@metric(
    bounds=(0, 10),
    unit=1,
    compares="tokens",
    source=f"{_CIDER}; equal to the authors' CIDEr on the same words",
    prepare=_document_frequencies,
    batched=True,
)
def cider(answers: Sequence[Answer], frequencies: DocumentFrequencies) -> Sequence[MetricScore]:
    """Mean CIDEr, from 0 to 10, higher is better.

    Cosine similarity of the answer's and a reference's word n-grams of order 1 to 4, weighted so
    that what occurs in the references of few samples counts most; averaged over orders and
    references, times 10. Frequencies come from the references of all samples of the task, so
    values of different tasks, or of a part of a task, do not compare. A caption of fewer than
    four words cannot reach 10. A task of one sample has no frequencies and stays unscored.
    """
    return _cider_scores(answers, frequencies, sigma=None)


@metric(
    bounds=(0, 10),
    unit=1,
    compares="tokens",
    source=f"{_CIDER}; equal to pycocoevalcap's CIDEr on the same words",
    prepare=_document_frequencies,
    batched=True,
)
def cider_d(
    answers: Sequence[Answer],
    frequencies: DocumentFrequencies,
    *,
    sigma: Annotated[float, Range(0.1, 1000)] = 6.0,
) -> Sequence[MetricScore]:
    """Mean CIDEr-D, from 0 to 10, higher is better.

    As `caption.cider`, but an n-gram counts no more often than in the reference, and a difference
    in length is penalized: what papers on captions report as CIDEr. Answers of paragraph length
    come out near 0.

    Args:
        sigma: Width of the length penalty, in words.
    """
    return _cider_scores(answers, frequencies, sigma=sigma)


def _bleu(answers: Sequence[Answer], *, tokenizer: Unit = "words") -> Vectors:
    """Corpus BLEU-N of the COCO evaluation, N from the name, from 0 to 1, higher is better.

    The geometric mean of the precisions of runs of one to N words over the whole task, times the
    brevity penalty. A run counts as often as in the reference that has it most often; the
    reference closest in length sets the penalty. Without smoothing: an order without any match
    makes it 0; orders that no answer of the task is long enough for are left out. A task of empty
    answers with empty references scores 1.

    Args:
        tokenizer: "words", or "characters" without white space.
    """
    return bleu_vectors(compared(answers, tokenizer))


def _unsmoothed(orders: int, totals: Floats, n: Count) -> Floats:
    return bleu_score(totals, effective_order=True, orders=orders, smooth=False)


for _order in range(1, BLEU_ORDER + 1):
    metric(
        name=f"bleu_{_order}",
        compares="tokens",
        source="Papineni et al., BLEU, 2002; as pycocoevalcap's Bleu on the same words",
        size=2 * BLEU_ORDER + 2,
        combine=partial(_unsmoothed, _order),
        batched=True,
    )(_bleu)


@metric(
    compares="tokens",
    source="C.-Y. Lin, ROUGE, 2004; as pycocoevalcap's Rouge on the same words",
    batched=True,
)
def rouge_l(answers: Sequence[Answer], *, tokenizer: Unit = "words") -> Vectors:
    """Mean ROUGE-L of the COCO evaluation, from 0 to 1, higher is better.

    F-measure of the longest common subsequence that weighs recall 1.44 times as much as precision
    and takes the highest precision and the highest recall over the references, even if they come
    from different ones. An answer or reference without words scores 0, and 1 if both are without.

    Args:
        tokenizer: "words", or "characters" without white space.
    """
    texts = compared(answers, tokenizer)
    ours, theirs = texts.lengths[:, :1], texts.lengths[:, 1:]
    both_empty = ((ours == 0) & (theirs == 0)).any(axis=1)
    return means(np.where(both_empty, 1.0, coco_rouge_l(texts)))


def coco_rouge_l(compared: TextComparison) -> Floats:
    """F of the highest precision and the highest recall."""
    sizes = np.maximum(compared.lengths, 1)
    precision = (compared.subsequences / sizes[:, :1]).max(axis=1)
    recall = (compared.subsequences / sizes[:, 1:]).max(axis=1)
    weighed = np.where(precision > 0, recall + _COCO_BETA**2 * precision, 1.0)
    scores: Floats = (1 + _COCO_BETA**2) * precision * recall / weighed
    return scores


def cider_of(
    compared: TextComparison, frequencies: DocumentFrequencies, *, sigma: float | None
) -> Floats:
    """CIDEr-D of each answer, or plain CIDEr without a `sigma`."""
    tables = compared.remember("weights", frequencies, lambda: _weighed(compared, frequencies))
    columns = compared.lengths.shape[1] - 1
    cosines = np.concatenate(
        [_cosines(orders, clipped=sigma is not None, columns=columns) for orders in tables]
    )
    if sigma is not None:
        # The reference implementation takes the number of bigrams for the length.
        bigrams = np.maximum(compared.lengths - 1, 0)
        cosines *= np.exp(-((bigrams[:, :1] - bigrams[:, 1:]) ** 2) / (2 * sigma**2))
    scores: Floats = 10 * cosines.sum(axis=1) / (compared.lengths[:, 1:] >= 0).sum(axis=1)
    return scores


def _cider_scores(
    answers: Sequence[Answer], frequencies: DocumentFrequencies, *, sigma: float | None
) -> Sequence[MetricScore]:
    if frequencies.samples < 2:
        reason = MetricScore(unscored="a task of one sample has no document frequencies")
        return [reason] * len(answers)
    return means(cider_of(compared(answers), frequencies, sigma=sigma))


class _Weighed(NamedTuple):
    """The n-grams of one order with their TF-IDF in each text."""

    rows: Rows
    weights: Floats
    """(columns, rows)."""
    scale: Floats
    """The answer's length as a vector times that of each reference: (samples, references)."""


def _weighed(compared: TextComparison, frequencies: DocumentFrequencies) -> list[list[_Weighed]]:
    """The n-grams of each table, order by order."""
    words = frequencies.lines_of_words(compared.texts)
    ends = np.cumsum([len(table.places) for table in compared.tables])
    return [
        list(_of_table(table, own, frequencies))
        for table, own in zip(compared.tables, np.split(words, ends[:-1]), strict=True)
    ]


def _of_table(
    table: NgramTable, words: Integers, frequencies: DocumentFrequencies
) -> Iterator[_Weighed]:
    for order, found in enumerate(frequencies.of(table, words)):
        rows = table.rows[order]
        rarity = np.log(frequencies.samples / found)
        # What runs across the end of a text is no n-gram.
        rarity[rows.positions + order >= table.ends.take(rows.positions)] = 0.0
        weights: Floats = np.multiply(rows.counts, rarity)
        norms = np.sqrt(rows.sums(weights * weights))
        yield _Weighed(rows, weights, norms[:, :1] * norms[:, 1:])


def _cosines(orders: Sequence[_Weighed], *, clipped: bool, columns: int) -> Floats:
    """Mean over the orders of the similarity with each reference: (samples, columns)."""
    total = np.zeros((len(orders[0].scale), columns))
    for rows, weights, scale in orders:
        ours, theirs = weights[:1], weights[1:]
        shared = rows.sums((np.minimum(ours, theirs) if clipped else ours) * theirs)
        cosines = np.where(scale > 0, shared / np.where(scale > 0, scale, 1.0), 0.0)
        total[:, : cosines.shape[1]] += cosines
    return total / CIDER_ORDER
