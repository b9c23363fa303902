"""How the English VQA evaluations prepare an answer: the EvalAI processing and its relatives.

Behavior of lmms-eval (commit 75571cf) and VLMEvalKit (commit e8e78f0). Nothing of it knows
Japanese: full-width characters and 。 stay, and words are what white space separates.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from vlmbench.metrics.base import Answer

_PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
_DIGIT_COMMA = re.compile(r"\d,\d")
_DIGIT_COMMAS = re.compile(r"(?<=\d),+(?=\d)")
_STOP = re.compile(r"\.(?!\d)")
_STOP_NO_DIGIT = re.compile(r"(?<!\d)\.(?!\d)")
_MOST_STOPS = 32
"""How many full stops go: the originals pass the flag re.UNICODE, 32, in the place of a count."""

_NUMBER_WORDS = {
    word: str(number)
    for number, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    )
} | {"none": "0"}
_ARTICLES = frozenset(("a", "an", "the"))

# The published list of contractions, by its regularities: which words lose an apostrophe before
# which ending, and a few that follow no rule.
_BEFORE_NT = (
    "are ca could did does do had has have is might must need ought sha should was were wo would"
)
_SINGLE = {
    "'ve": "could might must not should they we what where who would you",
    "'d": "he how it someone something there they where who you",
    "'ll": "how it somebody someone something they what who why you",
    "'s": "he how somebody someone that there what when where who why",
    "'re": "there they what why you",
}
_DOUBLE = {
    "n't've": "could had might should would",
    "'d've": "he it she somebody someone something there they we who you",
}
_IRREGULAR = {
    "aint": "ain't",
    "let's": "let's",
    "maam": "ma'am",
    "oclock": "o'clock",
    "ow's'at": "'ow's'at",
    "'ows'at": "'ow's'at",
    "'ow'sat": "'ow's'at",
    "she's": "she's",
    "somebody'd": "somebodyd",
    "twas": "'twas",
    "yall": "y'all",
    "yall'll": "y'all'll",
    "y'allll": "y'all'll",
    "yall'd've": "y'all'd've",
    "y'alld've": "y'all'd've",
    "y'all'dve": "y'all'd've",
}


@functools.cache
def contractions() -> dict[str, str]:
    """What a contraction without (one of) its apostrophes is replaced by; all in lower case."""
    table = dict(_IRREGULAR)
    table |= {f"{stem}nt": f"{stem}n't" for stem in _BEFORE_NT.split()}
    for ending, stems in _SINGLE.items():
        table |= {f"{stem}{ending[1:]}": f"{stem}{ending}" for stem in stems.split()}
    for ending, stems in _DOUBLE.items():
        first, second = ending.split("'")[0], ending.rsplit("'", 1)[1]
        for stem in stems.split():
            whole = f"{stem}{ending}"
            if first == "n":
                table[f"{stem}nt've"] = table[f"{stem}n'tve"] = whole
            else:
                table[f"{stem}d've"] = table[f"{stem}'d{second}"] = whole
    return table


def evalai(text: str) -> str:
    """What lmms-eval compares in TextVQA."""
    return evalai_words(text.lower().replace(",", "").replace("?", "").replace("'s", " 's"))


def evalai_words(text: str) -> str:
    """What lmms-eval compares in VQAv2: no punctuation, number words, articles, contractions."""
    text = text.replace("\n", " ").replace("\t", " ").strip()
    together = _DIGIT_COMMAS.search(text) is not None
    return _words(_STOP.sub("", _without_punctuation(text, together), count=_MOST_STOPS))


def vlmevalkit(text: str) -> str:
    """What VLMEvalKit compares in its VQA score; a full stop behind a digit stays."""
    text = text.replace("\n", " ").replace("\t", " ").strip()
    together = _DIGIT_COMMA.search(text) is not None
    text = _without_punctuation(text, together)
    return _words(_STOP_NO_DIGIT.sub("", text, count=_MOST_STOPS))


def leave_one_out(agreeing: int, annotators: int) -> float:
    """Mean over the annotators left out of a third for each other one who agrees, at most 1."""
    with_one_less = agreeing * min(1.0, max(0, agreeing - 1) / 3)
    return (with_one_less + (annotators - agreeing) * min(1.0, agreeing / 3)) / annotators


def vqa_accuracy(answer: Answer, process: Callable[[str], str]) -> float:
    """`leave_one_out` of the annotators whose processed answer is the processed prediction."""
    processed = list(map(process, answer.references))
    return leave_one_out(processed.count(process(answer.prediction)), len(processed))


def _without_punctuation(text: str, together: bool) -> str:
    """A mark beside a space, or any in a text with a digit-comma-digit, goes; others are spaces."""
    result = text
    for mark in _PUNCTUATION:
        gone = together or f"{mark} " in text or f" {mark}" in text
        result = result.replace(mark, "" if gone else " ")
    return result


def _words(text: str) -> str:
    words = [_NUMBER_WORDS.get(word, word) for word in text.lower().split()]
    table = contractions()
    return " ".join(table.get(word, word) for word in words if word not in _ARTICLES)
