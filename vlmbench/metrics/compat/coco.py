"""pycocoevalcap 1.2, the COCO caption evaluation, on Japanese, quirks included.

METEOR and SPICE are left out: they are Java programs. CIDEr here is the authors' plain CIDEr
(vrama91/cider); what pycocoevalcap calls CIDEr is CIDEr-D.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from typing import Annotated, Literal, TypeAlias

import numpy as np

from vlmbench.metrics.base import Answer, Range, References, metric
from vlmbench.metrics.caption import CIDER_ORDER, cider_of, coco_rouge_l
from vlmbench.metrics.compat.penn import PENN_FORM, penn_words
from vlmbench.metrics.compat.text_words import plain_words
from vlmbench.metrics.ngrams.comparison import WORD_ORDERS, TextComparison
from vlmbench.metrics.ngrams.encoding import encode
from vlmbench.metrics.ngrams.frequencies import DocumentFrequencies, count_documents
from vlmbench.metrics.ngrams.scores import BLEU_ORDER, bleu_counts
from vlmbench.metrics.overlap import means
from vlmbench.metrics.vectors import Vectors
from vlmbench.records import Scalar
from vlmbench.stats import Count, Floats

_Tokenizer: TypeAlias = Literal["fugashi", "characters", "fugashi+penn", "penn", "none"]

_SOURCE = "salaniz/pycocoevalcap 1.2"
_TINY, _SMALL = 1e-15, 1e-9
"""Added to matches and to lengths, so that nothing is divided by zero."""

_SPLIT: Mapping[Scalar, Callable[[str], Sequence[str]]] = {
    "fugashi": plain_words,
    "characters": lambda text: tuple(text.replace(" ", "").replace("\n", "")),
    "fugashi+penn": lambda text: penn_words(" ".join(plain_words(text))),
    "penn": penn_words,
    "none": lambda text: tuple(text.split()),
}


def _identity(options: Mapping[str, Scalar]) -> Sequence[str]:
    tokenizer = str(options["tokenizer"])
    parts = ["ref:pycocoevalcap@1.2"]
    if tokenizer.startswith("fugashi"):
        parts.append(f"tok:fugashi-{version('fugashi')}/unidic-lite-{version('unidic-lite')}")
    if tokenizer.endswith("penn"):
        parts.append(PENN_FORM)
    return parts


class _References:
    """The references of the task, from which each tokenizer gets its document frequencies."""

    def __init__(self, references: References) -> None:
        self._references = references
        self._counted: dict[str, DocumentFrequencies] = {}

    def frequencies(self, tokenizer: _Tokenizer) -> DocumentFrequencies:
        """Of word n-grams, counted once."""
        if tokenizer not in self._counted:
            documents = [[_words(text, tokenizer) for text in texts] for texts in self._references]
            self._counted[tokenizer] = count_documents([encode(documents)], CIDER_ORDER)
        return self._counted[tokenizer]


@metric(
    bounds=(0, 10),
    unit=1,
    source="vrama91/cider at f281464, Cider(df='corpus')",
    prepare=_References,
    identity=lambda options: [*_identity(options), "ref:vrama91/cider@f281464"],
    batched=True,
)
def cider(
    answers: Sequence[Answer], references: _References, *, tokenizer: _Tokenizer = "fugashi"
) -> Vectors:
    """Mean CIDEr without clipping and length penalty, from 0 to 10, higher is better.

    A task of one sample scores 0 even if it is right.

    Args:
        tokenizer: What words are; see `compat_coco.bleu_1`.
    """
    frequencies = references.frequencies(tokenizer)
    return means(cider_of(_compared(answers, tokenizer), frequencies, sigma=None))


@metric(
    bounds=(0, 10),
    unit=1,
    source=f"{_SOURCE}, Cider().compute_score",
    prepare=_References,
    identity=_identity,
    batched=True,
)
def cider_d(
    answers: Sequence[Answer],
    references: _References,
    *,
    tokenizer: _Tokenizer = "fugashi",
    sigma: Annotated[float, Range(0.1, 1000)] = 6.0,
) -> Vectors:
    """Mean CIDEr-D, which pycocoevalcap calls CIDEr, from 0 to 10, higher is better.

    A task of one sample scores 0 even if it is right, and the length is the number of pairs of
    words.

    Args:
        tokenizer: What words are; see `compat_coco.bleu_1`.
        sigma: Width of the length penalty, in words.
    """
    frequencies = references.frequencies(tokenizer)
    return means(cider_of(_compared(answers, tokenizer), frequencies, sigma=sigma))


@metric(source=f"{_SOURCE}, Rouge().compute_score", identity=_identity, batched=True)
def rouge_l(answers: Sequence[Answer], *, tokenizer: _Tokenizer = "fugashi") -> Vectors:
    """Mean ROUGE-L with beta 1.2, from 0 to 1, higher is better.

    The highest precision and the highest recall over the references make F. An empty text is one
    empty word, so that two of them score 1.

    Args:
        tokenizer: What words are; see `compat_coco.bleu_1`.
    """
    split = _SPLIT[tokenizer]
    samples = [
        [split(_whole(text)) or ("",) for text in (a.prediction, *a.references)] for a in answers
    ]
    return means(coco_rouge_l(TextComparison(encode(samples), orders=1)))


def _bleu(answers: Sequence[Answer], *, tokenizer: _Tokenizer = "fugashi") -> Vectors:
    """Corpus BLEU-N, N from the name, from 0 to 1, higher is better.

    A precision is never quite 0, so that two empty texts have a small value of no meaning, and
    right answers that are too short for an order are near 0 too.

    Args:
        tokenizer: "fugashi" or "characters"; "penn" is the Penn Treebank tokenizer, which lmms-eval
            puts before captions and which drops punctuation, straight on the text or on fugashi's
            words between spaces (see `compat/penn.py`); "none" splits at white space.
    """
    return Vectors(bleu_counts(_compared(answers, tokenizer)))


def _bleu_value(orders: int, totals: Floats, n: Count) -> Floats:
    """The geometric mean of the precisions up to an order, times the penalty."""
    matches, possible = totals[..., :orders], totals[..., BLEU_ORDER : BLEU_ORDER + orders]
    mean = np.exp(np.log((matches + _TINY) / (possible + _SMALL)).mean(axis=-1))
    ratio = (totals[..., -2] + _TINY) / (totals[..., -1] + _SMALL)
    value: Floats = mean * np.exp(np.minimum(0.0, 1 - 1 / ratio))
    return value


for _order in range(1, BLEU_ORDER + 1):
    metric(
        name=f"bleu_{_order}",
        source=f"{_SOURCE}, Bleu(4).compute_score",
        size=2 * BLEU_ORDER + 2,
        combine=partial(_bleu_value, _order),
        identity=_identity,
        batched=True,
    )(_bleu)


def _compared(answers: Sequence[Answer], tokenizer: _Tokenizer) -> TextComparison:
    return TextComparison(encode(_split(answers, tokenizer)), orders=WORD_ORDERS)


def _split(answers: Sequence[Answer], tokenizer: _Tokenizer) -> list[list[Sequence[str]]]:
    return [[_words(text, tokenizer) for text in (a.prediction, *a.references)] for a in answers]


def _words(text: str, tokenizer: _Tokenizer) -> Sequence[str]:
    """Words without white space, which all metrics but ROUGE-L split at."""
    return [word for word in _SPLIT[tokenizer](_whole(text)) if not word.isspace()]


def _whole(text: str) -> str:
    """The text with U+FFFD for half of a surrogate pair, which no tokenizer takes."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
