"""jfinqa's scores in lm-evaluation-harness, quirks included (commit 4e7e0d4)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

from vlmbench.metrics.base import Answer, metric
from vlmbench.records import MetricScore, Scalar

_REPOSITORY = "EleutherAI/lm-evaluation-harness at 4e7e0d4"
_TOLERANCE = 0.01
_ANSWER = re.compile(r"(?:Answer|answer|A|回答)\s*+[:：]\s*(.+)")
_NEGATIVE = re.compile("^[△▲]")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d)")
_NOT_NUMERIC = re.compile(r"[^\d.\-+]")
_UNITS = ("百万円", "千円", "億円", "兆円", "円", "ドル", "ポイント", "pt", "bps")
_MULTIPLIERS = {"千": 10**3, "百万": 10**6, "億": 10**8, "兆": 10**12}


def _identity(options: Mapping[str, Scalar]) -> Sequence[str]:
    return ["ref:lm-evaluation-harness@4e7e0d4", "answer2"]  # 回答 was no cue before


@metric(source=f"{_REPOSITORY}, jfinqa exact_match", identity=_identity)
def exact_match(answer: Answer) -> MetricScore:
    """Share of answers equal to a reference, from 0 to 1, higher is better.

    What stands behind the first "Answer:", "A:" or "回答:" on its line, else the last line. NFKC,
    △ and ▲ in front as a minus sign, no thousands commas, no しました or した at the end, lower
    case.
    """
    read = _read(answer.prediction)
    right = any(_form(read) == _form(reference) for reference in answer.references)
    return MetricScore((float(right),), extracted=read)


@metric(source=f"{_REPOSITORY}, jfinqa numerical_match", identity=_identity)
def numerical_match(answer: Answer) -> MetricScore:
    """Share of answers within 1 % of a reference's number, from 0 to 1, higher is better.

    Read as in exact_match. Units are deleted with what belongs to them: 3億円 is 3万円, 100円 is
    100ドル and 10km is 10m, but 1万円 is not 10,000円; all digits left in the text make one
    number. Where there is none, as in exact_match.
    """
    read = _read(answer.prediction)
    right = any(_numbers_agree(read, reference) for reference in answer.references)
    return MetricScore((float(right),), extracted=read)


def _read(text: str) -> str:
    if found := _ANSWER.search(text):
        return found[1].strip()
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _form(text: str) -> str:
    text = unicodedata.normalize("NFKC", text.strip())
    text = _THOUSANDS.sub("", _NEGATIVE.sub("-", text))
    shorter = text.removesuffix("しました")
    text = shorter if shorter != text else text.removesuffix("した")
    return text.lower().strip()


def _numbers_agree(text: str, reference: str) -> bool:
    number, expected = _number(text), _number(reference)
    if number is None or expected is None:
        return _form(text) == _form(reference)
    if expected == 0:
        return number == 0
    return abs(number - expected) / abs(expected) <= _TOLERANCE


def _number(text: str) -> float | None:
    form = _form(text)
    for unit in _UNITS:
        form = form.removesuffix(unit)
    factor = 1
    for kanji, multiplier in _MULTIPLIERS.items():
        if kanji in form:
            form, factor = form.replace(kanji, ""), multiplier
            break
    try:
        return float(_NOT_NUMERIC.sub("", form)) * factor
    except ValueError:
        return None
