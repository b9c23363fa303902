"""sacrebleu on Japanese, quirks included: values from 0 to 100 on texts as they are.

Values are those of the installed sacrebleu, whose own signature is part of ours. Nothing is
normalized: full-width and half-width forms differ. With several references, all of them count.
`fugashi` stands for what Japanese work does most: fugashi's words with unidic-lite, joined by
spaces, with `tokenize="none"`; `ja-mecab` for MeCab with IPADIC, called through fugashi too.
"""

from __future__ import annotations

import functools
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from vlmbench.metrics.base import Answer, metric
from vlmbench.metrics.compat.text_words import ipadic_identity, ipadic_words, plain_words
from vlmbench.records import Scalar
from vlmbench.stats import Floats

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric as Scorer

_LONGEST_SHIFTED = 1000
"""Words; beyond that the search for phrases that moved would take minutes."""

_BleuTokenizer: TypeAlias = Literal["13a", "char", "fugashi", "ja-mecab", "none"]
_WordTokenizer: TypeAlias = Literal["fugashi", "none"]


@functools.cache
def _scorer(kind: Literal["BLEU", "CHRF", "TER"], **options: Any) -> Scorer:
    """A metric of sacrebleu."""
    from sacrebleu import metrics

    scorer: Scorer = getattr(metrics, kind)(**options)
    scorer.num_refs = -1  # which its signature calls "var": any number, for each answer another
    return scorer


def _bleu(tokenizer: Scalar, *, effective_order: bool = False) -> Scorer:
    by_sacrebleu = tokenizer in ("13a", "char", "none")
    tokenize = tokenizer if by_sacrebleu else "none"
    return _scorer("BLEU", tokenize=tokenize, effective_order=effective_order, force=True)


def _chrf(word_order: int) -> Scorer:
    return _scorer("CHRF", word_order=word_order)


def _ter(normalized: Scalar) -> Scorer:
    return _scorer("TER", normalized=normalized, asian_support=normalized)


def _identity(scorer: Scorer, tokenizer: Scalar = "none") -> list[str]:
    """sacrebleu's signature, and what made the words before it saw the texts."""
    words = []
    if tokenizer == "fugashi":
        words = [f"tok:fugashi-{version('fugashi')}/unidic-lite-{version('unidic-lite')}"]
    elif tokenizer == "ja-mecab":
        words = [ipadic_identity()]
    return [f"sacrebleu|{scorer.get_signature()}", *words]


def _spaced(text: str, tokenizer: Scalar) -> str:
    """The text, with spaces between its words where sacrebleu doesn't find them itself."""
    if tokenizer == "fugashi":
        return " ".join(plain_words(text))
    return " ".join(ipadic_words(text)) if tokenizer == "ja-mecab" else text


def _statistics(answer: Answer, scorer: Scorer, tokenizer: Scalar = "none") -> tuple[float, ...]:
    """sacrebleu's sufficient statistics of one answer, which add up over a corpus."""
    text, *references = (
        scorer._preprocess_segment(_spaced(text, tokenizer))
        for text in (answer.prediction, *answer.references)
    )
    information = scorer._extract_reference_info(references)
    return tuple(map(float, scorer._compute_segment_statistics(text, information)))


def _scores(totals: Floats, scorer: Scorer) -> Floats:
    """sacrebleu's score of each row of summed statistics: (..., size) -> (...)."""

    def score(row: Floats) -> float:
        value: float = scorer._compute_score_from_stats(row.tolist()).score
        return value

    return np.apply_along_axis(score, -1, totals)


@metric(
    bounds=(0, 100),
    source="sacrebleu, BLEU.corpus_score",
    size=10,
    combine=lambda totals, n: _scores(totals, _bleu("none")),
    identity=lambda options: _identity(_bleu(options["tokenizer"]), options["tokenizer"]),
)
def bleu(answer: Answer, *, tokenizer: _BleuTokenizer = "13a") -> tuple[float, ...]:
    """Corpus BLEU with exponential smoothing, from 0 to 100, higher is better.

    0 when no answer of the task has four words or nothing matches, even where all are right. The
    default tokenizer takes a Japanese sentence for one word.

    Args:
        tokenizer: sacrebleu's name of it ("ja-mecab" is MeCab with IPADIC), or "fugashi".
    """
    return _statistics(answer, _bleu(tokenizer), tokenizer)


