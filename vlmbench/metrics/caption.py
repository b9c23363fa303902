"""Metrics made for image captions with several references."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeAlias

from vlmbench.metrics.base import Answer, Range, References, metric
from vlmbench.records import MetricScore
from vlmbench.text.japanese import tokenise
from vlmbench.text.sequences import ngram_counts

CIDER_ORDER = 4

Ngram: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DocumentFrequencies:
    """In how many samples' references each n-gram occurs."""

    samples: int
    counts: Mapping[Ngram, int]


@dataclass(frozen=True, slots=True)
class _Caption:
    """A caption as weighted n-grams, order by order."""

    weights: tuple[dict[Ngram, float], ...]
    norms: tuple[float, ...]
    length: int
    """Number of bigrams: what the reference implementation calls the length."""


def document_frequencies(all_references: References) -> DocumentFrequencies:
    """Frequencies over the references of the whole task, in words."""
    return frequencies_of([[tokenise(text) for text in texts] for texts in all_references])


@metric(
    bounds=(0, 10),
    compares="tokens",
    source="Vedantam et al., CIDEr, 2015; equal to pycocoevalcap's CIDEr on the same words",
    prepare=document_frequencies,
)
def cider_d(
    answer: Answer,
    frequencies: DocumentFrequencies,
    *,
    sigma: Annotated[float, Range(0.1, 1000)] = 6.0,
) -> MetricScore:
    """Mean CIDEr-D, from 0 to 10, higher is better.

    Cosine similarity of the answer's and a reference's word n-grams of order 1 to 4, weighted so
    that what occurs in the references of few samples counts most; an n-gram counts no more often
    than in the reference, and a difference in length is penalised. Averaged over orders and
    references, times 10. Frequencies come from the references of all samples of the task, so
    values of different tasks, or of a part of a task, do not compare. A caption of fewer than
    four words cannot reach 10, and answers of paragraph length come out near 0. A task of one
    sample has no frequencies and stays unscored.

    Args:
        sigma: Width of the length penalty, in words.
    """
    if frequencies.samples < 2:
        return MetricScore(unscored="a task of one sample has no document frequencies")
    words = tokenise(answer.prediction)
    references = [tokenise(reference) for reference in answer.references]
    return MetricScore((cider_d_of(words, references, frequencies, sigma=sigma),))


def frequencies_of(all_references: Sequence[Sequence[Sequence[str]]]) -> DocumentFrequencies:
    """Frequencies over references that are word sequences."""
    counts: Counter[Ngram] = Counter()
    for references in all_references:
        counts.update({ngram for words in references for ngram in _ngrams(words)})
    return DocumentFrequencies(len(all_references), counts)


def cider_d_of(
    words: Sequence[str],
    references: Sequence[Sequence[str]],
    frequencies: DocumentFrequencies,
    *,
    sigma: float,
) -> float:
    """CIDEr-D of word sequences."""
    caption = _weighted(words, frequencies)
    similarities = [
        _similarity(caption, _weighted(reference, frequencies), sigma) for reference in references
    ]
    return 10 * math.fsum(similarities) / len(similarities)


def _ngrams(words: Sequence[str]) -> Counter[Ngram]:
    counts: Counter[Ngram] = Counter()
    for order in range(1, CIDER_ORDER + 1):
        counts.update(ngram_counts(words, order))
    return counts


def _weighted(words: Sequence[str], frequencies: DocumentFrequencies) -> _Caption:
    weights: tuple[dict[Ngram, float], ...] = tuple({} for _ in range(CIDER_ORDER))
    for ngram, count in _ngrams(words).items():
        known = max(1, frequencies.counts.get(ngram, 0))
        weights[len(ngram) - 1][ngram] = count * math.log(frequencies.samples / known)
    norms = tuple(math.sqrt(math.fsum(w * w for w in order.values())) for order in weights)
    return _Caption(weights, norms, max(0, len(words) - 1))


def _similarity(caption: _Caption, reference: _Caption, sigma: float) -> float:
    """Mean over the orders of the clipped cosine, times the length penalty."""
    cosines = []
    for ours, theirs, our_norm, their_norm in zip(
        caption.weights, reference.weights, caption.norms, reference.norms, strict=True
    ):
        shared = math.fsum(
            min(weight, theirs[ngram]) * theirs[ngram]
            for ngram, weight in ours.items()
            if ngram in theirs
        )
        cosines.append(shared / (our_norm * their_norm) if our_norm and their_norm else 0.0)
    distance = caption.length - reference.length
    penalty = math.exp(-(distance**2) / (2 * sigma**2))
    return penalty * math.fsum(cosines) / CIDER_ORDER
