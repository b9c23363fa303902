"""llm-jp-eval-mm's ROUGE-L and JDocQA, quirks included (commit 9f450a5, April 2026)."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal, cast

from vlmbench.metrics.base import Answer, metric
from vlmbench.metrics.compat.sacrebleu import sentence_bleu
from vlmbench.metrics.compat.text_failures import unscored
from vlmbench.metrics.compat.text_words import (
    Normalizer,
    ipadic_identity,
    rouge_identity,
    rouge_words,
)
from vlmbench.records import MetricScore, Scalar

_REPOSITORY = "llm-jp/llm-jp-eval-mm at 9f450a5"
_REFERENCE = "ref:llm-jp-eval-mm@9f450a5"
_TYPES = ("yesno", "factoid", "numerical", "open-ended")


def _rouge_parts(options: Mapping[str, Scalar]) -> Sequence[str]:
    return [_REFERENCE, *rouge_identity(cast(Normalizer, options["normalizer"]))]


@metric(
    bounds=(0, 100),
    source=f"{_REPOSITORY}, rougel; after Sakana AI's evolutionary-model-merge",
    identity=_rouge_parts,
)
def rouge(
    answer: Answer,
    *,
    kind: Literal["rouge1", "rouge2", "rougeL"] = "rougeL",
    part: Literal["f", "precision", "recall"] = "f",
    normalizer: Literal["nfkc", "neologdn"] = "nfkc",
) -> MetricScore:
    """Mean ROUGE of words, from 0 to 100, higher is better.

    Words are MeCab's with UniDic (unidic-lite) after emoji are removed, the text is normalized
    and white space made single. Case and punctuation stay. Two texts without words score 0, and
    so do two equal ones of one word under rouge2. With several references, the one with the
    highest F counts, of equal ones the first. The published number is rougeL's F, and its mean;
    the harness's function for whole lists returns a random bootstrap median instead and is not
    reproduced.

    Args:
        kind: rouge1 and rouge2 compare words and pairs of words, rougeL the longest common
            subsequence.
        part: F, or the precision or recall of the reference with the highest F.
        normalizer: The harness takes neologdn where it happens to be installed, and NFKC without
            a word otherwise; it doesn't require it. neologdn deletes tildes: 10〜20人 is 1020人.
    """
    try:
        words = rouge_words(answer.prediction, normalizer)
        others = [rouge_words(reference, normalizer) for reference in answer.references]
    except UnicodeError as problem:
        return unscored(problem)
    scores = [_rouge(words, other, kind) for other in others]
    best = max(scores, key=lambda score: score[0])  # the first of equal ones, as rouge_score's
    return MetricScore((100 * best[("f", "precision", "recall").index(part)],))


def _jdocqa_parts(options: Mapping[str, Scalar]) -> Sequence[str]:
    return [_REFERENCE, ipadic_identity()]


@metric(source=f"{_REPOSITORY}, jdocqa", identity=_jdocqa_parts)
def jdocqa(answer: Answer) -> MetricScore:
    """Mean over all JDocQA questions, from 0 to 1, higher is better.

    By the sample's `meta.answer_type`, a name or the harness's number for it: yesno (0), factoid
    (1) and numerical (2) ask whether the answer contains the reference, after です, 。, 、 and
    ASCII spaces are deleted everywhere, white space at the ends, and NFKC comes last: full-width
    spaces and ｡ stay, 10 is in 2010年, 1,000円 is not 1000円. open-ended (3) is sentence BLEU
    (sacrebleu, ja-mecab with IPADIC, smoothing exp) without effective order: any answer of fewer
    than four words scores 0, even one equal to its reference. Any other type is unscored: the
    original raises, as it does on half of a surrogate pair. Slices by `answer_type` are the
    published details.
    """
    kind = answer.meta.get("answer_type")
    name = _TYPES[kind] if kind in range(4) and isinstance(kind, int) else kind
    if name == "open-ended":
        try:
            bleu = sentence_bleu(answer, tokenizer="ja-mecab", effective_order=False)
        except UnicodeError as problem:
            return unscored(problem)
        return MetricScore((bleu / 100,))
    if name not in _TYPES:
        return MetricScore(unscored=f"meta.answer_type is {kind!r}, none of JDocQA's types")
    prediction = _inclusion_form(answer.prediction)
    contained = any(_inclusion_form(reference) in prediction for reference in answer.references)
    return MetricScore((float(contained),))


def _rouge(words: Sequence[str], reference: Sequence[str], kind: str) -> tuple[float, float, float]:
    """F, precision and recall."""
    order = 2 if kind == "rouge2" else 1
    if kind == "rougeL":
        from rapidfuzz.distance import LCSseq

        common = LCSseq.similarity(words, reference)
    else:
        common = (_ngrams(words, order) & _ngrams(reference, order)).total()
    if not common:
        return 0.0, 0.0, 0.0
    precision = common / (len(words) - order + 1)
    recall = common / (len(reference) - order + 1)
    return 2 * precision * recall / (precision + recall), precision, recall


def _ngrams(words: Sequence[str], order: int) -> Counter[tuple[str, ...]]:
    """How often each run of `order` words occurs."""
    return Counter(zip(*(words[start:] for start in range(order)), strict=False))


def _inclusion_form(text: str) -> str:
    for dropped in ("です", "。", "、", " "):
        text = text.replace(dropped, "")
    return unicodedata.normalize("NFKC", text.strip())
