"""Metrics of reading: text in pictures and fields of receipts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import TypeVar

import numpy as np

from vlmbench.metrics.base import Answer, metric
from vlmbench.records import MetricScore
from vlmbench.stats import Count, Floats
from vlmbench.text.edits import edit_distance
from vlmbench.text.japanese import normalize
from vlmbench.text.json_fields import RECORD_FORM, field_values, read_object


def error_rate(totals: Floats, n: Count) -> Floats:
    """Changes over characters; over 1 where all references are empty."""
    return np.asarray(totals[..., 0] / np.maximum(totals[..., 1], 1.0), dtype=np.float64)


@metric(
    bounds=None,
    compares="characters",
    source="Character error rate; Levenshtein 1966; on Japanese forms of vlmbench",
    size=2,
    combine=error_rate,
    lower_is_better=True,
)
def cer(answer: Answer) -> tuple[float, float]:
    """Corpus character error rate, from 0 without an upper end, lower is better.

    Characters to insert, delete and replace, over the characters of the references, both summed
    over the task: long texts weigh more. Above 1 when answers are longer than what there is to
    read. Compared are the characters of `normalize` (width, wave dashes, hyphens, long marks)
    without case, without any white space and without a code fence around the answer; punctuation
    counts. Of several references the one with the lowest rate counts. For an empty reference
    every character of the answer is an error.
    """
    return min(_edits(answer), key=lambda pair: (pair[0] / max(pair[1], 1.0), -pair[1]))


@metric(
    compares="characters",
    source="1 - CER clipped at 0, as JaWildText scores handwriting; on Japanese forms of vlmbench",
)
def similarity(answer: Answer) -> float:
    """Mean of 1 minus the character error rate of each answer, from 0 to 1, higher is better.

    Characters as in `ocr.cer`; each answer's rate over its own reference, and none below 0, so
    that one endless answer cannot spoil the mean. Of several references the best counts. Two
    empty texts score 1.
    """
    return max(max(0.0, 1.0 - edits / max(length, 1.0)) for edits, length in _edits(answer))


@metric(compares="characters", source="Yang et al., CC-OCR, 2024; on Japanese forms of vlmbench")
def character_f1(answer: Answer) -> float:
    """Mean F1 of the bag of characters of each answer, from 0 to 1, higher is better.

    Precision is the share of the answer's characters that the reference has as well, repetitions
    counted; recall that of the reference's. Their order does not matter, so columns and signs may
    be read in any order. Characters as in `ocr.cer`: unlike CC-OCR's own script, full-width
    letters are equal to half-width ones, ### and *** are not deleted, and two empty texts score 1.
    Of several references the best counts.
    """
    ours = Counter(_characters(answer.prediction))
    return max(_bag_f1(ours, Counter(_characters(text))) for text in answer.references)


@metric(
    source="JaWildText, receipt key information extraction; values compared as vlmbench reads them",
    identity=lambda options: [f"form:{RECORD_FORM}"],
)
def receipt(answer: Answer) -> MetricScore:
    """Mean F1 of the fields of a JSON object, from 0 to 1, higher is better.

    The answer's object is that of its first code fence, else the first that can be parsed; the
    reference is JSON. Every field with a value counts as one, line items under their path without
    order or connection. Values are equal as text without width, case and white space, as
    amounts (280, 280円, ¥280, 1,280), as dates (2024-05-03, 令和6年5月3日) or as times. Null, empty
    and missing are the same. An answer without a readable object scores 0 and has nothing
    extracted. Of several references the best counts; two objects without values score 1.
    A sample whose reference is no JSON object is not scored.
    """
    wanted = []
    for reference in answer.references:
        if (one := read_object(reference)) is None:
            return MetricScore(unscored=f"the reference {reference[:60]!r} is no JSON object")
        wanted.append(field_values(one))
    record = read_object(answer.prediction)
    if record is None:
        return MetricScore((0.0,))
    ours = field_values(record)
    best = max(_bag_f1(ours, one) for one in wanted)
    return MetricScore((best,), extracted=f"{ours.total()} values")


def _characters(text: str) -> str:
    text = text.strip()
    if text.startswith("```") and text.endswith("```") and len(text) > 6:
        text = text[3:-3].partition("\n")[2] or text[3:-3]
    return normalize(normalize(text).casefold()).replace(" ", "")


def _edits(answer: Answer) -> list[tuple[float, float]]:
    """Edits and length for each reference."""
    ours = _characters(answer.prediction)
    theirs = [_characters(reference) for reference in answer.references]
    return [(float(edit_distance(ours, text)), float(len(text))) for text in theirs]


_Item = TypeVar("_Item", bound=Hashable)


def _bag_f1(ours: Counter[_Item], theirs: Counter[_Item]) -> float:
    total = ours.total() + theirs.total()
    return 2 * (ours & theirs).total() / total if total else 1.0
