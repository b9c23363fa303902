"""VLMEvalKit's scorers, quirks included (commit e8e78f0)."""

from __future__ import annotations

import ast
import re
import warnings

from vlmbench.metrics.base import Answer, metric, reproduces
from vlmbench.metrics.compat.text_anls import (
    package_anls,
    raw_length_anls,
    relaxed_equal,
)
from vlmbench.metrics.compat.text_ccocr import EPSILON, best_counts, best_f1, micro_f1
from vlmbench.metrics.compat.text_evalai import vlmevalkit, vqa_accuracy
from vlmbench.metrics.compat.text_letters import vlmevalkit_letter
from vlmbench.metrics.compat.text_mmmu import letters_of
from vlmbench.records import MetricScore

_REPOSITORY = "open-compass/VLMEvalKit at e8e78f0"
_LIST = re.compile(r"\A\[(.*)\]\Z")
_UNQUOTED = re.compile(r"(?<!['\w])(\w[^,]*?)(?!['\w])")
_identity = reproduces("VLMEvalKit@e8e78f0")


@metric(source=f"{_REPOSITORY}, accuracy", identity=_identity)
def exact_match(answer: Answer) -> float:
    """Share of answers equal to a reference in lower case, from 0 to 1, higher is better.

    White space at the ends doesn't count. The original runs the reference through eval(): here it
    is text.
    """
    prediction = answer.prediction.strip().lower()
    return float(any(prediction == reference.strip().lower() for reference in answer.references))


@metric(source=f"{_REPOSITORY}, vqa_score", identity=_identity)
def vqa_score(answer: Answer) -> float:
    """Mean agreement with annotators, one left out at a time, from 0 to 1, higher is better.

    As compat_lmms.textvqa, with a processing that keeps a full stop behind a digit and treats
    commas as other punctuation.
    """
    return vqa_accuracy(answer, vlmevalkit)


@metric(source=f"{_REPOSITORY}, ChartQA", identity=_identity)
def chartqa_relaxed(answer: Answer) -> float:
    """Share of answers equal to a reference or within 5 % of it, from 0 to 1, higher is better.

    As compat_lmms.chartqa_relaxed, with white space at the ends of the answer taken off.
    """
    prediction = answer.prediction.strip()
    return float(any(relaxed_equal(prediction, reference) for reference in answer.references))


@metric(source=f"{_REPOSITORY}, ChartQAPro", identity=_identity)
def chartqapro_relaxed(answer: Answer, *, year: bool = False) -> float:
    """Mean agreement with ChartQAPro's reference, from 0 to 1, higher is better.

    Answer and reference may be lists such as [3, 'red']: elements are compared by position, and
    each missing or additional one scores 0. Numbers (float() without %) are right within 5 %, a
    0 needs a 0; other texts get the ANLS of the package anls, in which a similarity of 0.5
    itself is 0. So 1234 and 1,234 score 0.8. The benchmark takes full stops and line feeds off
    both ends first; this is the comparison alone. With several references (the original takes
    one) the best counts.

    Args:
        year: The data's flag for years: every element must be equal in lower case.
    """
    return max(_chartqapro(reference, answer.prediction, year) for reference in answer.references)


@metric(source=f"{_REPOSITORY}, DocVQA", identity=_identity)
def anls(answer: Answer) -> float:
    """Mean normalized Levenshtein similarity to the nearest reference, higher is better.

    From 0 to 1. Equal to compat_lmms.anls.
    """
    return raw_length_anls(answer)


@metric(source=f"{_REPOSITORY}, can_infer", identity=_identity)
def choice(answer: Answer) -> MetricScore:
    """Share of choice questions answered with the right letter, from 0 to 1, higher is better.

    The reference is the letter, `choices` the options' texts. The only letter among the last
    five words, what "answer is" names, or the only option whose text is in a short answer. An
    answer that is not read is wrong, as without a judge; a model as judge, and then a random
    letter, would come next.
    """
    letter = vlmevalkit_letter(answer.prediction, letters_of(answer.choices))
    return MetricScore(
        (float(letter is not None and letter in answer.references),), extracted=letter
    )


@metric(
    source=f"{_REPOSITORY}, CCOCR macro_f1_score",
    combine=lambda totals, n: totals[..., 0] / (n + EPSILON),
    identity=_identity,
)
def cc_ocr_macro(answer: Answer) -> float:
    """Mean F1 of characters without regard to their order, from 0 to 1, higher is better.

    As compat_evalmm.cc_ocr, divided by the number of images plus 1e-9.
    """
    return best_f1(answer)


@metric(
    source=f"{_REPOSITORY}, CCOCR mirco_f1_score (sic)",
    size=3,
    combine=lambda totals, n: micro_f1(totals),
    identity=_identity,
)
def cc_ocr_micro(answer: Answer) -> tuple[float, ...]:
    """F1 of the characters of all images together, from 0 to 1, higher is better.

    As compat_evalmm.cc_ocr_micro.
    """
    return best_counts(answer)


def _chartqapro(reference: str, prediction: str, year: bool) -> float:
    golds = _as_list(_with_quotes(reference)) or [reference]
    found = _as_list(prediction) or [prediction]
    pairs = zip(golds, found, strict=False)
    scores = [
        float(gold.strip().lower() == text.strip().lower()) if year else _chartqapro_one(gold, text)
        for gold, text in pairs
    ]
    return sum(scores) / max(len(golds), len(found))


def _chartqapro_one(gold: str, text: str) -> float:
    gold, text = gold.strip().strip("%").strip(), text.strip().strip("%").strip()
    try:
        expected, number = float(gold.strip("%")), float(text.strip("%"))
    except ValueError:
        return package_anls(text, gold)
    if expected == 0.0:
        return float(number == 0.0)
    return float(abs(number - expected) / abs(expected) <= 0.05)


def _with_quotes(text: str) -> str:
    """A list in brackets with quotation marks around its elements, where that makes it one."""
    match = _LIST.match(text.strip())
    if not match:
        return text
    quoted = "[" + _UNQUOTED.sub(r"'\1'", match[1]) + "]"
    return quoted if _as_list(quoted) is not None else text


def _as_list(text: str) -> list[str] | None:
    """The elements if the text is a Python list of plain values."""
    if "[" not in text:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as for an escape sequence that Python doesn't know
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return None
    return [str(element).strip(" '") for element in value] if isinstance(value, list) else None
