"""sacrebleu 2.6.0 on Japanese, quirks included: values from 0 to 100 on texts as they are.

Nothing is normalized: full-width and half-width forms differ. With several references, all of
them count. `fugashi` stands for what Japanese work does most: fugashi's words with unidic-lite,
joined by spaces, with `tokenize="none"`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Literal, TypeAlias

import numpy as np

from vlmbench.metrics.base import Answer, metric
from vlmbench.metrics.compat.text_western import words_13a, words_chrf, words_tercom
from vlmbench.metrics.compat.text_words import ipadic_identity, ipadic_words, plain_words
from vlmbench.metrics.ngrams.coded import coded
from vlmbench.metrics.ngrams.comparison import CHARACTER_ORDERS, WORD_ORDERS, Comparison
from vlmbench.metrics.ngrams.scores import (
    BLEU_ORDER,
    best_chrf,
    bleu_counts,
    bleu_score,
    chrf_rows,
    chrf_score,
    ter_counts,
    ter_score,
)
from vlmbench.metrics.overlap import means
from vlmbench.metrics.vectors import Vectors
from vlmbench.records import Scalar
from vlmbench.stats import Floats

BleuTokenizer: TypeAlias = Literal["13a", "char", "fugashi", "ja-mecab", "none"]
WordTokenizer: TypeAlias = Literal["fugashi", "none"]

_SOURCE = "sacrebleu 2.6.0"
_WORD_ORDER = 2

_Split: TypeAlias = Callable[[str], Sequence[str]]
_BLEU_WORDS: Mapping[Scalar, _Split] = {
    "13a": words_13a,
    "char": lambda text: tuple("".join(text.split())),
    "fugashi": plain_words,
    "ja-mecab": ipadic_words,
    "none": lambda text: tuple(text.split()),
}


def _identity(options: Mapping[str, Scalar]) -> Sequence[str]:
    dictionary = {
        "fugashi": lambda: f"tok:fugashi-{version('fugashi')}/unidic-lite-{version('unidic-lite')}",
        "ja-mecab": ipadic_identity,
    }.get(str(options["tokenizer"]))
    return ["ref:sacrebleu@2.6.0", *([dictionary()] if dictionary else [])]


@metric(
    bounds=(0, 100),
    compares="own",
    source=f"{_SOURCE}, BLEU.corpus_score",
    size=2 * BLEU_ORDER + 2,
    combine=lambda totals, n: 100 * bleu_score(totals, effective_order=False),
    identity=_identity,
    batched=True,
)
def bleu(answers: Sequence[Answer], *, tokenizer: BleuTokenizer = "13a") -> Vectors:
    """Corpus BLEU with exponential smoothing, from 0 to 100, higher is better.

    0 when no answer of the task has four words or nothing matches, even where all are right. The
    default tokenizer takes a Japanese sentence for one word.

    Args:
        tokenizer: sacrebleu's name of it ("ja-mecab" is MeCab with IPADIC), or "fugashi".
    """
    return Vectors(bleu_counts(_compared(answers, _BLEU_WORDS[tokenizer], WORD_ORDERS)))


@metric(
    bounds=(0, 100),
    compares="own",
    source=f"{_SOURCE}, BLEU.sentence_score",
    identity=_identity,
    batched=True,
)
def sentence_bleu(
    answers: Sequence[Answer],
    *,
    tokenizer: BleuTokenizer = "13a",
    effective_order: bool = True,
) -> Vectors:
    """Mean of sentence BLEU, from 0 to 100, higher is better.

    Two empty texts score 0.

    Args:
        tokenizer: sacrebleu's name of it ("ja-mecab" is MeCab with IPADIC), or "fugashi".
        effective_order: Leave out the orders that an answer is too short for; without it, an
            answer of fewer than four words scores 0 even if it is right.
    """
    counts = bleu_counts(_compared(answers, _BLEU_WORDS[tokenizer], WORD_ORDERS))
    scores = 100 * bleu_score(counts, effective_order=effective_order)
    scores[counts[:, -2] == 0] = 0.0
    return means(scores)


@metric(
    bounds=(0, 100),
    compares="own",
    source=f"{_SOURCE}, CHRF.corpus_score",
    size=3 * CHARACTER_ORDERS,
    combine=lambda totals, n: _chrf_value(totals),
    identity=lambda options: ["ref:sacrebleu@2.6.0"],
    batched=True,
)
def chrf(answers: Sequence[Answer]) -> Vectors:
    """Corpus chrF2 of characters without white space, from 0 to 100, higher is better.

    Two empty texts score 0.
    """
    return Vectors(best_chrf(_rows(answers, _characters, CHARACTER_ORDERS), first=True))


@metric(
    bounds=(0, 100),
    compares="own",
    source=f"{_SOURCE}, CHRF(word_order=2).corpus_score",
    size=3 * (CHARACTER_ORDERS + _WORD_ORDER),
    combine=lambda totals, n: _chrf_value(totals),
    identity=_identity,
    batched=True,
)
def chrf_pp(answers: Sequence[Answer], *, tokenizer: WordTokenizer = "none") -> Vectors:
    """Corpus chrF2++, from 0 to 100, higher is better.

    Words stand between white space, so that an unsegmented Japanese sentence is one. One mark of
    ASCII punctuation is cut off a word.

    Args:
        tokenizer: "none", or "fugashi" for spaces between fugashi's words.
    """
    spaced: _Split = (
        words_chrf if tokenizer == "none" else lambda text: words_chrf(" ".join(plain_words(text)))
    )
    characters = _rows(answers, _characters, CHARACTER_ORDERS)
    words = _rows(answers, spaced, _WORD_ORDER)
    return Vectors(best_chrf(np.concatenate([characters, words], axis=2), first=True))


@metric(
    bounds=None,
    compares="own",
    source=f"{_SOURCE}, TER.corpus_score",
    size=2,
    combine=lambda totals, n: 100 * ter_score(totals),
    identity=_identity,
    lower_is_better=True,
)
def ter(
    answer: Answer, *, tokenizer: WordTokenizer = "none", normalized: bool = False
) -> tuple[float, ...]:
    """Corpus TER, from 0 without an upper end (100 is an edit a word), lower is better.

    In lower case. Texts of more than 1,000 words are compared without shifts, for which sacrebleu
    would need minutes.

    Args:
        tokenizer: "none", or "fugashi" for spaces between fugashi's words.
        normalized: Split punctuation off, and ideographs into single ones (sacrebleu's
            normalized with asian_support); kana stay together.
    """

    def words(text: str) -> tuple[str, ...]:
        spaced = " ".join(plain_words(text)) if tokenizer == "fugashi" else text
        return words_tercom(spaced, normalized=normalized, asian=normalized)

    return ter_counts(words(answer.prediction), list(map(words, answer.references)))


def _compared(answers: Sequence[Answer], split: _Split, orders: int) -> Comparison:
    samples = [[split(text) for text in (a.prediction, *a.references)] for a in answers]
    return Comparison(coded(samples), orders=orders)


def _rows(answers: Sequence[Answer], split: _Split, orders: int) -> Floats:
    rows = chrf_rows(_compared(answers, split, orders), orders)
    # What is said where the reference is empty does not count.
    rows[..., 0::3][rows[..., 1::3] == 0] = 0
    return rows


def _chrf_value(totals: Floats) -> Floats:
    return np.where((totals == 0).all(axis=-1), 0.0, 100 * chrf_score(totals))


def _characters(text: str) -> str:
    return "".join(text.split())
