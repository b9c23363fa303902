"""llm-jp-eval-mm's short answers and choices, quirks included (commit 9f450a5, April 2026).

Boards published before April 2026 used the same rules for everything here, except that the
reader of open JMMMU answers had a fresh list of indicators for each answer (`jmmmu_open`'s
default). The original takes one reference an item, except in substring_match; where there are
several here, the best counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from vlmbench.metrics.base import Answer, metric, reproduces
from vlmbench.metrics.compat.text_failures import RAISED, unscored
from vlmbench.metrics.compat.text_letters import mathvista_choice, mathvista_free
from vlmbench.metrics.compat.text_mmmu import (
    JAPANESE_OPEN,
    MIXED_OPEN,
    OpenStyle,
    letters_of,
    mmmu_letter,
    open_agrees,
    read_open,
)
from vlmbench.records import MetricScore, Scalar

_REPOSITORY = "llm-jp/llm-jp-eval-mm at 9f450a5"
_SMALL_NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty"
)
_TENS = "ten twenty thirty forty fifty sixty seventy eighty ninety"
_NUMBER_WORDS = (
    {word: str(number) for number, word in enumerate(_SMALL_NUMBERS.split())}
    | {word: str(10 * number) for number, word in enumerate(_TENS.split(), start=1)}
    | {"hundred": "100", "thousand": "1000", "million": "1000000", "billion": "1000000000"}
)
_NUMBER_WORD = re.compile(rf"\b(?:{'|'.join(_NUMBER_WORDS)})\b")
_identity = reproduces("llm-jp-eval-mm@9f450a5")


@metric(source=f"{_REPOSITORY}, exact-match", identity=_identity)
def exact_match(answer: Answer) -> float:
    """Share of answers identical to a reference, from 0 to 1, higher is better.

    Code point by code point: a line feed at the end, a full stop or a full-width digit is wrong.
    """
    return float(answer.prediction in answer.references)


@metric(source=f"{_REPOSITORY}, substring-match", identity=_identity)
def substring_match(answer: Answer) -> float:
    """Share of answers that contain a reference, from 0 to 1, higher is better.

    Both in lower case and with English number words as digits, word by word (twenty one is 20
    1). There is no NFKC; 京都 is in 東京都, 5 in 2015年 and 犬 in 犬ではなく猫です, and an empty
    reference is in everything. The harness uses it for CVQA, ChartQA, ChartQAPro, DocVQA,
    InfoVQA, TextVQA and OK-VQA, whose own metrics are others.
    """
    prediction = _with_digits(answer.prediction)
    return float(any(_with_digits(reference) in prediction for reference in answer.references))


@metric(source=f"{_REPOSITORY}, jic-vqa", identity=_identity)
def jic_vqa(answer: Answer) -> float:
    """Share of answers that contain a reference as it is written, from 0 to 1, higher is better.

    The published number is the unweighted mean of the domains' shares: slice by the domain.
    """
    return _contains(answer)


@metric(source=f"{_REPOSITORY}, mecha-ja", identity=_identity)
def mecha_ja(answer: Answer) -> float:
    """Share of answers that contain the right letter, from 0 to 1, higher is better.

    The reference is the letter. Any A in NBA or in "A, B, C, D" counts; a full-width or small
    letter does not. The published number counts all four rotations of the options alike.
    """
    return _contains(answer)


@metric(source=f"{_REPOSITORY}, ai2d", identity=_identity)
def ai2d(answer: Answer) -> MetricScore:
    """Share of answers that are the right letter and no more, from 0 to 1, higher is better.

    White space around and full stops behind the letter are allowed, in either case; (B), B. x
    and Ｂ are wrong. The reference is a letter from A to D.
    """
    return _bare_letter(answer, _ai2d_form)


@metric(source=f"{_REPOSITORY}, blink", identity=_identity)
def blink(answer: Answer) -> MetricScore:
    """As ai2d, but one pair of parentheses may be around the letter; from 0 to 1, higher is better.

    (B) and (B). are right; so is a reference in parentheses.
    """
    return _bare_letter(answer, _blink_form)


@metric(source=f"{_REPOSITORY}, jmmmu", identity=_identity)
def jmmmu_choice(answer: Answer, *, unparsed_as_chance: bool = False) -> MetricScore:
    """Share of choice questions answered with the right letter, from 0 to 1, higher is better.

    The parser of JMMMU, and in this harness of MMMU too. The reference is the letter, `choices`
    the options' texts. "B", "B.", "(B)", 答えはBです and 選択肢B are read; "B" with a line feed,
    Ｂ, b, **B**, 「B」, Bです and the option's text are not, and 答えはAではなくBです is read as A.
    An answer that is not read is wrong.

    Args:
        unparsed_as_chance: Whether an answer that is not read counts as one divided by the
            number of options: what a random choice, the harness's `--random_choice`, scores on
            average.
    """
    letter = mmmu_letter(answer.prediction, letters_of(answer.choices), japanese=True)
    chance = 1 / len(answer.choices) if unparsed_as_chance and answer.choices else 0.0
    right = chance if letter is None else float(letter in answer.references)
    return MetricScore((right,), extracted=letter)


@metric(source=f"{_REPOSITORY}, jmmmu", identity=_identity)
def jmmmu_open(answer: Answer, *, grown_indicators: bool = False) -> float:
    """Share of open JMMMU questions answered rightly, from 0 to 1, higher is better.

    A number in the end of a sentence behind 答えは, よって and the like, or in the whole answer,
    must equal a reference to two decimals, or such a text contain it. A decimal point ends a
    sentence (答えは3.14です is 3), a number needs white space or kana of few kinds around it, and
    a reference of one character is only found after a space.

    Args:
        grown_indicators: Whether an equals sign counts as such a word in every sentence and not
            only in the last. As shipped since April 2026 it does from the second question on,
            because a list that all questions share grows.
    """
    return _open(answer, JAPANESE_OPEN, grown_indicators)


@metric(source=f"{_REPOSITORY}, mmmu", identity=_identity)
def mmmu_open(answer: Answer) -> float:
    """Share of open MMMU questions answered rightly, from 0 to 1, higher is better.

    As jmmmu_open with "answer ", "is ", "so " and the like instead of the Japanese words, and
    numbers that a letter or kana may not follow. Sentences end as in Japanese, so that unlike in
    MMMU's own script "The answer is 3.14." is 3.
    """
    return _open(answer, MIXED_OPEN, False)


@metric(source=f"{_REPOSITORY}, jmmmu", identity=_identity)
def jmmmu(answer: Answer) -> MetricScore:
    """Accuracy over all JMMMU questions, from 0 to 1, higher is better.

    jmmmu_choice where there are choices, else jmmmu_open. The mean over all questions is the
    published "Overall".
    """
    return jmmmu_choice(answer) if answer.choices else MetricScore((jmmmu_open(answer),))


@metric(source=f"{_REPOSITORY}, mmmu", identity=_identity)
def mmmu(answer: Answer) -> MetricScore:
    """Accuracy over all MMMU questions, from 0 to 1, higher is better.

    jmmmu_choice where there are choices, else mmmu_open.
    """
    return jmmmu_choice(answer) if answer.choices else MetricScore((mmmu_open(answer),))


@metric(source=f"{_REPOSITORY}, mathvista", identity=_identity)
def mathvista(answer: Answer) -> MetricScore:
    """Share of MathVista questions answered rightly, from 0 to 1, higher is better.

    The harness never passes `question_type`, `answer_type` and `precision`, so that published
    numbers compare the text of the last three-digit group with the reference without its commas.
    With these in the sample's `meta`, what the scorer can do with them is used: choices
    (`multi_choice`, reading A where an English phrase or any letter A is), whole numbers
    (`integer`), numbers (`float`, to 1e-5 or to a number of decimals). An infinite answer to
    an integer question is unscored: the original raises.
    """
    multi = answer.meta.get("question_type") == "multi_choice" and bool(answer.choices)
    read = (
        mathvista_choice(answer.prediction, len(answer.choices))
        if multi
        else mathvista_free(answer.prediction)
    )
    text = letters_of(answer.choices).get(read.upper(), read) if multi else read
    try:
        right = any(_mathvista_equal(text, gold, answer.meta) for gold in answer.references)
    except RAISED as problem:
        return unscored(problem)
    return MetricScore((float(right),), extracted=read)


def _contains(answer: Answer) -> float:
    return float(any(reference in answer.prediction for reference in answer.references))


def _with_digits(text: str) -> str:
    return _NUMBER_WORD.sub(lambda word: _NUMBER_WORDS[word[0]], text.lower())


def _bare_letter(answer: Answer, form: Callable[[str], str]) -> MetricScore:
    letter = form(answer.prediction)
    if letter not in ("A", "B", "C", "D"):
        return MetricScore((0.0,))
    return MetricScore((float(letter in map(form, answer.references)),), extracted=letter)


def _ai2d_form(text: str) -> str:
    return text.strip().rstrip(".").upper()


def _blink_form(text: str) -> str:
    text = text.strip().rstrip(".")
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1]
    return text.strip().upper()


def _open(answer: Answer, style: OpenStyle, equals_everywhere: bool) -> float:
    values = read_open(answer.prediction, style, equals_everywhere=equals_everywhere)
    return float(open_agrees(values, answer.references))


def _mathvista_equal(text: str, gold: str, meta: Mapping[str, Scalar]) -> bool:
    text, gold = _mathvista_form(text), _mathvista_form(gold)
    kind, precision = meta.get("answer_type", "text"), meta.get("precision")
    if kind in ("integer", "float"):
        try:
            number, expected = float(text), float(gold)
            if kind == "integer":
                return round(number) == round(expected)
            if precision is not None and float(precision) > 0:
                return bool(abs(number - expected) < 10.0 ** -int(precision))
            return abs(number - expected) < 1e-5 * max(abs(expected), 1)
        except ValueError:
            pass
    return text == gold


def _mathvista_form(text: str) -> str:
    text = " ".join(text.split()).lower()
    return text.replace(",", "").replace("$", "").replace("%", "").strip(".")
