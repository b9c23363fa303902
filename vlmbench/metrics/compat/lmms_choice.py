"""lmms-eval's choices, open (J)MMMU questions and CC-OCR, quirks included (commit 75571cf).

Where lmms-eval draws a random letter for an answer that it can't read, the value here is what
that scores on average, 1 / number of options: a random value could not be reproduced.
"""

from __future__ import annotations

from vlmbench.metrics.base import Answer, metric, reproduces
from vlmbench.metrics.compat.text_ccocr import EPSILON, best_counts, best_f1, micro_f1
from vlmbench.metrics.compat.text_letters import jmmmu_pro_letter, video_mmmu_letter
from vlmbench.metrics.compat.text_mmmu import (
    ENGLISH_OPEN,
    JAPANESE_OPEN,
    letters_of,
    mmmu_letter,
    normal_values,
    open_agrees,
    read_open,
)
from vlmbench.records import MetricScore

_REPOSITORY = "EvolvingLMMs-Lab/lmms-eval at 75571cf"
_identity = reproduces("lmms-eval@75571cf")


@metric(source=f"{_REPOSITORY}, jmmmu", identity=_identity)
def jmmmu_choice(answer: Answer, *, unparsed_as_chance: bool = True) -> MetricScore:
    """Share of JMMMU's choice questions answered with the right letter, higher is better.

    From 0 to 1. The reference is the letter, `choices` the options' texts. The same parser as in
    compat_evalmm.jmmmu_choice, but an answer that is not read gets a random letter.

    Args:
        unparsed_as_chance: Whether an answer that is not read counts as one divided by the
            number of options, the average of a random letter; otherwise it is wrong.
    """
    letter = mmmu_letter(answer.prediction, letters_of(answer.choices), japanese=True)
    return _letter_score(letter, answer, unparsed_as_chance)


@metric(source=f"{_REPOSITORY}, mmmu", identity=_identity)
def mmmu_choice(answer: Answer, *, unparsed_as_chance: bool = True) -> MetricScore:
    """Share of MMMU's choice questions answered with the right letter, higher is better.

    From 0 to 1. As jmmmu_choice without the Japanese marks and without the rule for letters
    between Japanese characters: 答えはBです and "B。" are not read.

    Args:
        unparsed_as_chance: As in jmmmu_choice.
    """
    letter = mmmu_letter(answer.prediction, letters_of(answer.choices), japanese=False)
    return _letter_score(letter, answer, unparsed_as_chance)


@metric(source=f"{_REPOSITORY}, jmmmu_pro", identity=_identity)
def jmmmu_pro_choice(answer: Answer) -> MetricScore:
    """Share of JMMMU-Pro's questions answered with the right letter, higher is better.

    From 0 to 1. The letter behind 答え, 正解, answer and the like, else the last letter at the
    end of a word in lines that don't look like an option: "B" and Ｂ are read, "B." and "B. 大阪"
    are not, and "AND" is D. An answer that is not read is wrong.
    """
    letter = jmmmu_pro_letter(answer.prediction, letters_of(answer.choices))
    return _letter_score(letter, answer, False)


@metric(source=f"{_REPOSITORY}, videommmu", identity=_identity)
def video_mmmu_choice(answer: Answer) -> MetricScore:
    """Share of Video-MMMU's choice questions answered with the right letter, higher is better.

    From 0 to 1. Letters before a full stop or colon first, then in parentheses, then before a
    space. An answer that is not read is wrong.
    """
    letter = video_mmmu_letter(answer.prediction, letters_of(answer.choices))
    return _letter_score(letter, answer, False)


@metric(source=f"{_REPOSITORY}, jmmmu", identity=_identity)
def jmmmu_open(answer: Answer) -> float:
    """Share of open JMMMU questions answered rightly, from 0 to 1, higher is better.

    As compat_evalmm.jmmmu_open.
    """
    values = read_open(answer.prediction, JAPANESE_OPEN)
    return float(open_agrees(values, answer.references))


@metric(source=f"{_REPOSITORY}, mmmu", identity=_identity)
def mmmu_open(answer: Answer, *, as_shipped: bool = True) -> float:
    """Share of open MMMU questions answered rightly, from 0 to 1, higher is better.

    Args:
        as_shipped: One of the answers that are read is turned into a text and compared
            character by character, so that every answer is wrong, unless a reference is empty.
            Otherwise as MMMU's authors meant it: the end of a line behind "answer ", "is " and
            the like, or the whole answer, has a number equal to a reference to two decimals, or
            contains it.
    """
    if as_shipped:
        empty = any("" in normal_values(reference) for reference in answer.references)
        return float(empty and bool(answer.prediction.strip().strip(".")))
    values = read_open(answer.prediction, ENGLISH_OPEN)
    return float(open_agrees(values, answer.references))


@metric(
    source=f"{_REPOSITORY}, cc_ocr",
    combine=lambda totals, n: totals[..., 0] / (n + EPSILON) / (1 + EPSILON),
    identity=_identity,
)
def cc_ocr_macro(answer: Answer) -> float:
    """Mean F1 of characters without regard to their order, from 0 to 1, higher is better.

    As compat_evalmm.cc_ocr, divided by the number of images plus 1e-9 and by 1 + 1e-9, for one
    data set: the harness averages over the data sets of a track.
    """
    return best_f1(answer)


@metric(
    source=f"{_REPOSITORY}, cc_ocr",
    size=3,
    combine=lambda totals, n: micro_f1(totals) / (1 + EPSILON),
    identity=_identity,
)
def cc_ocr_micro(answer: Answer) -> tuple[float, ...]:
    """F1 of the characters of all images together, from 0 to 1, higher is better.

    As compat_evalmm.cc_ocr_micro, divided by 1 + 1e-9.
    """
    return best_counts(answer)


def _letter_score(letter: str | None, answer: Answer, unparsed_as_chance: bool) -> MetricScore:
    if letter is None:
        return MetricScore(
            (1 / len(answer.choices) if unparsed_as_chance and answer.choices else 0.0,)
        )
    return MetricScore((float(letter in answer.references),), extracted=letter)
