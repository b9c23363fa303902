"""lmms-eval's scorers, quirks included (commit 75571cf)."""

from __future__ import annotations

import string

from vlmbench.metrics.base import Answer, metric, reproduces
from vlmbench.metrics.compat.text_anls import (
    THRESHOLD,
    best_anls,
    collapsed,
    edit_similarity,
    raw_length_anls,
    relaxed_equal,
)
from vlmbench.metrics.compat.text_evalai import evalai, evalai_words, vqa_accuracy

_REPOSITORY = "EvolvingLMMs-Lab/lmms-eval at 75571cf"
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_identity = reproduces("lmms-eval@75571cf")


@metric(source=f"{_REPOSITORY}, exact_match", identity=_identity)
def exact_match(answer: Answer) -> float:
    """Share of answers equal to a reference, from 0 to 1, higher is better.

    In lower case and without ASCII punctuation, which is deleted wherever it is (the settings
    ignore_case and ignore_punctuation): -3 is 3, 1,234 is 1234 and 50% is 50; 。 stays. White
    space counts. The original takes one reference; here any may be met.
    """
    prediction = _exact_form(answer.prediction)
    return float(any(prediction == _exact_form(reference) for reference in answer.references))


@metric(source=f"{_REPOSITORY}, mtvqa", identity=_identity)
def mtvqa(answer: Answer) -> float:
    """Share of answers that contain a reference, from 0 to 1, higher is better.

    In lower case and without ASCII full stops; 0.8 contains 8. Published times 100.
    """
    prediction = _mtvqa_form(answer.prediction)
    return float(any(_mtvqa_form(reference) in prediction for reference in answer.references))


@metric(source=f"{_REPOSITORY}, chartqa", identity=_identity)
def chartqa_relaxed(answer: Answer) -> float:
    """Share of answers equal to a reference or within 5 % of it, from 0 to 1, higher is better.

    Numbers are what Python's float() reads, such as １０４, 1_000 and 50% (0.5); not 1,234, －3 or
    100円, which are compared as text in lower case. Years have the tolerance too, a reference of
    0 is compared as text, and white space counts in texts.
    """
    equal = (relaxed_equal(answer.prediction, reference) for reference in answer.references)
    return float(any(equal))


@metric(source=f"{_REPOSITORY}, anls", identity=_identity)
def anls(answer: Answer) -> float:
    """Mean normalized Levenshtein similarity to the nearest reference, higher is better.

    From 0 to 1; a similarity below 0.5 is 0. The distance is that of texts in lower case with
    single spaces, divided by the greater length of the raw texts, so that white space at the
    ends raises the value. Two empty texts score 1.
    """
    return raw_length_anls(answer)


@metric(source=f"{_REPOSITORY}, multidocvqa", identity=_identity)
def multidocvqa_anls(answer: Answer) -> float:
    """MP-DocVQA's ANLS: as anls without collapsing white space; from 0 to 1, higher is better.

    Texts in lower case without white space at the ends. An empty answer, and the answer "none",
    score 0 whatever the reference is.
    """
    prediction = answer.prediction.lower().strip()
    if prediction in ("", "none"):
        return 0.0
    return best_anls(prediction, (text.lower().strip() for text in answer.references))


@metric(source=f"{_REPOSITORY}, dude", identity=_identity)
def dude_anls(answer: Answer) -> float:
    """DUDE's ANLS of texts in lower case with single spaces, from 0 to 1, higher is better.

    A similarity below 0.5 is 0; two empty texts score 1. Options, for which the harness also
    compares letters, are not looked at.
    """
    return best_anls(collapsed(answer.prediction), map(collapsed, answer.references))


@metric(source=f"{_REPOSITORY}, slidevqa", identity=_identity)
def slidevqa_anls(answer: Answer) -> float:
    """SlideVQA's ANLS: a similarity of 0.5 itself is 0 too; from 0 to 1, higher is better.

    Texts in lower case, the reference without line feeds; white space counts. Two empty texts
    score 0. With several references (the original takes one) the best counts.
    """
    prediction = answer.prediction.lower()
    golds = (reference.replace("\n", "").lower() for reference in answer.references)
    best = max(edit_similarity(prediction, gold) if prediction or gold else 0 for gold in golds)
    return best if best > THRESHOLD else 0.0


@metric(source=f"{_REPOSITORY}, textvqa", identity=_identity)
def textvqa(answer: Answer) -> float:
    """Mean agreement with annotators, one left out at a time, from 0 to 1, higher is better.

    Each reference is one annotator's answer. Texts agree when they are equal after EvalAI's
    processing: lower case, no punctuation, number words as digits, no English articles. An
    answer gets a third for each other annotator who agrees, 1 at most; a single annotator has no
    others and gives 0.
    """
    return vqa_accuracy(answer, evalai)


@metric(source=f"{_REPOSITORY}, vqav2", identity=_identity)
def vqav2(answer: Answer, *, answer_ids: bool = True) -> float:
    """Mean agreement with annotators, one left out at a time, from 0 to 1, higher is better.

    As textvqa, but in answer and references alike a comma is a space (unless it is beside a space
    or between digits), and 's stays.

    Args:
        answer_ids: Whether the data have an id for each annotator's answer. Without, the original
            leaves out all annotators with the same answer at once: ten equal ones give 0.
    """
    if answer_ids:
        return vqa_accuracy(answer, evalai_words)
    golds = [evalai_words(reference) for reference in answer.references]
    agreeing = golds.count(evalai_words(answer.prediction))
    return (len(golds) - agreeing) * min(1.0, agreeing / 3) / len(golds)


def _exact_form(text: str) -> str:
    # The original's arrays of text end before NUL characters.
    return text.lower().translate(_NO_PUNCTUATION).rstrip("\0")


def _mtvqa_form(text: str) -> str:
    return text.strip().lower().replace(".", "")
