"""Metrics that ask whether a short answer is right."""

from __future__ import annotations

import re
from typing import Annotated

from vlmbench.metrics.base import Answer, Range, metric
from vlmbench.records import MetricScore
from vlmbench.text.japanese import answer_form, normalise
from vlmbench.text.numbers import COUNTERS, LABEL_UNITS, Quantity, read_quantity

_ENGLISH_ARTICLE = re.compile(r"^(?:a|an|the) (?=.)", re.IGNORECASE)
_SEPARATORS = str.maketrans("", "", "、,・/")
_BARE_YEAR = re.compile("(?:19|20)[0-9]{2}")


@metric(bounds=(0, 1), compares="answers", source="vlmbench; the form is defined in answer_form")
def exact(answer: Answer) -> float:
    """Share of answers that equal one of their references, from 0 to 1, higher is better.

    Both are compared in answer form: Unicode NFKC without case and white space, without
    quotation marks or brackets around the whole answer, without full stops and without a closing
    です, でした or である. There is no search inside: 「答えは東京です」 is not 東京, and
    フライパン is not パン. An empty answer is right only if a reference is empty too.
    """
    form = answer_form(answer.prediction)
    return float(any(form == answer_form(reference) for reference in answer.references))


@metric(
    bounds=(0, 1),
    compares="numbers",
    source="Antol et al., VQA, 2015; leave-one-out as in the official evaluation",
)
def vqa(answer: Answer) -> float:
    """Mean agreement with annotators, from 0 to 1, higher is better.

    Each reference is one annotator's answer, repeated as often as it was given. Every annotator
    is left out once; the answer then gets a third for each of the others that agree, 1 at most,
    and the mean over the annotators is the score: of ten, 1 agreeing gives 0.3, 2 give 0.6, 3
    give 0.9, 4 or more give 1. With fewer than four annotators all the others must agree for
    the full score; a single reference is simply right or wrong.

    Texts agree in answer form without the separators 、 , ・ / and without a leading English
    article, or when both are numbers of the same value whose units, if both have one, are equal.
    The official list of English contractions and number words is not applied.
    """
    agreeing = sum(_agrees(answer.prediction, reference) for reference in answer.references)
    return _leave_one_out(agreeing, len(answer.references))


@metric(
    bounds=(0, 1),
    compares="numbers",
    source="Masry et al., ChartQA, 2022; Japanese numbers and exact years are ours",
)
def relaxed(
    answer: Answer,
    *,
    tolerance: Annotated[float, Range(0, 1)] = 0.05,
    labels_exact: bool = True,
    counts_exact: bool = False,
) -> MetricScore:
    """Share of answers that are right, numbers with a tolerance, from 0 to 1, higher is better.

    Where answer and reference are both one number (１２３, 1,234, 12%, 5割, 12.5億円, 約81歳です),
    they may differ by `tolerance` of the reference, and a unit may be left out on one side
    but not be another one: 100ドル is not 100円, 50 is 50%, 0.5 is not. A reference of 0 needs 0.
    Everything else must be equal in answer form, as in match.exact. The best reference counts.
    An answer in which no single number is found is wrong where the reference is a number.

    Args:
        tolerance: Largest relative difference of a number that is still right.
        labels_exact: Whether years, dates and ranks must be equal: references with a unit such
            as 年 or 位, and bare whole numbers from 1900 to 2099.
        counts_exact: Whether whole numbers with a counter such as 個 or 匹 must be equal.
    """
    quantity = read_quantity(answer.prediction)
    right = exact(answer) > 0
    for reference in answer.references:
        expected = read_quantity(reference)
        if quantity and expected:
            strict = (labels_exact and _is_label(expected)) or (
                counts_exact and _is_count(expected)
            )
            right |= _close(quantity, expected, 0.0 if strict else tolerance)
    extracted = f"{quantity.value:.15g}{quantity.unit}" if quantity else None
    return MetricScore((float(right),), extracted=extracted)


def _agrees(prediction: str, reference: str) -> bool:
    if _vqa_form(prediction) == _vqa_form(reference):
        return True
    first, second = read_quantity(prediction), read_quantity(reference)
    return bool(first and second and _close(first, second, 0.0))


def _vqa_form(text: str) -> str:
    form = answer_form(_ENGLISH_ARTICLE.sub("", normalise(text)))
    return form.translate(_SEPARATORS) or form


def _leave_one_out(agreeing: int, annotators: int) -> float:
    """Mean over the annotators left out of min(1, agreeing others / needed)."""
    if annotators == 1:
        return float(agreeing)
    needed = min(3, annotators - 1)
    with_one_less = agreeing * min(1.0, (agreeing - 1) / needed) if agreeing else 0.0
    with_all = (annotators - agreeing) * min(1.0, agreeing / needed)
    return (with_one_less + with_all) / annotators


def _close(quantity: Quantity, expected: Quantity, tolerance: float) -> bool:
    if quantity.unit and expected.unit and quantity.unit != expected.unit:
        return False
    # The factor lets 105 pass for 100 although 0.05 has no exact binary form.
    allowed = tolerance * abs(expected.value) * (1 + 1e-9)
    return abs(quantity.value - expected.value) <= allowed


def _is_label(quantity: Quantity) -> bool:
    """Whether a number names something: a year, a date, a rank."""
    bare_year = not quantity.unit and _BARE_YEAR.fullmatch(quantity.numeral)
    return bool(bare_year) or quantity.unit in LABEL_UNITS


def _is_count(quantity: Quantity) -> bool:
    return quantity.unit in COUNTERS and quantity.value.is_integer()