@metric(
    bounds=(0, 100),
    source="sacrebleu, BLEU.sentence_score",
    identity=lambda options: _identity(
        _bleu(options["tokenizer"], effective_order=bool(options["effective_order"])),
        options["tokenizer"],
    ),
)
def sentence_bleu(
    answer: Answer, *, tokenizer: _BleuTokenizer = "13a", effective_order: bool = True
) -> float:
    """Mean of sentence BLEU, from 0 to 100, higher is better.

    Two empty texts score 0.

    Args:
        tokenizer: sacrebleu's name of it ("ja-mecab" is MeCab with IPADIC), or "fugashi".
        effective_order: Leave out the orders that an answer is too short for; without it, an
            answer of fewer than four words scores 0 even if it is right.
    """
    scorer = _bleu(tokenizer, effective_order=effective_order)
    return float(_scores(np.array(_statistics(answer, scorer, tokenizer)), scorer))


@metric(
    bounds=(0, 100),
    source="sacrebleu, CHRF.corpus_score",
    size=3 * 6,
    combine=lambda totals, n: _scores(totals, _chrf(0)),
    identity=lambda options: _identity(_chrf(0)),
)
def chrf(answer: Answer) -> tuple[float, ...]:
    """Corpus chrF2 of characters without white space, from 0 to 100, higher is better.

    Two empty texts score 0.
    """
    return _statistics(answer, _chrf(0))


@metric(
    bounds=(0, 100),
    source="sacrebleu, CHRF(word_order=2).corpus_score",
    size=3 * (6 + 2),
    combine=lambda totals, n: _scores(totals, _chrf(2)),
    identity=lambda options: _identity(_chrf(2), options["tokenizer"]),
)
def chrf_pp(answer: Answer, *, tokenizer: _WordTokenizer = "none") -> tuple[float, ...]:
    """Corpus chrF2++, from 0 to 100, higher is better.

    Words stand between white space, so that an unsegmented Japanese sentence is one. One mark of
    ASCII punctuation is cut off a word.

    Args:
        tokenizer: "none", or "fugashi" for spaces between fugashi's words.
    """
    return _statistics(answer, _chrf(2), tokenizer)


@metric(
    bounds=None,
    unit=100,
    source="sacrebleu, TER.corpus_score",
    size=2,
    combine=lambda totals, n: _scores(totals, _ter(False)),
    identity=lambda options: _identity(_ter(options["normalized"]), options["tokenizer"]),
    lower_is_better=True,
)
def ter(
    answer: Answer, *, tokenizer: _WordTokenizer = "none", normalized: bool = False
) -> tuple[float, ...]:
    """Corpus TER, from 0 without an upper end (100 is an edit a word), lower is better.

    In lower case. The slowest of all metrics: a caption takes milliseconds, a paragraph a second
    and more. Texts of more than 1,000 words are compared without shifts, for which sacrebleu
    would need minutes.

    Args:
        tokenizer: "none", or "fugashi" for spaces between fugashi's words.
        normalized: Split punctuation off, and ideographs into single ones (sacrebleu's
            normalized with asian_support); kana stay together.
    """
    scorer = _ter(normalized)
    words, *references = (
        scorer._preprocess_segment(_spaced(text, tokenizer)).split()
        for text in (answer.prediction, *answer.references)
    )
    edits = min(_edits(words, reference) for reference in references)
    return float(edits), sum(map(len, references)) / len(references)


def _edits(words: list[str], reference: list[str]) -> int:
    from rapidfuzz.distance import Levenshtein
    from sacrebleu.metrics.lib_ter import translation_edit_rate

    if max(len(words), len(reference)) > _LONGEST_SHIFTED:
        return Levenshtein.distance(words, reference)
    edits: int = translation_edit_rate(words, reference)[0]
    return edits
